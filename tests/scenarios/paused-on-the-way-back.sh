# A guest that was paused while a pass waited for it to stop, and that cannot be made to go on again: all else is taken
# back, and what is left to do for it is told, since a guest that is paused is as useful to its user as one that is down.
# bed: --mock --proxy --sim ../sim/hosts/two-xe.yaml
. "$(dirname "$0")/story.bash"

# Only vdi-3, which does not obey, has a short time to stop, and that is enough to pause it in.
pools() {
    desktops "$1" 60s "vdi-1, vdi-2"
    hasty 15s vdi-3
}
repository
pools 4
commit "four partitions"
for vm in vdi-{1..3}; do
    bed-domain "$vm" --define
done
gp_ends 0 reconcile
start vdi-{1..3}
expect 3 held

pools 3
commit "three"
printf '%s\n' 'swallow shutdown vdi-3' 'swallow shutdown-flags vdi-3' 'fail resume vdi-3' >"$BED/proxy.control"
gp_ends 6 reconcile &
pass=$!
is_off() {
    [ "$(virsh domstate vdi-1)" = "shut off" ]
}
soon 20 is_off
virsh -q suspend vdi-3
wait "$pass" || fail "the pass: see above"
: >"$BED/proxy.control"
expect "vdi-1 vdi-2" running
grep -q 'left to do by hand: VM vdi-3 is paused (vm vdi-3 was not started: .*): virsh resume vdi-3' err ||
    fail "nobody is told: $(cat err)"
expect 4 inventory '.gpus[] | select(.id == "slot5") | .count'
