# The repository in the state directory is brought up to date by one at a time: a pass waits for somebody who looks, and
# somebody who looks waits for nobody, and knows what is in it. What is asked of another repository never gets into it, nor is
# it judged by it.
# bed: --mock --sim ../sim/hosts/two-a2.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"
. "$(dirname "$0")/held.bash"

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
# It is at the repository's lock, as the one who holds it, and has not begun anything.
at_lock() {
    [ "$(find /proc/[0-9]*/fd -lname '*/state/git.lock' 2>/dev/null | wc -l)" -eq 2 ]
}
soon 20 at_lock
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
# Nothing that this host follows says anything of it: neither what it verified nor where it began.
git -C other checkout -q -b change HEAD~2
git -C other branch -q -D main
gp_ends 0 plan --git "file://$HOME/other" --ref refs/heads/change
sed -i 's/count: 4/count: lots/' other/clusters/demo/cluster.yaml
git -C other commit -q -a -m "a mistake, and begun before what is verified"
gp_ends 3 plan --git "file://$HOME/other" --ref refs/heads/change
grep -q 'cluster.yaml:13:27: GP-E007: .*lots' err || fail "the place of the mistake is not told: $(cat out err)"
cp agent.yaml unfloored.yaml
sed -i "s/mode: none/mode: none, floor: $(git -C fleet rev-parse HEAD)/" agent.yaml
gp_ends 3 plan --git "file://$HOME/other" --ref refs/heads/change
git -C other branch -q -f older HEAD~
gp_ends 0 plan --git "file://$HOME/other" --ref refs/heads/older
mv unfloored.yaml agent.yaml
expect "$before" mirror

echo "somebody who may only read"
chmod -R a+rX "$HOME" state
cp -r state readable
setpriv --reuid 65534 --regid 65534 --clear-groups -- gpupart --root "$GPUPART_ROOT" --config "$HOME/agent.yaml" --state readable \
    --connect "$LIBVIRT_URI" status >out 2>err || fail "status: $(cat out err)"
grep -q "commit $(git -C fleet rev-parse HEAD | cut -c1-12)" out || fail "the commit is not told: $(cat out)"
! grep -q 'cannot be told' err || fail "what is wanted is not known: $(cat err)"

# looks STATUS: whoever may only read, and whoever comes while somebody else fetches, plan with what is in out, and end so.
looks() {
    local have=0
    gp_ends "$1" plan
    cp out held.out
    # shellcheck disable=SC2024
    setpriv --reuid 65534 --regid 65534 --clear-groups -- gpupart --root "$GPUPART_ROOT" --config "$HOME/agent.yaml" --state readable \
        --connect "$LIBVIRT_URI" plan >out 2>err || have=$?
    expect "$1" echo "$have"
    expect "" find /tmp -maxdepth 1 -name 'gpupart-*'
}
# tells PATTERN: both were told so.
tells() {
    grep -q "$1" out && grep -q "$1" held.out || fail "'$1' is not told: $(cat out err held.out)"
}

echo "whoever looks without the repository of this host sees what a pass would see"
head=$(git -C fleet rev-parse HEAD)
hold
mv fleet silent
looks 7
tells "^git is stale: .*$HOME/fleet"
tells "at ${head::12}"
mv silent fleet
git -C fleet reset -q --hard HEAD~
looks 7
tells "^git is stale: .*it lags behind"
tells "at ${head::12}"
git -C fleet commit -q --allow-empty -m "another history"
looks 4
tells "^the head is refused: GP-E403: commit $(git -C fleet rev-parse HEAD | cut -c1-12), the head at .*, does not descend"
tells "at ${head::12}"
git -C fleet reset -q --hard "$head"
looks 0
let_go
# It cannot be read by everybody.
chmod -R go-rwx readable/git
git -C fleet commit -q --amend --allow-empty -m "another history"
looks 4
grep -q "GP-E403: .*does not descend" err || fail "why the head is refused is not told: $(cat out err)"

echo "a remote that cannot be asked, behind one that answers"
git -C fleet reset -q --hard "$head"
cp agent.yaml agent.good
sed -i 's|^    remotes: .*|    remotes: [{url: "file://'"$HOME"'/fleet"}, {url: "https://ada:pa/ss@git.example.org/fleet.git"}]|' agent.yaml
gp_ends 0 reconcile
gp_ends 0 reconcile --boot
gp_ends 3 validate agent.yaml
if grep -q 'pa/ss' out err; then
    fail "a password is told: $(cat out err)"
fi
mv fleet silent
gp_ends 7 reconcile
grep -q "https://\*\*\*@git.example.org" out err || fail "it is not told that it cannot be asked: $(cat out err)"
if grep -q 'pa/ss' out err; then
    fail "a password is told: $(cat out err)"
fi
