# Marks that do not fit: another machine's, another domain's, another source's; copies, clones, reverts, renames, and a
# name that another domain bears now. They are told (GP-D807, GP-D808) and never detached or edited.
# bed: --mock --sim ../sim/hosts/two-xe.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"
. "$(dirname "$0")/by-hand.bash"

# redefine VM SED-SCRIPT: as somebody with an editor does.
redefine() {
    virsh dumpxml --inactive --security-info "$1" | sed "$2" >edited.xml
    virsh -q define edited.xml >/dev/null
}

# given VM: its partition, by the inventory.
given() {
    inventory "[.gpus[] | .id as \$id | .partitions[] | select(.vm == \"$1\") | \$id + \"/\" + (.index | tostring)] | join(\" \")"
}

# foreign VM RULE TEXT [STATUS]: a pass, and another one, tells so of this VM and does not touch it.
foreign() {
    local vm=$1 rule=$2 text=$3 before
    before=$(definitions "$vm")
    gp_ends "${4:-0}" plan
    gp_ends_in "0 4" reconcile
    grep -q "$rule.*'$vm'.*$text" out || fail "$vm: not told as $rule '$text': $(cat out err)"
    gp_ends_in "0 4" reconcile
    expect "$before" definitions "$vm"
    ! grep -qE "(attach|detach|rebind|mark) +$vm" out || fail "$vm is in the plan: $(cat out)"
}

repository
declare_pool 8 vdi-{1..5} "cad-1, uuid: 7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9e10"
commit "eight"
for vm in vdi-{1..5}; do
    bed-domain "$vm" --define
done
bed-domain cad-1 --uuid 7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9e10 --define
gp_ends 0 reconcile
converged
virsh -q start vdi-1 >/dev/null
rest=$(definitions vdi-{1..5} cad-1)

# healed: what somebody did is undone, and all is as it was.
healed() {
    gp_ends 0 reconcile
    converged
    expect "$rest" definitions vdi-{1..5} cad-1
    expect vdi-1 running
}

# ---- another machine's: an image of the host, or a guest that was moved here by hand ----
redefine vdi-2 's/host="7b2e3f40/host="00000000/'
foreign vdi-2 GP-D807 "another host or device"
grep -q "vm/vdi-2 .*Blocked.*GP-D807" <(gp status) || fail "the status hides it: $(gp status)"
expect 1 jq -s length <(journal 'select(.GPUPART_RULE == "GP-D807" and .GPUPART_VM == "vdi-2")')
# Its partition is its own all the same: the next one gets another.
bed-domain vdi-6 --define
declare_pool 8 vdi-{1..6} "cad-1, uuid: 7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9e10"
commit "one more"
foreign vdi-2 GP-D807 "another host or device"
expect slot3/6 jq -r '.applied[].value | select(. == "slot3/6")' state/applied.json
expect 1 inventory '[.gpus[].partitions[] | select(.vm == "vdi-6")] | length'
redefine vdi-2 's/host="00000000/host="7b2e3f40/'
healed

# ---- another domain's, and one whose source was changed by hand ----
redefine vdi-3 's/ vm="[0-9a-f-]*"/ vm="00000000-0000-4000-8000-000000000000"/'
foreign vdi-3 GP-D807 "VM 00000000-0000-4000-8000-000000000000"
redefine vdi-3 "s/ vm=\"[0-9a-f-]*\"/ vm=\"$(virsh domuuid vdi-3 | head -n 1)\"/"
healed
other=$(vf 0000:03:00.0 3) unused=0000:03:01.5
virsh dumpxml --inactive vdi-3 >vdi-3.xml
grep -q "${other: -1}'/>" vdi-3.xml || fail "vdi-3 has another partition than thought"
redefine vdi-3 "/<source>/,/<\\/source>/ s/bus='0x03' slot='0x00' function='0x${other: -1}'/bus='0x03' slot='0x01' function='0x5'/"
virsh dumpxml --inactive vdi-3 | grep -q "slot='0x01' function='0x5'" || fail "the source was not changed to $unused"
foreign vdi-3 GP-D807 "another host or device"
virsh -q define vdi-3.xml >/dev/null
healed

