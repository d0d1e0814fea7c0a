# A paused host, guest or GPU is left alone until the time given has passed or somebody resumes it; guests that are owed
# a start get it all the same. A plan that waits for a person is done once its id is approved.
# bed: --mock --proxy --sim ../sim/hosts/two-xe.yaml
. "$(dirname "$0")/story.bash"
export SUDO_USER=grace

# pools COUNT [TIMEOUT]: vdi-3, which does not always obey, has this time to stop.
pools() {
    desktops "$1" 60s "vdi-1, vdi-2"
    hasty "${2:-60s}" vdi-3
}

# waits OBJECT: a pass changes nothing, because OBJECT is paused.
waits() {
    local before
    before=$(grep -c numvfs "$GPUPART_ROOT/gpusim-log" || :)
    gp_ends "${2:-0}" reconcile
    grep -q "paused: $1" out || fail "the plan does not say that $1 is paused: $(cat out)"
    expect "$before" grep -c numvfs "$GPUPART_ROOT/gpusim-log"
    expect "vdi-1 vdi-2 vdi-3" running
}

repository
pools 4
commit "four partitions"
for vm in vdi-{1..3}; do
    bed-domain "$vm" --define
done
gp_ends 0 reconcile
start vdi-{1..3}
expect 3 held

# ---- what is no pause ----
gp_ends 64 pause
gp_ends 64 pause --for 2h
gp_ends 64 pause --for 2h --reason " "
gp_ends 64 pause --for 31d --reason "too long"
gp_ends 64 pause --for 2 --reason "no unit"
gp_ends 64 pause vdi-1 --for 2h --reason "no kind"
gp_ends 1 pause gpu/slot9 --for 2h --reason "no such GPU"
grep -q 'gpu/slot5' err || fail "the GPUs that there are should be named: $(cat err)"
gp_ends 1 pause vm/vdi-9 --for 2h --reason "no such VM"
grep -q "did you mean 'vdi-" err || fail "no nearest VM: $(cat err)"
gp_ends 64 approve 1234 --for 2h --reason "no id"
[ ! -e state/pauses.json ] || fail "something was paused"

# ---- host, guest, GPU ----
pools 2
sed -i 's/{name: vdi-3, host: demo}//' fleet/clusters/demo.yaml
commit "two"
gp_ends 2 plan --detailed-exitcode
gp_ends 0 pause --for 2h --reason "the night shift copies disks"
grep -q '^host is paused until .* by grace: the night shift copies disks$' out || fail "what was paused: $(cat out)"
waits host 8
gp_ends 0 status
grep -q 'paused: host until .* by grace: the night shift copies disks' out || fail "the status hides it: $(cat out)"
gp_ends 0 status --format json
expect 'host grace the night shift copies disks' jq -r '.pauses[] | "\(.object) \(.user) \(.reason)"' out
gp_ends 0 pause vm/vdi-2 --for 1h --reason "its user works"
gp_ends 0 resume
waits vm/vdi-2
gp_ends 0 resume vm/vdi-2
gp_ends 0 pause gpu/"$(inventory '.gpus[] | select(.id == "slot5") | .address')" --for 1h --reason "a new riser"
waits gpu/slot5
gp_ends 0 resume gpu/slot5
gp_ends 0 resume gpu/slot5
grep -q 'was not paused' out || fail "it was resumed twice: $(cat out)"
expect '[]' jq -c .pauses <(gp status --format json)
expect 3 jq -s length <(journal 'select(.GPUPART_EVENT == "paused")')
expect 3 jq -s length <(journal 'select(.GPUPART_EVENT == "resumed")')
expect slot5 journal 'select(.GPUPART_EVENT == "paused") | .GPUPART_GPU // empty'
expect vdi-2 journal 'select(.GPUPART_EVENT == "paused") | .GPUPART_VM // empty'

# ---- time ----
gp_ends 0 pause --for 1h --reason "a moment"
waits host 8
# An hour later.
jq --argjson now "$(date +%s)000000" '.pauses.host.untilUs = $now' state/pauses.json >pauses.json
cp pauses.json state/pauses.json
gp_ends 0 reconcile
expect 2 inventory '.gpus[] | select(.id == "slot5") | .count'
expect 1 jq -s length <(journal 'select(.GPUPART_EVENT == "resumed" and (.MESSAGE | contains("time that grace gave")))')
gp_ends 0 pause --for 1h --reason "nothing is to be done"
gp_ends 0 reconcile
gp_ends 0 resume host

# ---- a start that is owed ----
pools 4 2s
commit "four again"
printf 'swallow shutdown vdi-3\nswallow shutdown-flags vdi-3\n' >"$BED/proxy.control"
gp_ends 5 reconcile
: >"$BED/proxy.control"
gp_ends 0 pause --for 1h --reason "nobody may touch it"
virsh -q destroy vdi-3 >/dev/null
expect 2 held
pools 4
commit "once more, so that it would be tried again"
gp_ends 8 reconcile
expect "vdi-1 vdi-2 vdi-3" running
expect 2 inventory '.gpus[] | select(.id == "slot5") | .count'
expect vdi-3 journal 'select(.GPUPART_EVENT == "late-stop") | .GPUPART_VM'
gp_ends 0 resume
gp_ends 0 reconcile
expect 4 inventory '.gpus[] | select(.id == "slot5") | .count'

# ---- approval ----
pools 3
sed -i 's/^  policy:$/&\n    onCommit: {gpu: approve, vm: approve, none: approve}/' fleet/clusters/demo.yaml
commit "three, if somebody says so"
gp_ends 0 reconcile
id=$(sed -n 's/.*gpupart approve \([0-9a-f]*\) --for.*/\1/p' out | head -n 1)
expect 4 inventory '.gpus[] | select(.id == "slot5") | .count'
gp_ends 0 approve 000000000000 --for 1h --reason "another plan"
gp_ends 0 reconcile
expect 4 inventory '.gpus[] | select(.id == "slot5") | .count'
gp_ends 0 approve "$id" --for 1h --reason "seen"
gp_ends 0 status
grep -q "approved: plan $id until .* by grace: seen" out || fail "the status hides the approval: $(cat out)"
gp_ends 0 reconcile
expect 3 inventory '.gpus[] | select(.id == "slot5") | .count'
expect "$id" journal "select(.GPUPART_EVENT == \"approved\" and .GPUPART_PLAN == \"$id\") | .GPUPART_PLAN"

# ---- what came of it all ----
gp_ends 0 history
expect 'applied' tail -n 1 <(jq -r '.results[-1].event' <(gp history --format json))
gp_ends 0 history vm/vdi-2
[ -s out ] || fail "nothing happened to vdi-2"
expect 1 jq '[.results[] | select(.event == "restored")] | length' <(gp history vm/vdi-2 --format json)
expect 0 jq '.results | length' <(gp history gpu/slot9 --format json)
[ "$(gp history gpu/slot5)" = "$(gp history "gpu/$(inventory '.gpus[] | select(.id == "slot5") | .address')")" ] ||
    fail "a GPU's history by its address is another one"
