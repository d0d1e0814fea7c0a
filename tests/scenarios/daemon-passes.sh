# The daemon looks when something happened, soon and not often; when nothing does, it sleeps.
# bed: --mock --sim ../sim/hosts/two-xe.yaml
. "$(dirname "$0")/story.bash"
. "$(dirname "$0")/daemon.bash"

repository
pools 4
commit "four partitions"
every 1h
bed-domain vdi-1 --define
bed-domain vdi-2 --define
bed-domain vdi-1 >vdi-1.plain.xml
mkdir -p /etc/libvirt/qemu
listen_as_service_manager

reloads() {
    grep -c '^RELOADING=1' told || :
}
more_reloads_than() {
    [ "$(reloads)" -gt "$1" ]
}

# At the start.
daemon_start 600000
soon 5 more_passes_than 0
at_rest
[ "$(passes)" -le 3 ] || fail "$(passes) passes at the start: its own events, and one for the connection"
count_is 4 || fail "the pass at the start did not do it"
[ -n "$(partition vdi-1)" ] || fail "vdi-1 has no partition"

# Nothing happens: nobody wakes up. What the last pass did may have made one more due, later than at_rest looks: so it is asked twice.
woke_up() {
    local before
    before=$(switches)
    sleep 3
    woken=$(($(switches) - before))
    [ "$woken" -ne 0 ]
}
if woke_up; then
    at_rest
    ! woke_up || fail "the idle daemon woke up $woken times in 3 s"
fi

# Drift made through libvirt is seen when it is made, and put right.
begins_by_event "a definition" virsh -q define vdi-1.plain.xml
[ -n "$(partition vdi-1)" ] || fail "vdi-1 has its partition no more"
journal 'select(.GPUPART_EVENT == "drift-found") | .GPUPART_VM' | grep -qx vdi-1 || fail "the drift was not told"
begins_by_event "a start" virsh -q start vdi-2

# A device event, an edited definition, SIGHUP.
begins_by_event "a device event" \
    send-uevent ACTION=change DEVPATH=/devices/pci0000:00/0000:00:01.1/0000:04:00.0 SUBSYSTEM=pci SEQNUM=1
begins_by_event "an edited definition" cp vdi-1.plain.xml /etc/libvirt/qemu/vdi-1.xml
begins_by_event "SIGHUP" kill -HUP "$daemon"
begun=$(begun)
send-uevent ACTION=add DEVPATH=/devices/virtual/net/x SUBSYSTEM=net SEQNUM=2
sleep 1
[ "$(begun)" -eq "$begun" ] || fail "an event of a network device led to a pass"

# A crowd of events is one thing that happened, or a few: the daemon waits longer each time they go on.
begun=$(begun)
for i in {1..200}; do
    send-uevent ACTION=change DEVPATH=/devices/pci0000:00/0000:00:01.1/0000:04:00.0 SUBSYSTEM=pci SEQNUM="$((i + 2))"
done
soon 5 more_begun_than "$begun"
at_rest
[ $(($(begun) - begun)) -le 10 ] || fail "200 events led to $(($(begun) - begun)) passes"

# A libvirtd that dies and comes back is listened to again.
begun=$(begun)
bed-libvirtd kill
bed-libvirtd start
soon 5 more_begun_than "$begun"
bed-domain vdi-1 --define
bed-domain vdi-2 --define
at_rest
begins_by_event "after libvirtd came back" virsh -q define vdi-1.plain.xml
[ -n "$(partition vdi-1)" ] || fail "vdi-1 did not get its partition back"

# A commit is seen at the interval; reloading takes the new one from the file.
every 1s
before=$(passes)
reloaded=$(reloads)
kill -HUP "$daemon"
soon 5 more_reloads_than "$reloaded"
# The signal itself leads to one pass: only what comes after that shows the interval.
soon 5 more_passes_than "$before"
before=$(passes)
pools 3
commit "three"
soon 5 count_is 3
soon 5 more_passes_than $((before + 2))

# What cannot be read leaves the daemon as it is.
cp agent.yaml agent.kept
echo nonsense >agent.yaml
kill -HUP "$daemon"
soon 5 grep -q 'the last ended with status 78' told
cp agent.kept agent.yaml
every 1h
kill -HUP "$daemon"
recovered() {
    grep '^STATUS=' told | tail -n 1 | grep -q 'the last ended with status 0'
}
soon 5 recovered

kill -TERM "$daemon"
status=0
wait "$daemon" || status=$?
[ "$status" = 0 ] || fail "ended with $status: $(cat daemon.out)"
grep -q '^STOPPING=1$' told || fail "it did not say that it stops"
converged