# ---- a clone that is bound too: what it carries along is its original's ----
virsh dumpxml --inactive vdi-4 | sed -e 's#<name>vdi-4<#<name>vdi-7<#' -e '/<uuid>/d' >clone.xml
virsh -q define clone.xml >/dev/null
declare_pool 8 vdi-{1..7} "cad-1, uuid: 7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9e10"
commit "and its clone"
foreign vdi-7 GP-D807 "VM $(virsh domuuid vdi-4 | head -n 1)" 
expect "$rest" definitions vdi-{1..5} cad-1
virsh -q undefine vdi-7
declare_pool 8 vdi-{1..6} "cad-1, uuid: 7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9e10"
commit "without"
healed

# ---- a rename: git knows the old name, and nothing is taken from it ----
# rename VM NEW: as virsh domrename, which the mock lacks.
rename() {
    virsh dumpxml --inactive --security-info "$1" | sed "s#<name>$1<#<name>$2<#" >renamed.xml
    virsh -q undefine "$1"
    virsh -q define renamed.xml >/dev/null
}
rename vdi-5 desk-5
foreign desk-5 GP-D808 "bound as 'vdi-5'"
gp_ends 2 drift
grep -q "vm/desk-5: name is desk-5, was applied as vdi-5 (GP-D808" out || fail "it is no drift: $(cat out)"
expect 1 jq -s length <(journal 'select(.GPUPART_EVENT == "drift-found" and .GPUPART_RULE == "GP-D808")')
# Whose name it has now is another guest, and gets a partition of its own.
bed-domain vdi-5 --uuid 55555555-5555-4555-8555-555555555555 --define
foreign desk-5 GP-D808 "bound as 'vdi-5'"
expect "slot3/5 slot3/7" echo "$(given desk-5)" "$(given vdi-5)"
virsh -q undefine vdi-5
# Git follows: it is bound as before. Then the name is given up for good.
declare_pool 8 vdi-{1..4} desk-5 vdi-6 "cad-1, uuid: 7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9e10"
commit "its new name"
gp_ends 0 reconcile
converged
expect slot3/5 given desk-5
rename desk-5 vdi-5
declare_pool 8 vdi-{1..6} "cad-1, uuid: 7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9e10"
commit "and the old one"
healed

# ---- a name with a pinned UUID: only that one is meant, whatever it is called and whoever has its name ----
rename cad-1 cad-9
foreign cad-9 GP-D808 "bound as 'cad-1'"
bed-domain cad-1 --define
foreign cad-1 GP-D808 "not the pinned 7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9e10, which is now named cad-9"
virsh -q undefine cad-1
rename cad-9 cad-1
healed

# ---- reverted to what it had before: it moves, and nobody else does for it ----
cp vdi-3.xml reverted.xml
sed -i "s/'0x00' function='0x[0-9]'/'0x00' function='0x6'/; s/0000:03:00.[0-9]/0000:03:00.6/; s#slot3/3#slot3/5#" reverted.xml
virsh -q define reverted.xml >/dev/null
gp_ends 2 plan --detailed-exitcode
expect "vdi-3 slot3/5 -> slot3/3" sed -n 's/^ *1  rebind  *\(vdi-3\)  *\(slot3.[0-9] -> slot3.[0-9]\) .*/\1 \2/p' out
healed
# One that is bound no more and comes back from a snapshot is ours still, and loses it again.
declare_pool 8 vdi-{1..5} "cad-1, uuid: 7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9e10"
virsh dumpxml --inactive vdi-6 >vdi-6.xml
commit "without the sixth"
gp_ends 0 reconcile
expect "" partition vdi-6
virsh -q define vdi-6.xml >/dev/null
healed
expect "" partition vdi-6
