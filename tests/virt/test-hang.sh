# A libvirtd that no longer answers is an error after a while, not a hang; one that ignores requests is told.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/drive.bash"

if [ "${1:-}" != inside ]; then
    exec bed --mock --proxy "$FOLDER/bed" bash -eu "$0" inside
fi

bed-domain desk --define
desk=$(virsh domuuid desk | head -1)
rules() {
    printf '%s\n' "$@" >"$BED/proxy.control"
}

rules 'delay create-flags 60000'
expect "timeout: vm $desk was not started: libvirt did not answer within 500 ms: starting a vm; it may still start" \
    expect_failing timeout 10 virt-drive "$LIBVIRT_URI" start 500 "$desk"
rules 'delay open 60000'
expect "timeout: no connection to $LIBVIRT_URI: libvirt did not answer within 1000 ms: connecting" \
    expect_failing timeout 10 virt-drive "$LIBVIRT_URI" observe machine

pid=$(cat /run/bed/libvirtd.pid)
kill -STOP "$pid"
expect_failing timeout 10 virt-drive "$LIBVIRT_DEFAULT_URI" start 500 "$desk" >/tmp/said
kill -CONT "$pid"
grep -q '^timeout: ' /tmp/said || fail "$(cat /tmp/said)"

# A guest that ignores what it is asked is asked again at half its time, then given up, or forced.
rules
virsh -q start desk
rules 'swallow shutdown' 'swallow shutdown-flags'
: >"$BED/proxy.log"
expect_failing virt-drive "$LIBVIRT_URI" stop 4000 acpi fail "desk=$desk" >/tmp/said
expect "busy: vm desk was not stopped: GP-E505: it still runs 4 s after it was asked; the request cannot be recalled, so it may yet go down" cat /tmp/said
expect 2 grep -c ' shutdown-flags$' "$BED/proxy.log"
state_is desk running || fail "it stopped"
expect "desk stopped" virt-drive "$LIBVIRT_URI" stop 400 both force "desk=$desk"
state_is desk 'shut off'

# libvirt gives an agent's request up after a minute, and the guest, which was asked, has all its time all the same. (Guests of
# the mock have no agent: it is what libvirtd answers that counts.)
rules
virsh -q start desk
rules 'no-agent shutdown-flags'
expect_failing virt-drive "$LIBVIRT_URI" stop 4000 acpi fail "desk=$desk" >/tmp/said
grep -q 'GP-E505: it still runs 4 s after it was asked' /tmp/said || fail "$(cat /tmp/said)"
expect "desk stopped" virt-drive "$LIBVIRT_URI" stop 400 acpi force "desk=$desk"

# Calls that libvirtd does not answer do not hold up the looks, however many they are, of one set or of two side by side: a
# guest's agent is asked until the guest is down.
rules
many=()
for n in {1..12}; do
    bed-domain many$n --start
    many+=("many$n=$(virsh domuuid many$n | head -1)")
done
asked() {
    [ "$(grep -c ' shutdown-flags$' "$BED/proxy.log")" -eq "$1" ]
}
rules 'mute shutdown-flags'
: >"$BED/proxy.log"
for others in 0 3; do
    expect_failing virt-drive "$LIBVIRT_URI" stop 4000 acpi fail "${many[@]:0:5}" + "${many[@]:5:others}" >/tmp/said
    [ "$(grep -c 'GP-E505: it still runs 4 s after it was asked; the request' /tmp/said)" -eq $((5 + others)) ] ||
        fail "$(cat /tmp/said)"
done

# Twelve at a time are asked, whoever asks.
bed-domain last --start
last=$(virsh domuuid last | head -1)
virsh -q start desk
rules 'hold shutdown-flags'
: >"$BED/proxy.log"
virt-drive "$LIBVIRT_URI" stop 600000 acpi fail "${many[@]:0:7}" + "${many[@]:7}" "desk=$desk" "last=$last" >/tmp/said 2>&1 &
drive=$!
soon 10 asked 12
sleep 1
asked 12 || fail "more are asked: $(grep -c ' shutdown-flags$' "$BED/proxy.log")"
for vm in many{1..12} desk last; do
    virsh -q destroy "$vm"
