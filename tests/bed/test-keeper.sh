# The keeper holds what running domains have, and lets go when they stop, or when it dies.
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
took "held after start" soon 2 held 91
held 106 && fail "a domain that does not run holds its partition"
virsh start vm2
soon 2 held 106
virsh shutdown vm1
took "free after shutdown" soon 2 free 91
held 106 || fail "vm2 lost its partition with vm1"
bed-libvirtd kill
took "free after the hypervisor died" soon 2 free 106
