# A redacted capture plans like the host itself, but for names; and nothing that names the host, its guests or its cards
# stands in any of its files.
# bed: --mock --sim ../sim/hosts/two-a2-mdev.yaml --sim-option --time-scale=0.02
. "$(dirname "$0")/story.bash"

repository kvm-berlin kvm-berlin
mkdir -p fleet/clusters
# wants COUNT: slot 5 in so many mediated devices, for two guests.
wants() {
    cat >fleet/clusters/all.yaml <<END
apiVersion: gpupart/v1
kind: GpuCluster
metadata: {name: kvm-berlin}
spec:
  hosts: [{name: kvm-berlin}]
  pools:
    - name: desks
      mode: partitioned
      match: {vendor: nvidia}
      select: {serials: ["1320222000207"]}
      partitions: {count: $1}
---
apiVersion: gpupart/v1
kind: GpuBinding
metadata: {name: seats, cluster: kvm-berlin}
spec:
  pool: desks
  vms: [{name: ada-pc, host: kvm-berlin}, {name: payroll-10, host: kvm-berlin}, {name: payroll-9, host: kvm-berlin}]
END
    commit "$1"
}
private="<disk type='file' device='disk'><source file='/home/ada/secret.qcow2'/><target dev='vda'/></disk>
<interface type='network'><mac address='52:54:00:6b:3c:58'/><source network='default'/></interface>
<graphics type='vnc' port='-1' listen='10.11.12.13'/>
<channel type='unix'><target type='virtio' name='com.ada.backdoor'/></channel>"
wants 4
for vm in payroll-9 payroll-10 ada-pc bystander; do
    bed-domain "$vm" --define --extra "$private" --metadata "<note xmlns='urn:ada'>for ada-pc at 10.11.12.13</note>"
done
gp_ends 0 reconcile
# Somebody's own device, called by a name of their own.
bed-domain guest-of-kvm-berlin --define --hostdev f715f63c-0d00-4007-9c5a-b07b0c6c05de,ua-for-ada-pc
start ada-pc bystander payroll-9
virsh -q suspend bystander >/dev/null
virsh -q autostart payroll-10 >/dev/null
# What people say of this host.
SUDO_USER=hopper gp_ends 0 pause vm/ada-pc --for 1h --reason "ada-pc has a dentist"
SUDO_USER=hopper gp_ends 0 approve gpu/slot3 --for 1h --reason "says the dentist"

# redact DIR: it is written, and holds nothing of what it must not.
redact() {
    local word
    gp_ends 0 capture --redact "$1"
    while read -r word; do
        ! { grep -rlaiF -- "$word" "$1" || find "$1" -printf '%P %l\n' | grep -iF -- "$word"; } || fail "$word is in the capture"
    done <originals
    find "$1" -type l -lname '/*' | { ! grep . || fail "a link leads out of the capture"; }
}
# What it must not hold: where these are looked for is shown on the capture as it is, too.
{
    printf '%s\n' kvm-berlin /home/ada secret.qcow2 52:54:00 10.11.12.13 com.ada.backdoor ua-for-ada-pc hopper dentist
    git -C fleet rev-parse HEAD
    virsh list --all --name | grep .
    for vm in $(virsh list --all --name); do virsh domuuid "$vm" | head -n 1; done
    cat "$GPUPART_ROOT/etc/machine-id"
    ls "$GPUPART_ROOT/sys/bus/mdev/devices"
    printf '%s\n' 1320222000103 1320222000207
} | grep . | sort -u >originals
gp_ends 0 capture plain
for word in kvm-berlin ada-pc payroll-10 "$(virsh domuuid ada-pc | head -n 1)" "$(cat "$GPUPART_ROOT/etc/machine-id")" 1320222000207 \
    f715f63c-0d00-4007-9c5a-b07b0c6c05de ua-for-ada-pc hopper dentist "$(git -C fleet rev-parse HEAD)"; do
    grep -qxF "$word" originals || fail "$word is not looked for"
    { grep -rlaF -- "$word" plain || find plain -name "*$word*" | grep .; } >/dev/null || fail "$word is not in the capture as it is"
done

