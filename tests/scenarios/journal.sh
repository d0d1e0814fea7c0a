# Drift stands in the journal with its fields, `journalctl -x` explains it, and `drift` and `report` tell it from a change.
# bed: --mock --sim ../sim/hosts/two-a2.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"

# field NAME EVENT: that field of each of gpupart's entries of that event, in order.
field() {
    journal "select(.GPUPART_EVENT == \"$2\") | .$1"
}

repository
cp -r "$(dirname "$0")"/../../examples/demo/clusters fleet/
# Drift is only told, so that it stays to be looked at.
sed -i 's/onDrift: .*/onDrift: {none: report, vm: report, gpu: report, host: report}/' fleet/clusters/demo/cluster.yaml
commit "four partitions each"
for n in 1 2 3 4 5 6 7 8; do
    bed-domain "vdi-0$n" --define
done
gp_ends 0 reconcile
commit=$(git -C fleet rev-parse HEAD)
expect "" field MESSAGE drift-found
gp_ends 0 drift

# Each entry of that pass says who, where and why.
expect "" journal 'select(.GPUPART_EVENT == null or .GPUPART_HOST != "demo" or .PRIORITY == null or .MESSAGE_ID == null)'
expect "$commit" sort -u < <(journal 'select(.GPUPART_EVENT == "step-done") | .GPUPART_COMMIT')
expect "" uniq -d < <(journal .MESSAGE | sort)
[ "$(journal 'select(.GPUPART_EVENT | startswith("step")) | .GPUPART_PLAN' | sort -u | wc -l)" = 1 ] ||
    fail "the steps of one pass have several plans"

# Somebody takes a partition away by hand, and a VM's from its definition.
vf=$(inventory '.gpus[] | select(.id == "slot5") | .partitions[3].address')
index=$(inventory '.gpus[] | select(.id == "slot5") | .partitions[3].vm')
echo 0 >"$GPUPART_ROOT/sys/bus/pci/devices/$vf/nvidia/current_vgpu_type"
gp_ends 2 drift
grep -q 'slot5' out || fail "drift does not name the GPU: $(cat out)"
expect "" field MESSAGE drift-found
gp_ends 0 reconcile
expect "1" jq -s length <(journal 'select(.GPUPART_EVENT == "drift-found" and .GPUPART_GPU == "slot5")')
entry=$(journal 'select(.GPUPART_EVENT == "drift-found" and .GPUPART_GPU == "slot5") | tojson')
for want in 'GPUPART_RULE:GP-D80' 'GPUPART_BEFORE:.' 'GPUPART_AFTER:.' 'GPUPART_CLUSTER:demo' 'GPUPART_HOST:demo' \
    "GPUPART_COMMIT:$commit" 'MESSAGE:slot5' 'MESSAGE_ID:[0-9a-f]{32}' 'PRIORITY:[0-5]'; do
    jq -e --arg f "${want%%:*}" --arg w "${want#*:}" '.[$f] | test($w)' <<<"$entry" >/dev/null ||
        fail "$want is not in $entry"
done
# By field, as an operator looks for it; and what it means, and what to do.
journalctl -q --no-pager -o cat SYSLOG_IDENTIFIER=gpupart GPUPART_EVENT=drift-found GPUPART_GPU=slot5 | grep -q drifted ||
    fail "the journal does not find it by its fields"
journalctl -q --no-pager -x SYSLOG_IDENTIFIER=gpupart GPUPART_EVENT=drift-found GPUPART_GPU=slot5 >explained
grep -q 'Subject: Drift on demo' explained || fail "no explanation: $(cat explained)"
grep -q 'gpupart drift' explained || fail "the explanation does not say what to do: $(cat explained)"
if grep -q '@GPUPART_' explained; then
    fail "the explanation names fields that the entry has not: $(cat explained)"
fi

# Nothing was repaired, and a second pass does not tell it again.
gp_ends 0 reconcile
expect "1" jq -s length <(journal 'select(.GPUPART_EVENT == "drift-found" and .GPUPART_GPU == "slot5")')
expect "3" inventory '.gpus[] | select(.id == "slot5") | .count'

# A change beside it: each is told as what it is.
sed -i "/name: $index\$/d" fleet/clusters/demo/bindings.yaml
sed -i '/name: vdi-01$/d' fleet/clusters/demo/bindings.yaml
commit "two bindings less"
gp_ends 2 plan --detailed-exitcode --format json
jq -e '.drift | any(.object == "gpu/slot5")' out >/dev/null || fail "the plan does not have the drift: $(cat out)"
jq -e '.changes | any(.object == "vm/vdi-01")' out >/dev/null || fail "the plan does not have the change: $(cat out)"
jq -e '.drift | all(.object != "vm/vdi-01")' out >/dev/null || fail "the change is told as drift: $(cat out)"
jq -e '.changes | all(.object != "gpu/slot5")' out >/dev/null || fail "the drift is told as a change: $(cat out)"
gp_ends 0 report
grep -qi 'drift' out || fail "the report does not tell the drift: $(cat out)"
grep -q 'vdi-01' out || fail "the report does not tell the change: $(cat out)"

# It is made good by hand: that is told too.
echo 746 >"$GPUPART_ROOT/sys/bus/pci/devices/$vf/nvidia/current_vgpu_type"
gp_ends 0 reconcile
expect "1" jq -s length <(journal 'select(.GPUPART_EVENT == "drift-cleared" and .GPUPART_GPU == "slot5")')
gp_ends 0 drift
converged
