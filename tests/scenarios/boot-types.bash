# A reboot of a host whose partitions have types; sourced by the stories of both of NVIDIA's frameworks.

declare_slot5() {
    declare_pools <<<"{name: vdi, mode: partitioned, match: {model: NVIDIA A2}, select: {slots: [\"5\"]}, partitions: {count: $1}}"
    commit "$1 partitions"
}

# partitions: index, name and profile of each, and nothing of who has it.
partitions() {
    inventory '.gpus[] | select(.id == "slot5") | .partitions[] | "\(.index) \(.address) \(.uuid) \(.profile)"' 2>/dev/null
}

reboot() {
    [ ! -d fleet ] || mv fleet fleet-away
    rm -rf state/run
    echo reboot >"$GPUPART_ROOT/gpusim-control"
    expect "" partitions
}

# boot_story RACE: RACE is a fault that a first try at boot meets.
boot_story() {
    local before race=$1
    before=$(partitions)
    expect 4 wc -l <<<"$before"
    bed-libvirtd kill
    reboot
    gp_ends 0 reconcile --boot
    expect "$before" partitions

    # What fails once at boot is tried again.
    reboot
    echo "$race" >"$GPUPART_ROOT/gpusim-control"
    gp_ends 0 reconcile --boot --wait 10
    [ "$(journal 'select(.GPUPART_EVENT == "step-failed") | .MESSAGE' | wc -l)" -ge 1 ] || fail "nothing failed: $race"
    expect "$before" partitions
}
