# Simulated devices: libvirt takes them for real, and they are in use while a guest runs.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/expect.bash"

host=$(dirname "$0")/test-host.yaml

if [ "${1:-}" = hung ]; then
    # A writer in the kernel's hands, whom no signal reaches.
    echo 'hang */0000:0c:00.0/sriov_numvfs' >"$GPUPART_ROOT/gpusim-control"
    echo 0 >"$GPUPART_ROOT/sys/bus/pci/devices/0000:0c:00.0/sriov_numvfs" &
    soon 5 grep -q ' pending .*sriov_numvfs' "$GPUPART_ROOT/gpusim-log"
    kill -KILL $!
    sleep .2
    kill -0 $! || fail "the writer does not hang"
    touch "$BED/up"
    wait
    exit
fi

if [ "${1:-}" != inside ]; then
    for mode in mock qemu; do
        took "bed with the simulator and $mode, and its test" \
            bed --$mode --sim "$host" --sim-option --time-scale=0.01 \
            "$FOLDER/$mode" bash -eu "$0" inside $mode
    done

    cat /proc/self/mountinfo >before
    bed --sim "$host" "$FOLDER/hung" bash -eu "$0" hung &
    soon 20 test -e "$FOLDER/hung/up"
    nobody() {
        ! grep -qlz "^BED=$FOLDER/hung$" /proc/[0-9]*/environ 2>/dev/null
    }
    nobody && fail "cannot tell who is in the bed"
    kill -KILL $!
    took "all gone, a hung writer too" soon 5 nobody
    cmp before /proc/self/mountinfo || fail "a mount stayed"
    rm -r "$FOLDER/hung"
    exit
fi

gpu=0000:08:00.0 mdev=3deab9a4-200a-4c54-99b1-5eb0722d1d81
expect kvm-sim hostname
expect 5f0c1d2e3b4a59687786958493a2b1c0 cat /etc/machine-id
expect 0x10de cat "$GPUPART_ROOT/sys/bus/pci/devices/$gpu/vendor"

group() {
    basename "$(readlink "$GPUPART_ROOT/sys/bus/$1/devices/$2/iommu_group")"
}
free() {
    (: <"$GPUPART_ROOT/dev/vfio/$1") 2>/dev/null
}
held() {
    ! free "$1"
}
gpu_group=$(group pci $gpu)
mdev_group=$(group mdev $mdev)
[ "$gpu_group" != "$mdev_group" ]
free "$gpu_group" || fail "held before"
free "$mdev_group" || fail "held before"

bed-domain vm1 --hostdev $gpu,ua-gpupart-0 --start
bed-domain vm2 --hostdev $mdev --start
soon 2 held "$gpu_group"
soon 2 held "$mdev_group"

if [ "$2" = qemu ]; then
    # libvirt reads the same devices and refuses to give one away twice; QEMU starts with none missing.
    expect 0x10de cat "/sys/bus/pci/devices/$gpu/vendor"
    find /proc/[0-9]*/fd -lname "$GPUPART_ROOT/dev/vfio/$gpu_group" 2>/dev/null >holder
    expect 1 grep -c . holder
    expect qemu-system-x86 cat "$(sed 's|/fd/.*|/comm|' holder)"
    for device in $gpu $mdev 0000:08:00.7; do
        expect_status 1 bed-domain thief --hostdev "$device" --start
    done
fi

virsh shutdown vm1
soon 10 free "$gpu_group"
held "$mdev_group" || fail "vm2 lost its partition with vm1"
virsh destroy vm2
soon 2 free "$mdev_group"
