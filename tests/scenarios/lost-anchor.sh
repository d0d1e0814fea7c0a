# The newest verified commit is what a rewritten history is told by. Where its file is corrupt or gone, no head is believed:
# what is applied is kept, what was begun is taken back and who is owed a start gets it, until somebody says what to follow.
# bed: --mock --sim ../sim/hosts/two-a2.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"

demo_fleet
gp_ends 0 reconcile
start vdi-0{1..5}
expect 5 held
converged
head=$(git -C fleet rev-parse HEAD)
cp -r state whole
writes() {
    wc -l <"$GPUPART_ROOT/gpusim-log"
}
# refuses WHY: a pass does so, saying exactly this, and writes nothing.
refuses() {
    local before
    before=$(writes)
    gp_ends 4 reconcile
    cat out err | grep -qxF "the head is refused: GP-E403: the newest verified commit is not known: $1. So no head can be told from \
a rewritten history. Put back the file as it was, or say which commit to go on from (look at it first: the head is ${other::12}): \
gpupart trust --reset-to $other --reason \"...\"" || fail "not told: $(cat out err)"
    expect "$before" writes
    expect 4,4 inventory '[.gpus[].count] | join(",")'
}

echo "another history, which wants something else"
git -C fleet checkout -q --orphan other
sed -i 's/count: 4/count: 2/' fleet/clusters/demo/cluster.yaml
sed -i '/vdi-0[5678]/d' fleet/clusters/demo/bindings.yaml
commit "another beginning

Gpupart-Allow-Removal: 4"
git -C fleet branch -q -M other main
other=$(git -C fleet rev-parse HEAD)
file=$HOME/state/verified.json
for row in "empty|line 1: .*" "short|line .*" "alien|it has no formatVersion" "flipped|entry 'newest'.*'commit' is not a full commit id" "gone|"; do
    how=${row%%|*}
    rm -rf state
    cp -r whole state
    case $how in
    empty) : >"$file" ;;
    short) truncate -s $(($(stat -c %s "$file") / 2)) "$file" ;;
    alien) echo '{"formatVersion": "99.0"}' >"$file" ;;
    flipped) sed -i 's/"commit": "./"commit": "Z/' "$file" ;;
    gone) rm "$file" ;;
    esac
    if [ "$how" = gone ]; then
        refuses "$file is gone or empty, though applied.json tells of commit ${head::12}"
        refuses "$file is gone or empty, though applied.json tells of commit ${head::12}"
        continue
    fi
    cp "$file" nonsense
    # Whoever only looks is told as well, and renames nothing.
    gp_ends 4 plan
    grep -q "^the head is refused: GP-E403: .*$file is corrupt (${row#*|})" out || fail "$how: plan does not tell: $(cat out err)"
    cmp nonsense "$file" || fail "$how: whoever only looks changed the file"
    why=$(sed -n "s|^gpupart: warning: $file is corrupt (\(.*\)): no head is believed\$|\1|p" err)
    refuses "$file is corrupt ($why)"
    grep -qxF "gpupart: warning: $file is corrupt ($why): no head is believed, kept aside with the ending .corrupt" err ||
        fail "$how: not told: $(cat err)"
    cmp nonsense "$file.corrupt" || fail "$how: not kept aside"
    refuses "$file was corrupt and is kept aside with the ending .corrupt"
done
# Nor by losing what tells that something was applied, too.
rm -rf state
cp -r whole state
: >"$file"
gp_ends 4 reconcile
rm state/applied.json
refuses "$file was corrupt and is kept aside with the ending .corrupt"

echo "what else is told"
gp_ends 4 status
grep -q "^host demo, cluster none, commit not known\$" out || fail "status tells a commit: $(cat out)"
grep -q '^host is CommitRefused since .*: the head is refused, what is applied is kept: GP-E403' out || fail "status: $(cat out)"
grep -q 'what is wanted cannot be told: GP-E403' err || fail "status does not warn: $(cat err)"
! grep -q NotDeclared out || fail "status blames the declaration: $(cat out)"
gp_ends 0 trust
grep -qx "newest verified commit: not known: $file was corrupt and is kept aside with the ending .corrupt" out || fail "$(cat out)"
# Once, not in each pass.
told=$(journal 'select(.GPUPART_EVENT == "refused") | .MESSAGE')
grep -q 'CommitRefused.*was corrupt and is kept aside' <<<"$told" || fail "the journal does not tell: $told"
gp_ends 4 reconcile
expect "$told" journal 'select(.GPUPART_EVENT == "refused") | .MESSAGE'

echo "whoever is owed a start gets it"
rm -rf state
cp -r whole state
rm "$file"
virsh -q destroy vdi-02 >/dev/null
expect 4 held
jq -n --arg id "$(virsh domuuid vdi-02 | head -n 1)" \
    '{formatVersion: 1, owed: {($id): {name: "vdi-02", untilUs: 9007199254740991}}}' >state/owed.json
gp_ends 4 reconcile
expect "vdi-01 vdi-02 vdi-03 vdi-04 vdi-05" running
expect '{}' jq -c .owed state/owed.json

echo "what was begun is taken back"
rm -rf state
cp -r whole state
gp_ends 4 plan # brings the head, which is refused
gp_ends 0 trust --reset-to "$other" --reason "another beginning"
echo clear-log >"$GPUPART_ROOT/gpusim-control"
echo kill-after 1 >"$GPUPART_ROOT/gpusim-control"
gp_ends 137 reconcile
echo clear >"$GPUPART_ROOT/gpusim-control"
[ "$(running)" != "vdi-01 vdi-02 vdi-03 vdi-04 vdi-05" ] || fail "nothing was begun"
rm "$file" state/applied.json
gp_ends 5 reconcile
expect "vdi-01 vdi-02 vdi-03 vdi-04 vdi-05" running
expect 4,4 inventory '[.gpus[].count] | join(",")'
[ -z "$(ls state/records)" ] || fail "a record is left: $(ls state/records)"

echo "a record alone tells that there was a commit"
rm -rf state
cp -r whole state
gp_ends 4 plan # brings the head, which is refused
gp_ends 0 trust --reset-to "$other" --reason "another beginning"
echo clear-log >"$GPUPART_ROOT/gpusim-control"
echo kill-after 1 >"$GPUPART_ROOT/gpusim-control"
gp_ends 137 reconcile
echo clear >"$GPUPART_ROOT/gpusim-control"
rm "$file" state/applied.json
gp_ends 4 plan
grep -qF "$file is gone or empty, though a set of a commit was begun (records/)" out || fail "not told: $(cat out)"
gp_ends 5 reconcile

echo "the file is put back: the other history is told from it again"
rm -rf state
cp -r whole state
echo nonsense >"$file"
gp_ends 4 reconcile
cp whole/verified.json "$file"
gp_ends 4 reconcile
grep -q "GP-E403: commit ${other::12}, the head .*, does not descend from the newest verified commit ${head::12}" out ||
    fail "not told: $(cat out err)"

echo "or a person says what to follow"
echo nonsense >"$file"
gp_ends 4 reconcile
gp_ends 0 trust --reset-to "$other" --reason "looked at it"
grep -q "^the newest verified commit is ${other::12} now, not unknown, says .*: looked at it\$" out || fail "trust: $(cat out)"
gp_ends 0 reconcile
expect 2,2 inventory '[.gpus[].count] | join(",")'
converged

echo "a host that never followed git may begin"
rm -rf state
gp_ends 0 reconcile --dir fleet/clusters
gp_ends 0 reconcile
converged
expect "$other" jq -r .verified.newest.commit "$file"
