# Mediated devices of drivers that nobody here wrote: the kernel's samples mdpy and mbochs, each on a GPU of its own that has no
# SR-IOV, so that the GPU itself is their parent. A pool makes them, guests hold them, what cannot be known of them is not guessed,
# and after a reboot each has the UUID that it had.
# lab: trixie
# gpus: mdpy mbochs

# declare_profile PROFILE: mdpy's; mbochs keeps its own.
declare_profile() {
    declare_pools "vdi vdi-*" "desks desk-1" <<END
{name: vdi, mode: partitioned, match: {device: "1b36:000f"}, partitions: {profile: $1}}
{name: desks, mode: partitioned, match: {device: "1234:1111"}, partitions: {profile: mbochs-large}}
END
    commit "$1"
}

# types: how many mdevs of which type each GPU has.
types() {
    mdevs | cut -d' ' -f2,3 | sort | uniq -c | awk '{print $1, $2, $3}'
}

if [ -z "$LAB_PHASE" ]; then
    repository
    declare_profile mdpy-vga
    domain vdi-1
    domain vdi-2
    domain desk-1
    gp_ends 0 inventory
    cat out
    gp_ends 0 reconcile
    cat out
    expect $'4 0000:01:00.0 mdpy-vga\n4 0000:02:00.0 mbochs-large' types
    start vdi-1 desk-1
    for vm in vdi-1 desk-1; do
        holds_mdev "$vm" || fail "$vm does not hold its mdev"
    done
    converged

    # Fact: mbochs shares its memory between all types, mdpy has so many devices of any.
    ! (cat /proc/sys/kernel/random/uuid >"$devices/0000:02:00.0/mdev_supported_types/mbochs-small/create") 2>refusal || fail "mbochs made a device too many"
    cat refusal
    ! (cat /proc/sys/kernel/random/uuid >"$devices/0000:01:00.0/mdev_supported_types/mdpy-hd/create") 2>refusal || fail "mdpy made a device too many"
    cat refusal

    # Fact: these drivers tell how many more there can be now and never how many in all, and the catalogue does not know them. So
    # beside devices of another type nobody knows how many there would be, and gpupart does not find out by stopping a guest.
    before=$(cat /run/libvirt/qemu/vdi-1.pid)
    declare_profile mdpy-xga
    gp_ends 4 reconcile
    cat out
    grep -q 'GP-E211.*does not tell how many it could have of .*mdpy-xga' out || fail "it is refused for another reason"
    expect "$before" cat /run/libvirt/qemu/vdi-1.pid
    declare_profile mdpy-vga
    converged

    virsh -q autostart vdi-1
    virsh -q autostart desk-1
    mdevs >mdevs
    mv fleet fleet-away
    systemctl enable -q gpupart-boot.service
    reboot_lab booted
fi

expect "$(cat mdevs)" mdevs
soon 600 eval '[ "$(running)" = "desk-1 vdi-1" ]'
for vm in vdi-1 desk-1; do
    holds_mdev "$vm" || fail "$vm does not hold its mdev"
done
mv fleet-away fleet
converged
