# GPUs that somebody partitioned otherwise than git says: they are reshaped the first time only with approval or with
# `takeover: true`, and until then nothing is.
# bed: --mock --sim ../sim/hosts/two-xe.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"
. "$(dirname "$0")/by-hand.bash"
export SUDO_USER=grace

counts() {
    inventory '[.gpus[].count] | join(" ")'
}

# untouched: nothing was written to the kernel, no definition changed, everybody runs.
untouched() {
    expect "" cat "$GPUPART_ROOT/gpusim-log"
    expect "$before" definitions vdi-{1..3} hand-made
    expect "hand-made vdi-1" running
}

repository
cut_by_hand 0000:03:00.0 2
cut_by_hand 0000:04:00.0 3
bed-domain vdi-1 --start
bed-domain vdi-2 --define
bed-domain vdi-3 --define
bed-domain hand-made --hostdev "$(vf 0000:04:00.0 1)" --start
before=$(definitions vdi-{1..3} hand-made)
echo clear-log >"$GPUPART_ROOT/gpusim-control"

POOL='    - {name: other, mode: partitioned, match: {vendor: intel}, select: {slots: ["5"]}, partitions: {count: 4}}'
declare_pool 4 vdi-{1..3}
commit "four each"
gp_ends 0 plan
grep -q "GP-E503.*slot3 is 'partitioned 2' already, not 'partitioned 4': pool 'vdi' needs 'takeover: true', or 'gpupart approve gpu/slot3" \
    out || fail "what it takes is not told: $(cat out)"
gp_ends 4 reconcile
untouched
gp_ends 0 status
grep -q "^gpu/slot3 .*Blocked.*GP-E503" out || fail "the status hides it: $(cat out)"
gp_ends 4 reconcile
untouched
expect 1 jq -s length <(journal 'select(.GPUPART_RULE == "GP-E503" and .GPUPART_GPU == "slot3")')

# ---- with approval: of this one ----
gp_ends 0 approve gpu/slot3 --for 1h --reason "it was mine"
gp_ends 4 reconcile
expect "4 3" counts
expect "hand-made vdi-1" running
for vm in vdi-{1..3}; do
    [ -n "$(partition "$vm")" ] || fail "$vm has no partition"
done
gp_ends 4 reconcile
grep -q 'nothing to do now, 1 blocked' out || fail "the other GPU is changed, too: $(cat out)"

# ---- with takeover: of the other one, though not under a guest that nobody bound ----
hand_made=$(definitions hand-made)
writes=$(wc -l <"$GPUPART_ROOT/gpusim-log")
POOL=${POOL/count: 4\}/count: 4\}, takeover: true}
declare_pool 4 vdi-{1..3}
commit "and that one"
gp_ends 4 reconcile
grep -q "GP-E206: slot5 is not changed: slot5/1 belongs to VM 'hand-made', which no binding names" out ||
    fail "whose it is is not told: $(cat out)"
expect "$writes" wc -l <"$GPUPART_ROOT/gpusim-log"
expect "$hand_made" definitions hand-made
expect "hand-made vdi-1" running
# Its owner gives it up.
virsh -q destroy hand-made >/dev/null
virsh -q undefine hand-made
expect 1 held
gp_ends 0 reconcile
expect "4 4" counts
converged
