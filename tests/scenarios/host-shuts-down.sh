# The host is shut down in the middle of a pass: nobody is started any more, who was stopped stays owed a start, and the
# first pass after the boot starts it.
# bed: --mock --proxy --sim ../sim/hosts/two-xe.yaml --sim-option --time-scale=0.02
. "$(dirname "$0")/story.bash"

# host STATE: what systemd says that the host is, from now on.
host() {
    echo "$1" >units/.new
    mv units/.new units/system-state
}
# owed: the guests that are owed a start.
owed() {
    jq -r '.owed[]?.name' state/owed.json | sort | paste -sd' '
}
partitions() {
    inventory '.gpus[] | select(.id == "slot5") | .count'
}
# starts: how often gpupart began to start a guest.
starts() {
    journal 'select(.GPUPART_EVENT == "step-start") | .MESSAGE' | grep -c '^start-vm' || :
}

mkdir units
bed-systemd "$HOME/units" </dev/null >systemd.log 2>&1 &
soon 10 test -S /run/dbus/system_bus_socket
repository
desktops 4 60s "vdi-1, vdi-2"
commit "four partitions"
for vm in vdi-1 vdi-2; do
    bed-domain "$vm" --define
done
gp_ends 0 reconcile
start vdi-1 vdi-2
expect 2 held
converged

echo "TERM, as a shutdown sends it, while vdi-2 does not stop and vdi-1 is off"
desktops 3 60s "vdi-1, vdi-2"
commit "three"
printf 'swallow shutdown vdi-2\nswallow shutdown-flags vdi-2\n' >"$BED/proxy.control"
gp reconcile >out 2>err &
soon 60 state_is vdi-1 'shut off'
host stopping
kill -TERM "$(sed -n 's/^pass\t\([0-9]*\).*/\1/p' state/run/holds/* | sort -u)"
status=0
wait $! || status=$?
[ "$status" = 6 ] || fail "the pass ended with $status: $(cat out err)"
grep -q 'The host is shutting down, so nobody is started: the first pass after it has booted starts VM vdi-1$' err ||
    fail "whose start is owed is not told: $(cat err)"
: >"$BED/proxy.control"
expect vdi-2 running
expect 0 starts
expect 4 partitions
[ -n "$(ls state/records)" ] || fail "there is no record of what was begun"
owed | grep -q vdi-1 || fail "vdi-1 is owed nothing: $(cat state/owed.json)"
expect "" ls state/run/holds

echo "a pass on such a host begins nothing"
before=$(cat state/records/*)
gp_ends 8 reconcile
grep -q 'the host is shutting down: no pass is begun' err || fail "it is not told: $(cat err)"
expect vdi-2 running
expect "$before" cat state/records/*

echo "after the boot"
virsh -q destroy vdi-2 # as every guest of a host that goes down
host running
gp_ends 0 reconcile
expect "vdi-1 vdi-2" running
expect 3 partitions
expect "" ls state/records
expect "" owed
converged

echo "no TERM came, and it has begun to start them: vdi-2 is not started any more"
# The call, which the proxy holds: what is said before it comes before the host is asked whether it goes down.
creates() {
    grep -cE ' create(-flags)?$' "$BED/proxy.log" || :
}
before=$(creates)
desktops 2 60s "vdi-1, vdi-2"
commit "two"
printf 'hold create\nhold create-flags\n' >"$BED/proxy.control"
gp reconcile >out 2>err &
soon 60 eval '[ "$(creates)" -gt "$before" ]'
host stopping
: >"$BED/proxy.control"
status=0
wait $! || status=$?
[ "$status" = 6 ] || fail "the pass ended with $status: $(cat out err)"
grep -q 'the first pass after it has booted starts VM vdi-2$' err || fail "whose start is owed is not told: $(cat err)"
expect vdi-1 running
expect vdi-2 owed
virsh -q destroy vdi-1
host running
gp_ends 0 reconcile
expect "vdi-1 vdi-2" running
expect 2 partitions
converged
