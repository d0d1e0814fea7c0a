# A reboot takes every partition away. Before libvirt is up, and with git gone, the boot pass makes them again, so that
# guests with autostart run when libvirtd is. A card that is missing or another one holds up no other.
# bed: --qemu --sim ../sim/hosts/two-xe.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"

# declare_count COUNT [3]: partitions in slot 3; with 3, nothing else is declared.
declare_count() {
    local other=("slot5 vm5-*")
    [ "${2:-}" != 3 ] || other=()
    {
        echo "{name: slot3, mode: partitioned, match: {vendor: intel}, select: {slots: [\"3\"]}, partitions: {count: $1}}"
        [ "${2:-}" = 3 ] ||
            echo '{name: slot5, mode: partitioned, match: {vendor: intel}, select: {slots: ["5"]}, partitions: {count: 2}}'
    } | DECLARED_SPEC='acceptRisk: [boot-display]' declare_pools "slot3 vm3-*" "${other[@]}"
}

counts() {
    inventory '[.gpus[].count] | join(" ")' 2>/dev/null # libvirtd is not there at times
}

# told FIELD: of what the boot pass told, on one line.
told() {
    journal "select(.GPUPART_EVENT | startswith(\"boot-\")) | .$1" | sort | xargs
}

# reboot: everything that runs ends, /run is empty, and the kernel begins anew. libvirtd and git are not there yet.
reboot() {
    local vm
    for vm in $(running 2>/dev/null); do
        virsh -q destroy "$vm" >/dev/null
    done
    bed-libvirtd kill
    rm -rf /run/libvirt/qemu state/run
    [ ! -d fleet ] || mv fleet fleet-away
    echo reboot >"$GPUPART_ROOT/gpusim-control"
}

# up: what comes after the boot pass.
up() {
    bed-libvirtd start
    mv fleet-away fleet
}

repository
declare_count 3
commit "three and two"
for vm in vm3-1 vm3-2 vm3-3 vm5-1; do
    bed-domain "$vm" --define
done
gp_ends 0 reconcile
expect "3 2" counts
for vm in vm3-1 vm3-3 vm5-1; do
    virsh -q autostart "$vm"
done
before=$(canonical vm3-{1..3} vm5-1)
sources=$(for vm in vm3-{1..3} vm5-1; do partition "$vm"; done)

# ---- all is well ----
reboot
expect "0 0" counts
gp_ends 0 reconcile --boot
expect "3 2" counts
expect "boot-restored boot-restored" told GPUPART_EVENT
expect "slot3 slot5" told GPUPART_GPU
# The start hook knows the devices again, and whose they are.
expect 5 sh -c 'ls state/run/devices | wc -l'
expect 4 sh -c 'grep -l "^vm" state/run/devices/* | wc -l'
# Once more is nothing.
echo clear-log >"$GPUPART_ROOT/gpusim-control"
gp_ends 0 reconcile --boot
expect "" cat "$GPUPART_ROOT/gpusim-log"
up
soon 20 eval '[ "$(running)" = "vm3-1 vm3-3 vm5-1" ]'
converged
[ "$before" = "$(canonical vm3-{1..3} vm5-1)" ] || fail "something of a definition changed"
[ "$sources" = "$(for vm in vm3-{1..3} vm5-1; do partition "$vm"; done)" ] || fail "a VM has another partition"

# ---- a driver that is late: it is waited for ----
reboot
echo 'late */0000:04:00.0/sriov_numvfs 1000' >"$GPUPART_ROOT/gpusim-control"
echo 'fail */0000:03:00.0/sriov_numvfs 1 EIO' >"$GPUPART_ROOT/gpusim-control"
gp_ends 0 reconcile --boot --wait 20
echo clear >"$GPUPART_ROOT/gpusim-control"
expect "3 2" counts

# ---- one that fails for good, and another card in the other slot: each by itself, and told ----
reboot
echo 'fail */0000:04:00.0/sriov_numvfs all EIO' >"$GPUPART_ROOT/gpusim-control"
gp_ends 1 reconcile --boot --wait 1
expect "3 0" counts
grep -q 'GPU slot5 is not as it was before the boot' err || fail "it is not told: $(cat err)"
expect slot5 journal 'select(.GPUPART_EVENT == "boot-failed") | .GPUPART_GPU'
echo clear >"$GPUPART_ROOT/gpusim-control"
reboot_again() {
    echo reboot >"$GPUPART_ROOT/gpusim-control"
    rm -rf state/run
}
reboot_again
sed -i 's/"identity": "8086:e212/"identity": "8086:e211/' state/boot.json
gp_ends 4 reconcile --boot --wait 1
expect "0 0" counts
grep -q 'another card is in its place' err || fail "the other card is not told: $(cat err)"
# The VMs of a GPU that is not what it was are refused by the hook.
expect 5 sh -c 'grep -l "^refuse" state/run/devices/* | wc -l'
sed -i 's/"identity": "8086:e211/"identity": "8086:e212/' state/boot.json
gp_ends 0 reconcile --boot --wait 1
expect "3 2" counts
expect 0 sh -c 'grep -l "^refuse" state/run/devices/* | wc -l'
up
soon 20 eval '[ "$(running)" = "vm3-1 vm3-3 vm5-1" ]'
heed vm3-1 vm3-3 vm5-1

# ---- power is lost in the middle of a pass: what was there before it comes back, and nobody is forgotten ----
declare_count 4
commit "four"
echo clear-log >"$GPUPART_ROOT/gpusim-control"
echo 'kill-after 2' >"$GPUPART_ROOT/gpusim-control"
gp reconcile >out 2>err && fail "it was to be killed: $(cat out err)"
echo clear >"$GPUPART_ROOT/gpusim-control"
[ -n "$(ls state/records)" ] || fail "there is no record: $(cat out err)"
reboot
gp_ends 0 reconcile --boot
expect "3 2" counts
[ -n "$(ls state/records)" ] || fail "the record is gone, and with it the starts that are owed"
up
gp_ends 0 reconcile
expect "4 2" counts
soon 20 eval '[ "$(running)" = "vm3-1 vm3-3 vm5-1" ]'
converged

# ---- what is in no pool any more is not brought back ----
declare_count 4 3
git -C fleet add -A
git -C fleet commit -q -m "slot 5 is given up" -m "Gpupart-Allow-Removal: 1"
gp_ends 0 reconcile
reboot
gp_ends 0 reconcile --boot --wait 1
expect "4 0" counts
