# What an older build left is understood by this one: the state, the marks and holds of guests that run, a pause, the record of a
# pass that was killed, and the layout that the boot unit makes again.
# lab: bookworm
# gpus: b50 b50
# older: bcd06f4

older=/lab/older-bcd06f4
program=$older

gp() {
    "$program" "$@"
}

# definitions: of all VMs, marks and all, and the process of each that runs.
definitions() {
    local vm
    for vm in $(virsh list --all --name); do
        virsh dumpxml --inactive "$vm" | md5sum
        [ ! -e "/run/libvirt/qemu/$vm.pid" ] || cat "/run/libvirt/qemu/$vm.pid"
    done
}

# taken_over: this build finds what the older one left as it left it.
taken_over() {
    local before
    before=$(definitions)
    program=gpupart
    gp_ends 0 drift
    converged
    expect "$before" definitions
}

repository
pool 2 1 vdi-1 vdi-2
domain vdi-1
domain vdi-2 guest-ignores
gp_ends 0 reconcile
start vdi-1
virsh -q start vdi-2

# ---- at rest, under running guests ----
results=$(gp history --format json | jq '.results | length')
[ "$results" -gt 0 ] || fail "the older build has no history: $(gp history)"
taken_over
expect "$results" eval 'gp history --format json | jq ".results | length"'
expect "vdi-1 vdi-2" inventory '[.gpus[].partitions[].vm // empty] | sort | join(" ")'

# ---- a pause ----
program=$older
gp_ends 0 pause host --for 1h --reason "moving house"
program=gpupart
gp status | grep -q 'moving house' || fail "the pause is not known: $(gp status)"
gp_ends 0 resume host
gp_ends 0 reconcile

# ---- a pass that was killed when one guest was down and the other did not stop ----
program=$older
pool 3 1 vdi-1 vdi-2
$older reconcile >out 2>err &
pass=$!
soon 300 state_is vdi-1 'shut off'
soon 300 eval '[ -n "$(ls /var/lib/gpupart/records)" ]'
kill -9 $pass
wait $pass || :
virsh -q destroy vdi-2
program=gpupart
gp_ends 0 reconcile
cat out
expect 3 cat "$devices/0000:01:00.0/sriov_numvfs"
expect "vdi-1 vdi-2" running
expect "" ls /var/lib/gpupart/records
converged

# ---- what the boot unit makes again ----
program=$older
for vm in vdi-1 vdi-2; do
    virsh -q destroy "$vm"
done
pool 4 1 vdi-1 vdi-2
gp_ends 0 reconcile
was="$(given vdi-1) $(given vdi-2)"
echo 0 >"$devices/0000:01:00.0/sriov_numvfs"
systemctl start gpupart-boot.service
expect 4 cat "$devices/0000:01:00.0/sriov_numvfs"
taken_over
expect "$was" echo "$(given vdi-1) $(given vdi-2)"
start vdi-1
expect "$(group_of "$(given vdi-1)")" groups vdi-1
