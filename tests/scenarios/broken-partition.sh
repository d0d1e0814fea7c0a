# One VF of a sound GPU does not take its type: what was begun is taken back, that partition is quarantined, and the next
# pass makes its partitions of the others. A GPU of which none takes its type loses no partition to it.
# bed: --mock --sim ../sim/hosts/two-a2.yaml --sim-option --time-scale=0.01
. "$(dirname "$0")/story.bash"

declare_profile() {
    declare_pools "vdi vdi-*" \
        <<<"{name: vdi, mode: partitioned, match: {model: NVIDIA A2}, select: {slots: [\"3\"]}, partitions: {profile: $1}}"
    commit "${@:2}"
}

quarantined() {
    jq -c '.quarantined | keys' state/quarantined.json 2>/dev/null || echo '[]'
}

repository
for vm in vdi-{1..4}; do
    bed-domain "$vm" --define
done

# ---- the whole GPU refuses ----
declare_profile "NVIDIA A2-4Q" "four"
echo 'fail *current_vgpu_type all EIO' >"$GPUPART_ROOT/gpusim-control"
gp_ends 5 reconcile
expect '[]' quarantined
grep -q 'quarantined' err && fail "a partition is blamed for its GPU: $(cat err)"

# ---- one partition refuses ----
echo 'clear' >"$GPUPART_ROOT/gpusim-control"
broken=$(inventory '.gpus[] | select(.id == "slot3") | .address' | sed 's/\.0$/.6/')
echo "fail *$broken/*current_vgpu_type all EIO" >"$GPUPART_ROOT/gpusim-control"
declare_profile "NVIDIA A2-4Q" "once more" --allow-empty
gp_ends 5 reconcile
expect '["slot3/2"]' quarantined
grep -q 'slot3/2 is quarantined.*gpupart resume gpu/slot3' err || fail "nobody is told of it: $(cat err)"
expect 1 journal 'select(.GPUPART_EVENT == "step-failed" and (.MESSAGE | contains("slot3/2 is quarantined"))) | 1'

gp_ends 0 inventory
grep -q 'slot3/2 .*given to nobody, quarantined' out || fail "the inventory does not show it: $(cat out)"

# ---- the next pass does without it ----
declare_profile "NVIDIA A2-4Q" "and again" --allow-empty
gp_ends 0 reconcile
expect '4' inventory '[.gpus[] | select(.id == "slot3") | .partitions[] | select(.vm)] | length'
expect '' inventory ".gpus[] | select(.id == \"slot3\") | .partitions[] | select(.address == \"$broken\") | .profile // \"\""
for vm in vdi-{1..4}; do
    [ -n "$(partition "$vm")" ] || fail "$vm has no partition"
done
converged
expect '["slot3/2"]' quarantined

# ---- until somebody trusts it again ----
gp_ends 0 resume gpu/slot3
expect '[]' quarantined
converged