# The same for somebody who calls things by their new names.
sort -V <(virsh list --all --name | grep .) | awk '{print "s/\\<" $0 "\\>/vm-" NR "/g"}' | sort -r >names.sed
cat >>names.sed <<'END'
s/\<kvm-berlin\>/host-1/g
s|fleet/clusters|renamed|g
s/1320222000103/SERIAL-1/g
s/1320222000207/SERIAL-2/g
s/[0-9a-f]\{8\}-[0-9a-f]\{4\}-[0-9a-f]\{4\}-[0-9a-f]\{4\}-[0-9a-f]\{12\}/UUID/g
s/pid [0-9]* ([^)]*)/a process/g
s/[0-9a-f]\{32\}/MACHINE/g
END
# same DIR WHAT…: read from the redacted capture DIR and from the one as it is.
same() {
    local dir=$1
    shift
    [ -d renamed ] || mkdir renamed
    sed -f names.sed fleet/clusters/all.yaml >renamed/all.yaml
    sed -f names.sed agent.yaml >renamed.yaml
    gpupart --root plain --config agent.yaml "$@" --dir fleet/clusters --format json >one || fail "$*: $?"
    gpupart --root "$dir" --config renamed.yaml "$@" --dir renamed --format json >two || fail "$dir: $*: $?"
    diff <(sed -f names.sed one | jq -S 'del(.at, .id, (.. | .column?))') <(sed -f names.sed two | jq -S 'del(.at, .id, (.. | .column?))') ||
        fail "$dir reads otherwise: $*"
}
redact redacted
same redacted inventory
same redacted plan
jq -e '.actions == []' two >/dev/null || fail "there is something to do: $(cat two)"
expect 4 jq '.gpus[] | select(.id == "slot5").count' \
    <(gpupart --root redacted inventory --format json)
wants 2
same redacted plan
jq -e '[.actions[].kind] | index("stop-vm") and index("detach")' two >/dev/null || fail "nothing to do: $(cat two)"
# Which is known from what was applied: to the card with that serial number, to the VM with that UUID, by which it is paused.
jq -e '.findings | map(.rule) | index("GP-E503") | not' two >/dev/null || fail "the card is not the one that was applied to: $(cat two)"
jq -e '.sets[].why | test("paused: vm/vm-")' two >/dev/null || fail "a VM is paused no more: $(cat two)"
jq -e '.kind == "Capture" and .host == "host-1" and .gpus == 2 and .guests == 5' redacted/capture.json >/dev/null ||
    fail "the manifest: $(cat redacted/capture.json)"
# One original is one stand-in, wherever it stands.
id=$(sed -n 's|.*<uuid>\(.*\)</uuid>|\1|p' redacted/libvirt/vm-1.xml)
expect "$id" sed -n 's/.* vm="\([^"]*\)".*/\1/p' redacted/libvirt/vm-1.xml
expect "$(cat redacted/etc/machine-id)" sed -n 's/.* host="\([^"]*\)".*/\1/p' redacted/libvirt/vm-1.xml
for key in $(jq -r '.applied | keys[] | select(startswith("vm/"))' redacted/state/applied.json); do
    expect "$(jq -r --arg key "$key" '.applied[$key].who' redacted/state/applied.json)" \
        sed -n 's|.*<name>\(.*\)</name>|\1|p' "$(grep -lF "<uuid>${key#vm/}</uuid>" redacted/libvirt/vm-?.xml)"
done
grep -qx 'domain paused vm-2' redacted/libvirt/facts || fail "facts: $(cat redacted/libvirt/facts)"
# Twice the same.
redact again
diff -r --no-dereference -x capture.json redacted again || fail "another time other stand-ins"

echo "guests that are called as something else is"
for vm in pci domain nvidia vfio; do
    bed-domain "$vm" --define
done
gp_ends 0 capture --redact confusing
for folder in redacted confusing; do
    gpupart --root $folder inventory --format json >$folder.json || fail "$folder is not read"
done
expect "$(jq -c '[.gpus[] | del(.partitions)]' redacted.json)" jq -c '[.gpus[] | del(.partitions)]' confusing.json
ls confusing/libvirt | { ! grep -v '^facts$\|^vm-[0-9]*\(.live\)\?.xml$'; } || fail "a file has the name of a guest"
