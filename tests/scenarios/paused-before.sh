# A guest that its owner paused before the pass, and that belongs to a change though nobody stops it for that: when the
# change is taken back it stays paused, since it is nothing of gpupart's whether it runs.
# bed: --mock --proxy --sim ../sim/hosts/two-xe.yaml --sim-option --time-scale=0.02
. "$(dirname "$0")/story.bash"

repository
desktops 4 20s "vdi-1"
commit "four partitions"
for vm in vdi-1 vdi-2; do
    bed-domain "$vm" --define
done
gp_ends 0 reconcile
start vdi-1 vdi-2
expect 1 held
converged
virsh -q suspend vdi-2

# It is to get a partition when it next starts, of a GPU that is to have fewer.
desktops 3 20s "vdi-1, vdi-2"
sed -i 's/^  pool: vdi$/&\n  apply: next-start/' fleet/clusters/demo.yaml
commit "three, and vdi-2"
echo 'fail */sriov_numvfs 2 EIO' >"$GPUPART_ROOT/gpusim-control"
gp_ends 5 reconcile
echo clear >"$GPUPART_ROOT/gpusim-control"
expect vdi-1 running
state_is vdi-2 paused || fail "vdi-2 is $(virsh domstate vdi-2), though its owner had paused it"
expect "" ls state/records
expect "" jq -r '.owed[]?.name' state/owed.json
expect 4 inventory '.gpus[] | select(.id == "slot5") | .count'

# A pass that is killed leaves that to the next one, which does not make it go on either.
desktops 2 20s "vdi-1, vdi-2"
sed -i 's/^  pool: vdi$/&\n  apply: next-start/' fleet/clusters/demo.yaml
commit "two, and vdi-2"
echo 'kill-before 1' >"$GPUPART_ROOT/gpusim-control"
gp_ends 137 reconcile
echo clear >"$GPUPART_ROOT/gpusim-control"
gp_ends 0 reconcile
expect vdi-1 running
state_is vdi-2 paused || fail "vdi-2 is $(virsh domstate vdi-2), though its owner had paused it"
expect "" jq -r '.owed[]?.name' state/owed.json
expect 2 inventory '.gpus[] | select(.id == "slot5") | .count'
[ -n "$(partition vdi-2)" ] || fail "vdi-2 has no partition for its next start"
converged
