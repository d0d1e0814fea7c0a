# What an operator meets: for each, the exit status, what is said, and that nothing was changed or stopped by it.
# bed: --mock --proxy --sim ../sim/hosts/two-a2.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"

guests=(vdi-0{1..8})
condition() {
    gp status --format json | jq -r --arg type "$1" '[.. | objects | select(.type? == $type)] | length'
}
# refusals RULE: how many entries of the journal tell that something was refused by it.
refusals() {
    journal 'select(.GPUPART_EVENT == "refused" and .GPUPART_RULE == "'"$1"'") | .MESSAGE' | wc -l
}
# unchanged WHAT: kernel, definitions and power are as they were before the error.
unchanged() {
    expect "$writes" wc -l <"$GPUPART_ROOT/gpusim-log"
    [ "$definitions" = "$(for vm in "${guests[@]}"; do virsh dumpxml --inactive --security-info "$vm"; done)" ] ||
        fail "$1: a definition changed"
    expect "$ran" running
}

demo_fleet

# Before anything was ever applied: an invalid commit has nothing to fall back on.
sed -i 's/count: 4/count: lots/' fleet/clusters/demo/cluster.yaml
commit "invalid from the start"
gp_ends 3 reconcile
grep -q 'cluster.yaml:13:27: GP-E007: .*lots' err ||
    fail "the place of the mistake is not told: $(cat out err)"
expect 0 wc -l <"$GPUPART_ROOT/gpusim-log"
# It is told where others look, and once.
expect 1 refusals GP-E007
gp_ends 2 status --exit-code
grep -q '^host is CommitRefused since .*: the head is refused, what is applied is kept: .*cluster.yaml:13:27: GP-E007' out ||
    fail "status does not tell the refused commit: $(cat out)"
gp_ends 3 reconcile
expect 1 refusals GP-E007

git -C fleet revert -n HEAD
commit "valid"
gp_ends 0 reconcile
expect 0 condition CommitRefused
good=$(git -C fleet rev-parse HEAD)
start vdi-0{1,2,3}
expect 3 held
converged
writes=$(wc -l <"$GPUPART_ROOT/gpusim-log")
definitions=$(for vm in "${guests[@]}"; do virsh dumpxml --inactive --security-info "$vm"; done)
ran=$(running)

echo "an invalid commit: the last good one is kept, and the findings are told"
sed -i 's/count: 4/count: 5/; s/mode: partitioned/mode: partitoned/' fleet/clusters/demo/cluster.yaml
commit "a wrong word"
gp_ends 3 reconcile
cat out err >said
grep -q "cluster.yaml:11:13: .*partitoned" said || fail "the place of the mistake is not told: $(cat said)"
grep -q "did you mean.*partitioned\|'partitioned'" said || fail "the right word is not told: $(cat said)"
expect 1 jq -s length <(journal 'select(.GPUPART_EVENT == "refused" and .GPUPART_COMMIT == "'"$good"'")')
expect 2 refusals GP-E007
gp_ends 3 reconcile
expect 2 refusals GP-E007
gp_ends 2 status --exit-code
gp_ends 0 status
grep -q CommitRefused out || fail "status does not tell the refused commit: $(cat out)"
unchanged "an invalid commit"
git -C fleet revert -n HEAD
commit "right again"
converged

echo "git is not there: what is applied is kept, GitStale"
mv fleet elsewhere
gp_ends 7 reconcile
unchanged "git away"
gp_ends 2 status --exit-code
gp_ends 0 status
grep -q GitStale out || fail "status does not tell that git is stale: $(cat out)"
mv elsewhere fleet
converged
gp_ends 0 status --exit-code
! grep -q GitStale out || fail "status still tells that git is stale: $(cat out)"

echo "a branch that was rewound, and one that was rewritten"
head=$(git -C fleet rev-parse HEAD)
git -C fleet reset -q --hard HEAD~2
# An ancestor may be a mirror that lags.
status=0
gp reconcile >out 2>err || status=$?
case $status in 0 | 7) ;; *) fail "an ancestor: status $status: $(cat out err)" ;; esac
unchanged "an ancestor"
echo "# another history" >>fleet/clusters/demo/cluster.yaml
commit "another history"
gp_ends 4 reconcile
expect 1 refusals GP-E403
cat out err | grep -q 'GP-E403' || fail "the rule is not named: $(cat out err)"
cat out err | grep -q "gpupart trust --reset-to $(git -C fleet rev-parse HEAD)" || fail "the way out is not told: $(cat out err)"
unchanged "a rewritten branch"
gp_ends 0 trust
grep -qx "newest verified commit: $head, since .*" out || fail "trust does not tell the newest verified commit: $(cat out)"
gp_ends 64 trust --reset-to "$(git -C fleet rev-parse HEAD)"
gp_ends 64 trust --reset-to HEAD --reason "I rewrote it"
gp_ends 0 trust --reset-to "$(git -C fleet rev-parse HEAD)" --reason "I rewrote it"
converged
# And back, by the same way.
gp_ends 0 trust --reset-to "$head" --reason "as it was"
git -C fleet reset -q --hard "$head"
converged