done
rules
wait "$drive" || fail "$(cat /tmp/said)"

# One that waits for its turn is looked at then as any other, before it is asked, and has all its time from then on.
for vm in many{1..12} desk last; do
    virsh -q start "$vm"
done
rules 'hold shutdown-flags'
: >"$BED/proxy.log"
virt-drive "$LIBVIRT_URI" stop 600000 acpi fail "${many[@]}" "desk=$desk" "last=$last@2000" >/tmp/said 2>&1 &
drive=$!
soon 10 asked 12
virsh -q suspend desk
sleep 3
for n in {1..12}; do
    virsh -q destroy many$n
done
rules 'swallow shutdown-flags last'
status=0
wait "$drive" || status=$?
expect "$(printf 'many%s stopped\n' {1..12})
busy: vm desk was not stopped: is paused, and cannot answer a request to stop
busy: vm last was not stopped: GP-E505: it still runs 2 s after it was asked; the request cannot be recalled, so it may yet go down" \
    cat /tmp/said
[ "$status" -eq 1 ] || fail "status $status"
virsh -q resume desk
virsh -q destroy desk
virsh -q destroy last

# A request that nobody waits for any more does not go on with the next method: the guest may have been given up, and kept.
virsh -q start desk
rules 'hold shutdown-flags' 'swallow destroy-flags'
: >"$BED/proxy.log"
virt-drive "$LIBVIRT_URI" stop 400 both force "desk=$desk" >/tmp/said 2>&1 &
drive=$!
soon 10 grep -q ' destroy-flags$' "$BED/proxy.log"
rules 'swallow destroy-flags'
only_the_looks_connection() {
    [ $(($(grep -c ' open$' "$BED/proxy.log") - $(grep -c ' close$' "$BED/proxy.log"))) -le 1 ]
}
soon 10 only_the_looks_connection
grep -q ' shutdown$' "$BED/proxy.log" && fail "it was asked though its time was over"
virsh -q destroy desk
wait "$drive" || fail "$(cat /tmp/said)"
expect "desk stopped" cat /tmp/said

# It goes down, and somebody else starts it: that is theirs, and not waited for.
rules
virsh -q start desk
rules 'swallow shutdown' 'swallow shutdown-flags'
: >"$BED/proxy.log"
virt-drive "$LIBVIRT_URI" stop 20000 acpi force "desk=$desk" >/tmp/said 2>&1 &
drive=$!
soon 10 grep -q ' shutdown-flags$' "$BED/proxy.log"
# It looks away, or it might see the moment in which the guest is off and be content.
kill -STOP "$drive"
virsh -q destroy desk
virsh -q start desk
kill -CONT "$drive"
status=0
wait "$drive" || status=$?
[ "$status" -ne 0 ] || fail "it was content: $(cat /tmp/said)"
expect "changed: vm desk was not stopped: it stopped, and somebody else started it again" cat /tmp/said
state_is desk running || fail "it was forced off"
virsh -q destroy desk

# libvirtd goes away in the midst of a wait.
rules
virsh -q start desk
rules 'swallow shutdown' 'swallow shutdown-flags'
: >"$BED/proxy.log"
(soon 10 grep -q ' shutdown-flags$' "$BED/proxy.log" && bed-libvirtd kill) &
expect_failing timeout 10 virt-drive "$LIBVIRT_URI" stop 60000 acpi fail "desk=$desk" >/tmp/said
wait
grep -q '^[a-z]*: vm desk was not stopped: .*it was asked to stop, so it may yet go down$' /tmp/said || fail "$(cat /tmp/said)"
bed-libvirtd start
