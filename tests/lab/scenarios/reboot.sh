# A reboot takes every VF away. The boot unit makes them again from what was recorded, without git, though the network is not up
# and the repository is behind it; libvirtd, which waits for that, starts the guests with autostart: each has the partition that it
# had. A pass then says that git cannot be reached, and changes nothing.
# lab: bookworm
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
    # From now on the repository is one that is only reached by network.
    mv fleet fleet-away
    cp /etc/gpupart/agent.yaml agent.near
    follow 10m "{url: 'https://git.example.org/fleet.git'}"
    systemctl enable -q gpupart-boot.service
    reboot_lab booted
fi

# usec UNIT WHEN: by systemd's own clock.
usec() {
    systemctl show -p "$2" --value "$1"
}

expect "" ip route
expect inactive eval 'systemctl is-active network-online.target || :'
expect active systemctl is-active gpupart-boot.service
expect "2 2" eval "cat $devices/0000:0[12]:00.0/sriov_numvfs | xargs"
expect "boot-restored boot-restored" \
    eval "journalctl -b -o json SYSLOG_IDENTIFIER=gpupart --no-pager | jq -r 'select(.GPUPART_EVENT // \"\" | startswith(\"boot-\")) | .GPUPART_EVENT' | xargs"
done=$(usec gpupart-boot.service ExecMainExitTimestampMonotonic)
began=$(usec libvirtd.service ExecMainStartTimestampMonotonic)
echo "time: the boot unit took $(((done - $(usec gpupart-boot.service ExecMainStartTimestampMonotonic)) / 1000)) ms and ended $(((began - done) / 1000)) ms before libvirtd began"
[ "$done" -le "$began" ] || fail "libvirtd did not wait for the boot unit"
soon 300 eval '[ "$(running)" = "vdi-1 vdi-3" ]'
expect "$(cat facts)" vm_facts
for n in 1 3; do
    expect "$(group_of "$(given "vdi-$n")")" groups "vdi-$n"
done

gp_ends 7 reconcile
cat out err
grep -q 'git is stale: https://git.example.org' out err || fail "it is not said that git was not reached"
expect "2 2" eval "cat $devices/0000:0[12]:00.0/sriov_numvfs | xargs"
expect "vdi-1 vdi-3" running
mv fleet-away fleet
cp agent.near /etc/gpupart/agent.yaml
converged