echo "who may sign cannot be told: a new head is not judged, and what is applied is kept"
cp agent.yaml anybody.yaml
sed -i "s|mode: none|mode: ssh, allowedSigners: $HOME/gone|" agent.yaml
commit "another head" --allow-empty
gp_ends 78 reconcile
gp_ends 78 reconcile
unchanged "no allowed signers"
expect 1 jq -s length <(journal 'select(.GPUPART_EVENT == "refused" and (.MESSAGE | test("gone")))')
gp_ends 2 status --exit-code
grep -q "^host is Degraded since .*: the pass ended before it had a plan, what is applied is kept: .*$HOME/gone" out ||
    fail "status does not tell why the pass ended: $(cat out)"
mv anybody.yaml agent.yaml
converged
gp_ends 0 status --exit-code

echo "a plan that is another by now"
sed -i 's/count: 4/count: 2/; ' fleet/clusters/demo/cluster.yaml
sed -i '/vdi-0[678]/d' fleet/clusters/demo/bindings.yaml
commit "two"
gp_ends 0 plan --format json
id=$(jq -r .id out)
virsh -q start vdi-05 >/dev/null
expect 4 held
ran=$(running)
gp_ends 4 apply --plan "$id"
cat out err | grep -q 'GP-E504' || fail "the rule is not named: $(cat out err)"
unchanged "a changed plan"
git -C fleet revert -n HEAD
commit "four after all"
converged

echo "a commit that removes most bindings"
sed -i '/vdi-0[1-7]/d' fleet/clusters/demo/bindings.yaml
commit "oops"
gp_ends 4 reconcile
cat out err | grep -q 'GP-E311.*Gpupart-Allow-Removal: 7' || fail "the guard does not say what to do: $(cat out err)"
unchanged "mass removal"
# The whole repository emptied.
git -C fleet rm -q -r clusters
commit "oops, all of it"
gp_ends 4 reconcile
expect 1 refusals GP-E404
unchanged "an emptied repository"
git -C fleet revert -n HEAD HEAD~1
commit "all back"
converged

echo "another pass is at it"
echo 'hold list-domains' >"$BED/proxy.control"
calls=$(grep -c list-domains "$BED/proxy.log")
gp reconcile >slow 2>&1 &
slow=$!
looks() {
    [ "$(grep -c list-domains "$BED/proxy.log")" -gt "$calls" ]
}
soon 5 looks
gp_ends 8 reconcile
grep -q "pid [0-9]* since 20" err || fail "who is at it is not said: $(cat err)"
: >"$BED/proxy.control"
wait "$slow" || fail "the first pass was disturbed: $(cat slow)"
unchanged "a locked pass"
converged

echo "libvirtd does not answer: every call fails"
sed -i 's/count: 4/count: 2/; ' fleet/clusters/demo/cluster.yaml
sed -i '/vdi-0[678]/d' fleet/clusters/demo/bindings.yaml
commit "two, with libvirtd gone"
echo 'fail *' >"$BED/proxy.control"
gp_ends 7 reconcile
: >"$BED/proxy.control"
unchanged "libvirtd gone"
git -C fleet revert -n HEAD
commit "four again"
converged

echo "a state directory that cannot be written"
rm -rf readonly
mkdir readonly
mount -t tmpfs -o ro none readonly
status=0
gpupart --root "$GPUPART_ROOT" --simulate --connect "$LIBVIRT_URI" --config "$HOME/agent.yaml" --state "$HOME/readonly" \
    reconcile >out 2>err || status=$?
[ "$status" -eq 1 ] || [ "$status" -eq 77 ] || fail "an unwritable state directory: status $status: $(cat out err)"
grep -q readonly err || fail "the directory is not named: $(cat err)"
umount readonly
unchanged "an unwritable state directory"
