# The repository in the state directory is brought up to date by one at a time: a pass waits for somebody who looks, and
# somebody who looks waits for nobody. What is asked of another repository never gets into it.
# bed: --mock --sim ../sim/hosts/two-a2.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"

# hold: somebody brings the repository up to date until `let_go`.
hold() {
    rm -f held
    python3 -c '
import fcntl, os, struct, sys, time
F_OFD_SETLK = 37
fd = os.open("state/git.lock", os.O_RDWR | os.O_CREAT)
fcntl.fcntl(fd, F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
open("held", "w").close()
time.sleep(3600)' &
    holder=$!
    soon 10 test -e held
}
let_go() {
    kill "$holder"
    wait "$holder" || :
}
mirror() {
    find state/git -type f -printf '%P %s %i\n' | sort
}

demo_fleet
gp_ends 0 reconcile
converged

echo "somebody looks while a pass fetches"
sed -i 's/count: 4/count: 2/' fleet/clusters/demo/cluster.yaml
commit "two partitions each"
before=$(mirror)
hold
gp_ends 2 plan --detailed-exitcode
grep -q '2 GPUs change' out || fail "the head was not looked at: $(cat out)"
expect "$before" mirror
gp_ends 0 status
expect "" find /tmp -maxdepth 1 -name 'gpupart-*'

echo "a pass waits for somebody who looks"
gp reconcile >out 2>err &
pass=$!
# It has the lock of passes by then, and has not begun anything.
soon 20 grep -q "^pid " state/lock
kill -0 "$pass" || fail "it did not wait: $(cat out err)"
expect "$before" mirror
let_go
wait "$pass" || fail "the pass failed: $(cat out err)"
converged

echo "another repository"
cp -r fleet other
git -C other commit -q --allow-empty -m "another head"
before=$(mirror)
gp_ends 0 plan --git "file://$HOME/other" --ref refs/heads/main
expect "$before" mirror

echo "somebody who may only read"
chmod -R a+rX "$HOME" state
cp -r state readable
setpriv --reuid 65534 --regid 65534 --clear-groups -- gpupart --root "$GPUPART_ROOT" --config "$HOME/agent.yaml" --state readable \
    --connect "$LIBVIRT_URI" status >out 2>err || fail "status: $(cat out err)"
grep -q "commit $(git -C fleet rev-parse HEAD | cut -c1-12)" out || fail "the commit is not told: $(cat out)"
! grep -q 'cannot be told' err || fail "what is wanted is not known: $(cat err)"
