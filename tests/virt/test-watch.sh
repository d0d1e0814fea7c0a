# Events arrive; a libvirtd that dies, is away and hangs is found again; nothing wakes up in between.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/drive.bash"

if [ "${1:-}" != inside ]; then
    exec bed --mock "$FOLDER/bed" bash -eu "$0" inside
fi

says() {
    [ "$(grep -c "^$1\$" /tmp/events)" -ge "$2" ]
}
virt-drive "$LIBVIRT_URI" watch >/tmp/events &
watch=$!
soon 3 says '- connected' 1
bed-domain desk --start
soon 2 says 'desk defined' 1
soon 2 says 'desk started' 1
virsh -q shutdown desk
soon 2 says 'desk stopped' 1

switches() {
    awk '/^voluntary_ctxt_switches/ { print $2 }' /proc/$watch/status
}
# What was told last may still be at work in the first second.
sleeps() {
    local before
    before=$(switches)
    sleep 1
    [ $(($(switches) - before)) -le 2 ]
}
sleeps || sleeps || fail "the idle watch wakes up"

bed-libvirtd kill
soon 2 says '- lost' 1
bed-libvirtd start
soon 3 says '- connected' 2
virsh -q define <(bed-domain desk)
soon 2 says 'desk defined' 2

# Hanging while it is connected to: the loop goes on, and ends on time.
bed-libvirtd kill
soon 2 says '- lost' 2
bed-libvirtd start
kill -STOP "$(cat /run/bed/libvirtd.pid)"
sleep 2
kill -TERM $watch
wait $watch
kill -CONT "$(cat /run/bed/libvirtd.pid)"
says 'rounds few' 1 || fail "$(cat /tmp/events)"
