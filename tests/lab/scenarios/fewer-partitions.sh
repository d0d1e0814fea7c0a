# From four partitions to two on one GPU with guests running: exactly those that have one of its partitions stop, all of them run
# again, and the other GPU's guest keeps its QEMU. VFs and groups are what the plan said.
# lab: bookworm
# gpus: b50 b50

# declare_counts COUNT VM…: pool vdi in slot 1 with COUNT partitions for these VMs, pool other in slot 2.
declare_counts() {
    declare_pools "vdi ${*:2}" "other other-1" <<END
{name: vdi, mode: partitioned, match: {vendor: intel}, select: {slots: ["1"]}, partitions: {count: $1}}
{name: other, mode: partitioned, match: {vendor: intel}, select: {slots: ["2"]}, partitions: {count: 2}}
END
}

repository
declare_counts 4 vdi-{1..4}
commit "four partitions"
for vm in vdi-{1..4} other-1; do
    domain "$vm"
done
gp_ends 0 reconcile
expect "4 2" eval "cat $devices/0000:0[12]:00.0/sriov_numvfs | xargs"
start vdi-{1..3} other-1
before=$(cat /run/libvirt/qemu/other-1.pid)
others=$(canonical other-1 vdi-{1..4})

declare_counts 2 vdi-{1,2}
commit "two larger ones, and two desktops less

Gpupart-Allow-Removal: 2"
gp_ends 2 plan --detailed-exitcode
cat out
virsh event --all --loop --timestamp >events 2>&1 &
listener=$!
# heard VM: the listener is there, and has heard all that was before this.
heard() {
    domain "$1"
    grep -q "'$1'\|$1" events
}
soon 30 heard begin
gp_ends 0 reconcile
cat out
soon 30 heard end
kill "$listener"
wait "$listener" 2>/dev/null || :

expect "2 2" eval "cat $devices/0000:0[12]:00.0/sriov_numvfs | xargs"
expect "other-1 vdi-1 vdi-2 vdi-3" running
expect "$before" cat /run/libvirt/qemu/other-1.pid
[ "$others" = "$(canonical other-1 vdi-{1..4})" ] || fail "something else of a definition changed"
for vm in vdi-1 vdi-2 other-1; do
    expect "$(group_of "$(given "$vm")")" groups "$vm"
done
for vm in vdi-3 vdi-4; do
    expect "" partition "$vm"
done
expect "" groups vdi-3
lifecycle=$(grep "'lifecycle'" events)
expect "vdi-1 vdi-2 vdi-3" \
    echo $(grep 'Stopped' <<<"$lifecycle" | sed "s/.*domain '\\{0,1\\}\\([a-z0-9-]*\\).*/\\1/" | sort)
expect "vdi-1 vdi-2 vdi-3" \
    echo $(grep 'Started' <<<"$lifecycle" | sed "s/.*domain '\\{0,1\\}\\([a-z0-9-]*\\).*/\\1/" | sort)
converged
