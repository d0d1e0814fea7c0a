# What ends a change in its midst: a step that fails, an operator's TERM. What was begun is taken back; what failed waits
# before it is tried again at this commit, what was ended does not.
# bed: --mock --proxy --sim ../sim/hosts/two-xe.yaml --sim-option --time-scale=0.02
. "$(dirname "$0")/story.bash"

# count N: that many partitions, from now on.
count() {
    desktops "$1" 60s "vdi-1, vdi-2, vdi-3"
    commit "$1 partitions"
}
# ends STATUS COUNT RUNNING: the next pass ends so, with so many partitions, and these run.
ends() {
    gp_ends "$1" reconcile
    is "$2" "$3"
}
is() {
    expect "$1" inventory '.gpus[] | select(.id == "slot5") | .count'
    expect "$2" running
    expect "" ls state/records
    expect 0 jq '.owed // [] | length' state/owed.json
    expect "" ls state/run/holds
}
# begins: a pass; $pass is its process.
begins() {
    gp reconcile >out 2>err &
    soon 60 state_is vdi-1 'shut off'
    pass=$(sed -n 's/^pass\t\([0-9]*\).*/\1/p' state/run/holds/* | sort -u)
}
# hangs: a pass that hangs in its first write.
hangs() {
    echo clear-log >"$GPUPART_ROOT/gpusim-control"
    echo 'hang */sriov_numvfs' >"$GPUPART_ROOT/gpusim-control"
    begins
    soon 60 grep -q ' pending .*/sriov_numvfs' "$GPUPART_ROOT/gpusim-log"
}
# ended STATUS: it has ended so.
ended() {
    local status=0
    wait $! || status=$?
    [ $status = "$1" ] || fail "the pass ended with $status, not $1: $(cat out err)"
}

repository
count 4
for vm in vdi-{1..3}; do
    bed-domain "$vm" --define
done
gp_ends 0 reconcile
start vdi-1 vdi-2
expect 2 held
converged

echo "a step fails: no guest is stopped for it again in the next pass"
count 3
echo 'fail */sriov_numvfs 2 EIO' >"$GPUPART_ROOT/gpusim-control"
ends 5 4 "vdi-1 vdi-2"
echo clear >"$GPUPART_ROOT/gpusim-control"
stops=$(journal 'select(.GPUPART_EVENT == "step-start") | .MESSAGE' | grep -c '^stop-vm')
[ "$stops" -gt 0 ] || fail "no guest was stopped at all"
ends 0 4 "vdi-1 vdi-2"
grep -q 'it failed 1 time at this commit and is tried again after' out || fail "why it waits is not told: $(cat out)"
expect "$stops" eval "journal 'select(.GPUPART_EVENT == \"step-start\") | .MESSAGE' | grep -c '^stop-vm'"

echo "an operator ends the pass: no new step is begun, and the next pass may do it"
count 5
hangs
kill -TERM "$pass"
echo unhang >"$GPUPART_ROOT/gpusim-control"
ended 5
grep -q 'no new step is begun' err || fail "it is not told that it was ended: $(cat err)"
is 4 "vdi-1 vdi-2"
ends 0 5 "vdi-1 vdi-2"
