# vGPUs as mediated devices: made by the pool, held by guests, refused by the start hook while a pass works on their VM and
# when they are not what they were, and back after a reboot with the same UUIDs before libvirtd starts the guests.
# lab: bookworm
# gpus: a2-mdev a2-mdev

declare_profile() {
    declare_pools "vdi vdi-*" \
        <<<"{name: vdi, mode: partitioned, match: {model: NVIDIA A2}, select: {slots: [\"1\"]}, partitions: {profile: $1}}"
    commit "$1"
}

# refused VM TEXT: it cannot be started, and libvirt's reason has TEXT.
refused() {
    ! virsh start "$1" >start.out 2>start.err || fail "$1 was started"
    grep -q "$2" start.err || fail "$1 was refused for another reason: $(cat start.err)"
}

if [ -z "$LAB_PHASE" ]; then
    repository
    declare_profile "NVIDIA A2-4Q"
    domain vdi-1
    domain vdi-2 guest-ignores
    gp_ends 0 reconcile
    cat out
    expect 4 eval 'mdevs | wc -l'
    expect nvidia-746 eval "mdevs | cut -d' ' -f3 | sort -u"
    start vdi-1
    virsh -q start vdi-2
    for vm in vdi-1 vdi-2; do
        holds_mdev "$vm" || fail "$vm does not hold its mdev"
    done
    converged

    # ---- in the middle of a pass, which waits for a guest that does not stop ----
    declare_profile "NVIDIA A2-8Q"
    gp reconcile >out 2>err &
    pass=$!
    soon 300 state_is vdi-1 'shut off'
    refused vdi-1 'gpupart is changing slot1'
    virsh -q destroy vdi-2
    wait "$pass" || fail "the pass ended with $?: $(cat out err)"
    cat out
    expect "vdi-1 vdi-2" running
    expect 2 eval 'mdevs | wc -l'
    expect nvidia-747 eval "mdevs | cut -d' ' -f3 | sort -u"

    # ---- a device that somebody made again with another type ----
    virsh -q destroy vdi-1
    uuid=$(uuid vdi-1)
    parent=$(dirname "$(realpath "/sys/bus/mdev/devices/$uuid")")
    echo 1 >"/sys/bus/mdev/devices/$uuid/remove"
    echo "$uuid" >"$parent/mdev_supported_types/nvidia-752/create"
    refused vdi-1 "mdev_type leads to '.*nvidia-752', not '.*nvidia-747'"
    echo 1 >"/sys/bus/mdev/devices/$uuid/remove"
    echo "$uuid" >"$parent/mdev_supported_types/nvidia-747/create"
    virsh -q start vdi-1
    converged

    virsh -q autostart vdi-1
    mdevs >mdevs
    mv fleet fleet-away
    systemctl enable -q gpupart-boot.service
    reboot_lab booted
fi

expect "$(cat mdevs)" mdevs
soon 600 eval '[ "$(running)" = vdi-1 ]'
holds_mdev vdi-1 || fail "vdi-1 does not hold its mdev"
mv fleet-away fleet
converged
