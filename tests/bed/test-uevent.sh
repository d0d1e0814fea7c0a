# A forged uevent reaches sd_device_monitor, in this bed only, and its filters hold.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/expect.bash"

if [ "${1:-}" != inside ]; then
    exec bed "$FOLDER/bed" bash -eu "$0" inside
fi

# listen SUBSYSTEM MS
listen() {
    rm -f "$FOLDER/heard"
    wait-uevent "$@" >"$FOLDER/heard" &
    soon 2 grep -qs listening "$FOLDER/heard"
}

listen pci 5000
send-uevent ACTION=add DEVPATH=/devices/virtual/net/x SUBSYSTEM=net SEQNUM=1
send-uevent ACTION=change DEVPATH=/devices/pci0000:00/0000:00:01.0 SUBSYSTEM=pci SEQNUM=2 TAGS=:gpu:
wait $!
expect 'listening
change /devices/pci0000:00/0000:00:01.0' cat "$FOLDER/heard"

listen mdev 5000
send-uevent ACTION=change DEVPATH=/devices/pci0000:00/0000:00:01.0 SUBSYSTEM=pci SEQNUM=3
send-uevent ACTION=add DEVPATH=/devices/pci0000:00/0000:00:01.0 SUBSYSTEM=mdev SEQNUM=4
wait $!
expect 'listening
add /devices/pci0000:00/0000:00:01.0' cat "$FOLDER/heard"
expect_status 64 send-uevent ACTION=change
