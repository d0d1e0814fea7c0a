# A reboot takes every VF away. The boot unit makes them again from what was recorded, without git and without network, and
# libvirtd, which waits for it, starts the guests with autostart: each has the partition that it had.
# lab: trixie bookworm
# gpus: b50 b50

# vm_facts: the VF of each VM.
vm_facts() {
    local vm
    for vm in vdi-{1..3}; do
        echo "$vm $(given "$vm")"
    done
}

if [ -z "$LAB_PHASE" ]; then
    repository
    pool 2 1,2 "vdi-*"
    for n in 1 2 3; do
        domain "vdi-$n"
    done
    gp_ends 0 reconcile
    for n in 1 3; do
        virsh -q autostart "vdi-$n"
    done
    vm_facts >facts
    # git is not to be needed.
    mv fleet fleet-away
    systemctl enable -q gpupart-boot.service
    reboot_lab booted
fi

expect active systemctl is-active gpupart-boot.service
expect "2 2" eval "cat $devices/0000:0[12]:00.0/sriov_numvfs | xargs"
soon 300 eval '[ "$(running)" = "vdi-1 vdi-3" ]'
expect "$(cat facts)" vm_facts
for n in 1 3; do
    expect "$(group_of "$(given "vdi-$n")")" groups "vdi-$n"
done
# When each was done, by systemd's own clock.
usec() {
    systemctl show -p "$2" --value "$1"
}
[ "$(usec gpupart-boot.service ExecMainExitTimestampMonotonic)" -le \
    "$(usec libvirtd.service ExecMainStartTimestampMonotonic)" ] || fail "libvirtd did not wait for the boot unit"
expect "boot-restored boot-restored" eval "journal 'select(.GPUPART_EVENT // \"\" | startswith(\"boot-\")) | .GPUPART_EVENT' | xargs"
mv fleet-away fleet
converged
