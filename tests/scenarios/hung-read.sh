# An attribute whose read never comes back: the GPU is told to be unknown within the deadline, nothing that hangs on it is
# begun, and the process ends and is gone, as a service manager waits for it. What waits in the kernel stays behind, holds
# nobody up, and goes when the kernel answers; the pass after that does what was to be done.
# bed: --mock --sim ../sim/hosts/two-xe.yaml
. "$(dirname "$0")/story.bash"

# readers: how many wait in the kernel; nothing else of the program may be left.
readers() {
    local others
    others=$(ps -e -o comm= | grep -v '^gpupart-read' | grep '^gpupart' || :)
    [ -z "$others" ] || fail "this is left of the program: $others"
    ps -e -o comm= | grep -c '^gpupart-read' || :
}

no_reader() {
    [ "$(readers)" -eq 0 ]
}

# ends_in_time STATUS ARGUMENT…: as gp_ends. Whoever waits for the process itself and whoever waits for the end of what it
# prints are both held up by nothing.
ends_in_time() {
    local want=$1
    shift
    export -f gp
    timeout -s KILL 120 bash -c '{ have=0; gp "$@" || have=$?; echo "status $have"; } 2>&1 | cat' gp "$@" >out ||
        fail "gpupart $* did not end: $(cat out)"
    [ "$(tail -n 1 out)" = "status $want" ] || fail "gpupart $* while a read hangs: not status $want: $(cat out)"
}

repository
desktops 2 20s "vdi-1"
commit "two partitions"
bed-domain vdi-1 --define
no_reader || fail "something runs already"

echo 'hang-read 0000:04:00.0/sriov_totalvfs' >"$GPUPART_ROOT/gpusim-control"
ends_in_time 7 inventory
grep -q 'Unknown: .*sriov_totalvfs: the kernel did not come back' out || fail "not told: $(cat out)"
grep -q '0000:03:00.0' out || fail "the other GPU is not told of: $(cat out)"
expect 1 readers
ends_in_time 7 reconcile
grep -q 'GP-E506.*sriov_totalvfs: the kernel did not come back' out || fail "not told: $(cat out)"
expect 2 readers

echo unhang >"$GPUPART_ROOT/gpusim-control"
soon 20 no_reader
[ -z "$(cat "$GPUPART_ROOT/gpusim-log")" ] || fail "something was written: $(cat "$GPUPART_ROOT/gpusim-log")"
gp_ends 0 reconcile
no_reader || fail "a reader outlives its pass"
converged
[ -n "$(partition vdi-1)" ] || fail "vdi-1 has no partition"
