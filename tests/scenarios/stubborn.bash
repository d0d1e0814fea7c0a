# The story of a guest that does not stop; sourced by the stories of both hypervisors.

# The two that obey have the time that they need.
pools() {
    desktops "$1" 60s "vdi-1, vdi-2"
    hasty 2s vdi-3
}

# stubborn_story COMMAND-THAT-DEFINES-VDI-3 COMMAND-THAT-MAKES-IT-STUBBORN
stubborn_story() {
    repository
    pools 4
    commit "four partitions"
    bed-domain vdi-1 --define
    bed-domain vdi-2 --define
    $1
    gp_ends 0 reconcile
    start vdi-{1..3}
    [ "$BED_MODE" != qemu ] || heed vdi-{1..3}
    expect 3 held
    gp_ends 0 plan --detailed-exitcode
    local before kernel
    before=$(canonical vdi-{1..3})
    kernel=$(grep -c numvfs "$GPUPART_ROOT/gpusim-log" || :)
    gp inventory --format json >inventory-before

    pools 3
    commit "three"
    $2
    gp_ends 5 reconcile
    [ ! -e "$BED/proxy.control" ] || : >"$BED/proxy.control"
    expect "vdi-1 vdi-2 vdi-3" running
    expect "$kernel" grep -c numvfs "$GPUPART_ROOT/gpusim-log"
    cmp inventory-before <(gp inventory --format json) || fail "the host is not as it was"
    [ "$before" = "$(canonical vdi-{1..3})" ] || fail "something of a definition changed"
    grep -q vdi-3 err || fail "the guest that did not stop is not named: $(cat err)"
    [ -z "$(ls state/records)" ] || fail "a record is left"
    expect 1 jq -s length <(journal 'select(.GPUPART_EVENT == "restored")')

    # It is not tried again at once: nobody is stopped for a commit that just failed.
    local restarts
    restarts=$(journal 'select(.GPUPART_EVENT == "step-start") | .MESSAGE' | wc -l)
    gp_ends 0 reconcile
    grep -q 'nothing was done' out || fail "a pass that only waits says otherwise: $(tail -n 1 out)"
    expect "$restarts" wc -l < <(journal 'select(.GPUPART_EVENT == "step-start") | .MESSAGE')
    expect "vdi-1 vdi-2 vdi-3" running

    # Another commit begins anew, and with a guest that listens it is done.
    virsh -q destroy vdi-3 >/dev/null
    sed -i 's/timeout: 2s/timeout: 60s/' fleet/clusters/demo.yaml
    commit "again"
    gp_ends 0 reconcile
    expect 3 inventory '.gpus[] | select(.id == "slot5") | .count'
}
