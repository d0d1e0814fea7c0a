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

# Nothing but what was looked at, and nothing of the guests beyond their devices.
expect "capture.json dev etc libvirt proc sys usr" echo $(ls held)
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
