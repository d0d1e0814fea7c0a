# What is captured of the lab is the lab again, in it and outside it (capture.outside): the same inventory and the same plan, for
# a guest that runs with its partition and one that is off, and beside them a GPU of another vendor that was partitioned by hand.
# lab: trixie
# gpus: b50 a2

repository
pool 2 1 "vdi-*"
domain vdi-1
domain vdi-2
gp_ends 0 reconcile
start vdi-1
/usr/lib/nvidia/sriov-manage -e 0000:02:00.0
echo 746 >"$devices/0000:02:00.2/nvidia/current_vgpu_type"
pool 3 1 "vdi-*"
gp_ends 0 capture captured
gp_ends 0 inventory --format json
mv out inventory.json
gp_ends 0 plan --dir fleet/clusters --format json
mv out plan.json
expect 1 jq '.summary.vmsStopped' plan.json

again() {
    gpupart --root captured --state "$HOME/none" inventory --format json
}
again >inventory-again
cmp inventory.json inventory-again || fail "another inventory: $(diff inventory.json inventory-again)"
rm -rf /lab/capture
mkdir /lab/capture
tar -C "$HOME" -cf /lab/capture/captured.tar captured fleet/clusters inventory.json plan.json -C /etc gpupart/agent.yaml
