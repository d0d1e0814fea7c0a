# Eight partitions on GPU A with eight VMs, five of them running; GPU B in another pool with running VMs. One commit
# sets four and drops four bindings: exactly the five stop, all five run again, B's guests keep their QEMU processes.
# bed: --qemu --sim ../sim/hosts/two-xe.yaml
. "$(dirname "$0")/story.bash"

# declare_desktops COUNT VM…: pool vdi in slot 3 with COUNT partitions for these VMs, pool other in slot 5.
declare_desktops() {
    declare_pools "vdi ${*:2}" "other other-1 other-2" <<END
{name: vdi, mode: partitioned, match: {vendor: intel}, select: {slots: ["3"]}, partitions: {count: $1}}
{name: other, mode: partitioned, match: {vendor: intel}, select: {slots: ["5"]}, partitions: {count: 2}}
END
}

repository
declare_desktops 8 vdi-{1..8}
commit "eight partitions"
for vm in vdi-{1..8} other-{1..2}; do
    bed-domain "$vm" --define
done
gp_ends 0 reconcile
expect "8" inventory '.gpus[] | select(.id == "slot3") | .count'
converged
start vdi-{1..5} other-{1..2}
heed vdi-{1..5} other-{1..2}
gp_ends 0 plan --detailed-exitcode
before=$(pids other-{1..2})
others=$(canonical other-{1..2} vdi-{1..8})

declare_desktops 4 vdi-{1,2,6,7}
# Four bindings of ten are many: who means it says so in the commit.
commit "four larger ones, and four desktops less"
gp_ends 4 plan --detailed-exitcode
grep -q 'GP-E311.*Gpupart-Allow-Removal: 4' out || fail "what to say is not said: $(cat out err)"
git -C fleet commit -q --amend -m "four larger ones, and four desktops less

Gpupart-Allow-Removal: 4"
gp_ends 2 plan --detailed-exitcode
gp_ends 0 report
grep -q '5 VMs stop' out || fail "the report does not say that 5 VMs stop: $(head -n 5 out)"
virsh event --all --loop --timestamp >events 2>&1 &
listener=$!
# heard VM: the listener is there, and has heard all that was before this.
heard() {
    bed-domain "$1" --define
    grep -q "'$1'\|$1" events
}
soon 20 heard begin
gp_ends 0 reconcile
soon 20 heard end
kill "$listener"
wait "$listener" 2>/dev/null || :

expect "other-1 other-2 vdi-1 vdi-2 vdi-3 vdi-4 vdi-5" running
expect "$before" pids other-{1..2}
[ "$others" = "$(canonical other-{1..2} vdi-{1..8})" ] || fail "something else of a definition changed"
expect "4" inventory '.gpus[] | select(.id == "slot3") | .count'
expect "vdi-1 vdi-2 vdi-6 vdi-7" inventory '[.gpus[] | select(.id == "slot3") | .partitions[].vm] | sort | join(" ")'
for vm in vdi-{3,4,5,8}; do
    expect "" partition "$vm"
done

# libvirt's own log of events: each of the five stopped once and started once, and every stop is before any start.
lifecycle=$(grep "'lifecycle'" events)
expect "vdi-1 vdi-2 vdi-3 vdi-4 vdi-5" \
    echo $(grep 'Stopped' <<<"$lifecycle" | sed "s/.*domain '\\{0,1\\}\\([a-z0-9-]*\\).*/\\1/" | sort)
expect "vdi-1 vdi-2 vdi-3 vdi-4 vdi-5" \
    echo $(grep 'Started' <<<"$lifecycle" | sed "s/.*domain '\\{0,1\\}\\([a-z0-9-]*\\).*/\\1/" | sort)
last_stop=$(grep -n 'Stopped' <<<"$lifecycle" | tail -n 1 | cut -d: -f1)
first_start=$(grep -n 'Started' <<<"$lifecycle" | head -n 1 | cut -d: -f1)
[ "$last_stop" -lt "$first_start" ] || fail "a guest was started before the last one was stopped: $lifecycle"

converged
