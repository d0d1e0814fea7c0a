# A guest takes the request to stop, and goes down a minute after its time was over. What was begun is restored meanwhile;
# the pass after it is down starts it again. On the real QEMU driver.
# bed: --qemu --sim ../sim/hosts/two-xe.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"

# owed: the guests that are owed a start, and whether a request to stop is still out.
owed() {
    jq -r '.owed[]? | "\(.name) \(.stopRequested)"' state/owed.json 2>/dev/null || :
}

# started: how often libvirt told that vdi-2 was started.
started() {
    grep -c "'lifecycle'.*vdi-2.*Started" events || :
}

repository
desktops 4 20s vdi-1
hasty 3s vdi-2
commit "four partitions"
bed-domain vdi-1 --define
bed-domain vdi-2 --late --define
gp_ends 0 reconcile
start vdi-1 vdi-2
for vm in vdi-1 vdi-2; do
    soon 20 test -s "/var/log/$vm.serial"
done
converged
before=$(canonical vdi-{1..2})
virsh event --all --loop --timestamp >events 2>&1 &
listener=$!

# ---- the time is over: it runs, and what was begun is restored ----
desktops 3 20s vdi-1
hasty 3s vdi-2
commit "three"
asked=$SECONDS
gp_ends 5 reconcile
grep -q 'vdi-2.*it still runs 3 s after it was asked' err || fail "it is not told: $(cat err)"
expect "vdi-1 vdi-2" running
expect 4 inventory '.gpus[] | select(.id == "slot5") | .count'
[ -z "$(ls state/records)" ] || fail "a record is left: $(ls state/records)"
expect "vdi-2 true" owed
# Passes meanwhile do nothing: it is not asked again, and nobody is stopped.
gp_ends 0 reconcile
grep -q 'nothing was done' out || fail "a pass that only waits does something: $(cat out)"
expect "vdi-1 vdi-2" running
expect "vdi-2 true" owed

# ---- a minute later it goes down by itself ----
soon 300 state_is vdi-2 "shut off"
[ $((SECONDS - asked)) -ge 50 ] || fail "it went down $((SECONDS - asked)) s after it was asked, which is not late"
expect "" journal 'select(.GPUPART_EVENT == "late-stop") | .GPUPART_VM'
gp_ends 0 reconcile
expect "vdi-1 vdi-2" running
expect vdi-2 journal 'select(.GPUPART_EVENT == "late-stop") | .GPUPART_VM'
expect "" owed
soon 20 eval '[ "$(started)" = 1 ]'
expect "$before" canonical vdi-{1..2}
soon 20 test -s /var/log/vdi-2.serial

# ---- that was the one start that was owed: who stops it now means it ----
virsh -q destroy vdi-2
gp_ends 0 reconcile
expect vdi-1 running
expect 1 jq -s length <(journal 'select(.GPUPART_EVENT == "late-stop")')
kill "$listener"
