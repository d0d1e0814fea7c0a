# Somebody has the lock of the repository in the state directory and keeps it: a pass does what the newest verified commit says,
# and tells that it is stale. Nobody's hung fetch keeps a host without passes.
# bed: --mock --sim ../sim/hosts/two-a2.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"
. "$(dirname "$0")/held.bash"

demo_fleet
gp_ends 0 reconcile
converged
kept=$(git -C fleet rev-parse HEAD)
commit "a commit that nobody can get" --allow-empty

echo "a guest's partition is taken away by hand while the repository is held"
vf=$(inventory '.gpus[] | select(.id == "slot5") | .partitions[3].address')
echo 0 >"$GPUPART_ROOT/sys/bus/pci/devices/$vf/nvidia/current_vgpu_type"
hold
gp_ends 7 reconcile
grep -q "^git is stale: somebody else still brings the repository $HOME/state/git up to date after 60 s\$" out ||
    fail "not told: $(cat out err)"
expect 1 jq -s length <(journal 'select(.GPUPART_EVENT == "drift-found" and .GPUPART_GPU == "slot5")')
expect 1 jq -s length <(journal 'select(.GPUPART_EVENT == "git-stale" and .GPUPART_COMMIT == "'"$kept"'")')
gp_ends 0 status
grep -q "^host is GitStale since .*: git could not be asked, what is applied is kept: somebody else still brings" out ||
    fail "status does not tell: $(cat out)"
expect 4,4 inventory '[.gpus[].count] | join(",")'

echo "it is let go"
let_go
gp_ends 0 reconcile
gp_ends 0 status --exit-code
! grep -q GitStale out || fail "status still tells that git is stale: $(cat out)"
expect "$(git -C fleet rev-parse HEAD)" jq -r .verified.newest.commit state/verified.json
