# What the stories of captures share; sourced by them.

# captured DIR: what the host shows now is in DIR, and reads the same there.
captured() {
    local format
    gp_ends 0 capture "$1"
    grep -q "holds what gpupart sees of demo: " out || fail "capture says: $(cat out)"
    for format in text json; do
        gp_ends 0 inventory --format $format
        mv out inventory
        # A machine of its own: no libvirt, no state, no right to change anything.
        gpupart --root "$1" --config "$HOME/agent.yaml" --state "$HOME/none" inventory --format $format >out
        cmp inventory out || fail "another inventory: $(diff inventory out)"
    done
    gp_ends 0 plan --dir fleet/clusters --format json
    gpupart --root "$1" --config "$HOME/agent.yaml" --state "$HOME/state" plan --dir fleet/clusters --format json >again
    cmp <(jq -S 'del(.at)' out) <(jq -S 'del(.at)' again) || fail "another plan: $(diff out again)"
}
