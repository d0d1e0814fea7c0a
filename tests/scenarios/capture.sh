# What is captured of a host is that host again: the same inventory and the same plan, without its kernel and its libvirt,
# for guests that run, are off, are paused, and for a GPU that somebody else holds.
# bed: --mock --sim ../sim/hosts/two-a2.yaml
. "$(dirname "$0")/story.bash"
. "$(dirname "$0")/captured.bash"

demo_fleet
captured before
gp_ends 0 reconcile
for n in 1 2 3; do
    virsh -q start "vdi-0$n" >/dev/null
done
held() {
    [ "$(gp inventory | grep -c 'in use')" -eq "$1" ]
}
soon 5 held 3
virsh -q suspend vdi-03 >/dev/null
virsh -q autostart vdi-04 >/dev/null
captured at-rest
sed -i 's/count: 4/count: 2/' $(grep -rl 'count: 4' fleet/clusters)
captured changing
jq -e '.actions | length > 0' again >/dev/null || fail "nothing was to be done"
# Nobody said takeover: that these partitions are gpupart's own is in the capture, and so is whom the change stops.
jq -e '.summary.vmsStopped > 0' report >/dev/null || fail "the report says that nobody stops: $(cat report)"

# Somebody who is no guest holds a partition.
virsh -q resume vdi-03 >/dev/null
virsh -q destroy vdi-02 >/dev/null
soon 5 held 2
group=$(readlink "$GPUPART_ROOT/sys/bus/pci/devices/$(inventory '.gpus[].partitions[] | select(.vm == "vdi-02") | .address')/iommu_group")
sleep infinity <>"$GPUPART_ROOT/dev/vfio/${group##*/}" &
soon 5 held 3
captured held
grep -q '^held' "held/dev/vfio/${group##*/}" || fail "the capture does not say that it is held"
kill %1

echo "what people said of this host, and what came of it since"
git -C fleet checkout -q .
gp_ends 0 pause gpu/slot5 --for 1h --reason "Ada tests"
gp_ends 0 approve gpu/slot3 --for 1h --reason "as said"
# By hand: the partition of a guest that is off.
vf=$(inventory '.gpus[].partitions[] | select(.vm == "vdi-08") | .address')
echo 0 >"$GPUPART_ROOT/sys/bus/pci/devices/$vf/nvidia/current_vgpu_type"
gp_ends_in "0 8" reconcile
captured paused
jq -e '.sets[].why | test("^paused: gpu/slot5")' report >/dev/null || fail "a pause is not in the capture: $(cat report)"
jq -e '.drift[] | select(.object == "gpu/slot5" and .path == "partitions.count").since' report >/dev/null ||
    fail "the drift, and since when it is there, is not in the capture: $(cat report)"
expect "applied.json approvals.json drift.json pauses.json verified.json" echo $(ls paused/state)
gp_ends 0 resume gpu/slot5

# Nothing but what was looked at, and nothing of the guests beyond their devices.
expect "capture.json dev etc libvirt proc state sys usr" echo $(ls held)
expect "applied.json verified.json" echo $(ls held/state)
jq -e '.applied > 0' held/capture.json >/dev/null || fail "the manifest: $(cat held/capture.json)"
expect 0 jq .applied before/capture.json
expect "cpuinfo meminfo sys" echo $(ls held/proc)
expect 1 wc -l <held/proc/meminfo
expect 2 wc -l <held/proc/cpuinfo
# The names of its GPUs alone, so that it reads the same where pci.ids is older.
expect "misc" ls held/usr/share
expect 2 grep -c . held/usr/share/misc/pci.ids
! grep -rl '<disk\|<graphics\|<interface\|<emulator' held/libvirt || fail "a guest's definition is in the capture"
find held -type l -lname '/*' | { ! grep . || fail "a link leads out of the capture"; }
jq -e '.kind == "Capture" and .host == "demo" and .gpus == 2 and .guests == 8 and .unreadable == []' held/capture.json \
    >/dev/null || fail "the manifest: $(cat held/capture.json)"

echo "a capture is read, and never written"
find held -printf '%P %s %T@ %l\n' | sort >files
gpupart --root held --config agent.yaml plan >/dev/null || fail "the repository is not followed for a capture"
gpupart --root held --config agent.yaml status >out || fail "no status of a capture: $(cat out)"
gpupart --root held --config agent.yaml drift >out 2>&1 && fail "there is no repository in a capture: $(cat out)"
grep -q 'held/state holds no repository; give --dir or --git' out || fail "what to do is not told: $(cat out)"
for command in "pause --for 1h --reason x" "approve gpu/slot3 --for 1h --reason x" resume; do
    # shellcheck disable=SC2086
    gpupart --root held --config agent.yaml $command >out 2>&1 && fail "$command changes a capture"
    grep -q 'needs --simulate: it is not this host' out || fail "$command: $(cat out)"
done
find held -printf '%P %s %T@ %l\n' | sort | diff files - || fail "a look at a capture changed it"

echo "what this machine remembers is of this machine: an older capture is of a host that remembers nothing"
[ ! -e /var/lib/gpupart ] || fail "this machine has a memory"
cp -r state /var/lib/gpupart
cp -r changing older
sed -i 's/count: 4/count: 2/' $(grep -rl 'count: 4' fleet/clusters)
rm -r older/state
gpupart report --config agent.yaml --dir fleet/clusters --format json older >report
jq -e '.summary.vmsStopped == 0 and .drift == [] and ([.findings[].rule] | index("GP-E503"))' report >/dev/null ||
    fail "another host's capture is judged by what this one remembers: $(cat report)"
ln -s /var/lib/gpupart older/state
gpupart report --config agent.yaml --dir fleet/clusters older >out 2>&1 && fail "a link leads out of a capture"
grep -q 'older/state is a link' out || fail "that it is a link is not told: $(cat out)"
rm -r /var/lib/gpupart

# A directory that is in use is left alone.
mkdir mine
echo kept >mine/file
gp_ends 4 capture mine
expect file ls mine
gp_ends 1 capture no/such/parent
gp_ends 64 capture
gp_ends 64 capture one two

# Every other kind of host that there is, as far as its GPUs go.
for host in "$(dirname "$0")"/../sim/hosts/*.yaml; do
    name=$(basename "$host" .yaml)
    mkdir "root-$name"
    gpusim "$host" "root-$name"
    there=(gpupart --root "$HOME/root-$name" --connect "$LIBVIRT_URI" --state "$HOME/none")
    "${there[@]}" capture "capture-$name" >/dev/null || fail "$name was not captured"
    for format in json text; do
        "${there[@]}" inventory --format $format >there.out || fail "$name is not read"
        gpupart --root "capture-$name" --state "$HOME/none" inventory --format $format >captured.out ||
            fail "$name is not read from its capture"
        cmp there.out captured.out || fail "$name reads otherwise from its capture"
    done
    umount "root-$name"
done

# Without libvirt the guests are missing, and that is told.
bed-libvirtd stop
gp_ends 7 capture alone
[ ! -e alone/libvirt ] || fail "it made up the guests"
expect null jq .guests alone/capture.json
