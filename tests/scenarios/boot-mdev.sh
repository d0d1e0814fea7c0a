# Mediated devices after a reboot: each gets the UUID that it had, though somebody else had chosen it, because definitions
# of VMs name it.
# bed: --mock --sim ../sim/hosts/two-a2-mdev.yaml --sim-option --time-scale=0.02
. "$(dirname "$0")/story.bash"
. "$(dirname "$0")/boot-types.bash"

repository
gpusim-sriov-manage -e 0000:0c:00.0 >/dev/null
n=0
for vf in 0000:0c:00.{4,6,7} 0000:0c:01.0; do
    n=$((n + 1))
    for type in "$GPUPART_ROOT/sys/bus/pci/devices/$vf/mdev_supported_types"/*; do
        [ "$(cat "$type/name")" != "NVIDIA A2-4Q" ] || echo "c0ffee0$n-1111-4222-8333-44445555666$n" >"$type/create"
    done
done
declare_slot5 4
gp_ends 0 reconcile
expect 4 grep -c 'c0ffee0[1-4]-' < <(partitions)
boot_story 'fail */mdev_supported_types/*/create 1 EIO'
