# The mock hypervisor: empty at first, shared by all connections, forgetful when its daemon dies.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/expect.bash"

if [ "${1:-}" != inside ]; then
    took "bed with the mock, and its test" bed --mock "$FOLDER/bed" bash -eu "$0" inside
    exit
fi

expect '' virsh -c "$LIBVIRT_URI" list --all --name
bed-domain vm1 --hostdev 0000:08:00.4,ua-gpupart-0 --hostdev 6f2c1a1d-9e10-4c11-9b57-0c2f1a1d9e10 --start
bed-domain vm2 --uuid 7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9e10 --define
expect 'vm1
vm2' virsh list --all --name
expect 7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9e10 virsh domuuid vm2
expect '<alias name="ua-gpupart-0"/>' virsh dumpxml vm1 --xpath "//hostdev[@type='pci']/alias"
state_is vm1 running || fail "vm1 does not run"
state_is vm2 'shut off' || fail "vm2 runs"
virsh shutdown vm1
soon 5 state_is vm1 'shut off'

took "libvirtd killed and restarted" bash -c 'bed-libvirtd kill; bed-libvirtd start'
expect '' virsh list --all --name
expect_status 1 virsh -c qemu:///system list # no driver but the mock
