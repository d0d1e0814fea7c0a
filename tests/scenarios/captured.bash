# What the stories of captures share; sourced by them.

# captured DIR: what the host shows now is in DIR, and what it remembers; it reads and plans the same there, and stays as it is.
captured() {
    local format
    gp_ends 0 capture "$1"
    grep -q "holds what gpupart sees of demo: " out || fail "capture says: $(cat out)"
    for format in text json; do
        gp_ends 0 inventory --format $format
        mv out inventory
        # A machine of its own: no libvirt, nothing remembered, no right to change anything.
        gpupart --root "$1" --config "$HOME/agent.yaml" inventory --format $format >out
        cmp inventory out || fail "another inventory: $(diff inventory out)"
    done
    gp_ends 0 plan --dir fleet/clusters --format json
    find "$1" -printf '%P %s %T@ %l\n' | sort >files
    gpupart --root "$1" --config "$HOME/agent.yaml" plan --dir fleet/clusters --format json >again
    cmp <(jq -S 'del(.at)' out) <(jq -S 'del(.at)' again) || fail "another plan: $(diff out again)"
    gpupart report --config "$HOME/agent.yaml" --dir fleet/clusters --format json "$1" >report
    expect "$(jq -cS '[.id, .actions, .drift, .sets, .summary.vmsStopped]' out)" \
        jq -cS '[.id, .actions, .drift, .sets, .summary.vmsStopped]' report
    find "$1" -printf '%P %s %T@ %l\n' | sort | diff files - || fail "a look at a capture changed it"
}
