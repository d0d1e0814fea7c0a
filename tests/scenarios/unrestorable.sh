# A card that can be cut no more, neither as declared nor as it was: who says ifUnrestorable: without-gpu comes up without,
# and gets its partition again when there is one; who says nothing stays down and is named.
# bed: --qemu --sim ../sim/hosts/two-xe.yaml
. "$(dirname "$0")/story.bash"

# declare COUNT
declare_count() {
    desktops "$1" 20s "must-have, can-do"
    sed -i '/^  vms:/,$d' fleet/clusters/demo.yaml
    cat >>fleet/clusters/demo.yaml <<END
  vms: [{name: must-have, host: demo}]
---
apiVersion: gpupart/v1
kind: GpuBinding
metadata: {name: kiosks, cluster: demo}
spec:
  pool: vdi
  ifUnrestorable: without-gpu
  vms: [{name: can-do, host: demo}]
END
    commit "$1 partitions"
}

repository
declare_count 4
for vm in must-have can-do; do
    bed-domain "$vm" --define
done
gp_ends 0 reconcile
for vm in must-have can-do; do
    virsh -q start "$vm" >/dev/null
    soon 20 test -s "$BED/log/$vm.serial" # heeds the power button from now on
done
converged
others=$(canonical must-have can-do)

declare_count 2
for n in 2 3 4 5; do # the first takes the partitions away
    echo "fail */0000:04:00.0/sriov_numvfs $n EIO" >"$GPUPART_ROOT/gpusim-control"
done
gp_ends 6 reconcile
expect can-do running
expect "" partition can-do
grep -q "VM can-do runs without its GPU" err || fail "it is not told who runs without: $(cat err)"
grep -q "VM must-have is down.*virsh start must-have" err || fail "it is not told who is down: $(cat err)"
[ "$others" = "$(canonical must-have can-do)" ] || fail "something else of a definition changed"

echo "while the card is broken no pass disturbs it"
pid=$(pgrep -f "guest=can-do,")
echo clear >"$GPUPART_ROOT/gpusim-control"
echo 'fail */0000:04:00.0/sriov_numvfs all EIO' >"$GPUPART_ROOT/gpusim-control"
gp_ends_in "1 5 6" reconcile
expect "$pid" pgrep -f "guest=can-do,"

echo "it is tried again when its time has come, though what there was cannot be had again: both have what is declared"
cat state/failures.json
jq 'walk(if type == "object" and has("untilUs") then .untilUs = 1 else . end)' state/failures.json >failures.json
cp failures.json state/failures.json
echo clear >"$GPUPART_ROOT/gpusim-control"
echo 'fail */0000:04:00.0/sriov_numvfs 1 EIO' >"$GPUPART_ROOT/gpusim-control" # the way back's
gp_ends 0 reconcile
grep -q 'slot5 could not be brought back, but is as declared by now' err || fail "it is not told: $(cat err)"
expect "can-do must-have" running
[ -n "$(partition can-do)" ] || fail "can-do has no partition again"
[ -n "$(partition must-have)" ] || fail "must-have has no partition"
converged
