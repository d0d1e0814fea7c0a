# A mock's domain holds its partitions from the answer to its start until before the answer to its end, and while nothing
# came of either; nobody's are held once the hypervisor is dead.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/expect.bash"

if [ "${1:-}" != inside ]; then
    exec bed --mock "$FOLDER/bed" bash -eu "$0" inside
fi

vf=0000:08:00.4 mdev=6f2c1a1d-9e10-4c11-9b57-0c2f1a1d9e10
mkdir -p "$BED"/root/{dev/vfio,sys/bus/pci/devices/$vf,sys/bus/mdev/devices/$mdev,sys/kernel/iommu_groups/{91,106}}
ln -s ../../../../kernel/iommu_groups/91 "$BED/root/sys/bus/pci/devices/$vf/iommu_group"
ln -s ../../../../kernel/iommu_groups/106 "$BED/root/sys/bus/mdev/devices/$mdev/iommu_group"
touch "$BED"/root/dev/vfio/{91,106}

held() {
    find /proc/[0-9]*/fd -lname "$BED/root/dev/vfio/$1" 2>/dev/null | grep -q .
}
free() {
    ! held "$1"
}

bed-domain vm1 --hostdev $vf --start
bed-domain vm2 --hostdev $mdev --define
held 91 || fail "what was started holds nothing"
held 106 && fail "a domain that does not run holds its partition"
virsh start vm2
held 106 || fail "what was started holds nothing"
expect_status 1 virsh shutdown vm2 --mode agent
held 106 || fail "a shutdown that was refused took the partition away"
virsh shutdown vm1
held 91 && fail "what was shut down holds its partition"
held 106 || fail "vm2 lost its partition with vm1"
virsh destroy vm2
held 106 && fail "what was destroyed holds its partition"
virsh start vm2
bed-libvirtd kill
took "free after the hypervisor died" soon 2 free 106
