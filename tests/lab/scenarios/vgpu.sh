# Two A2 with the vendor's VFIO framework: VFs by its tool, which goes through pci-pf-stub, types by its attributes. Where
# libvirt starts a guest with a VF that stays on the vendor's driver, the whole story; where it does not, the plan says so
# before anything is stopped or changed.
# lab: trixie bookworm
# gpus: a2 a2

declare_profile() {
    declare_pools "vdi vdi-1 vdi-2" <<<"{name: vdi, mode: partitioned, match: {model: NVIDIA A2}, partitions: {profile: $1}}"
    commit "$1"
}

types() {
    cat "$devices"/0000:0[12]:00.0/virtfn*/nvidia/current_vgpu_type | sort | uniq -c | xargs
}

repository
declare_profile "NVIDIA A2-4Q"
for n in 1 2; do
    domain "vdi-$n"
done
libvirt=$(virsh version --daemon | sed -n 's/^Running against daemon: \([0-9]*\).*/\1/p')
if [ "$libvirt" -lt 10 ]; then
    # Such a driver on a kernel that old is nobody's but the lab's: its VFs must be there for it to be seen.
    /usr/lib/nvidia/sriov-manage -e ALL
    start vdi-1
    pid=$(cat /run/libvirt/qemu/vdi-1.pid)
    gp plan --detailed-exitcode >out 2>&1 || :
    cat out
    grep -q 'needs libvirt 10' out || fail "the plan does not say which libvirt is needed"
    gp reconcile >out 2>&1 || :
    cat out
    expect "8 0" types
    expect "$pid" cat /run/libvirt/qemu/vdi-1.pid
    expect "" partition vdi-1
    exit 0
fi

# The kernel refuses what the vendor's driver has no callback for.
! (echo 4 >"$devices/0000:01:00.0/sriov_numvfs") 2>refusal || fail "VFs were made by hand"
grep -q 'No such file or directory' refusal || fail "refused for another reason: $(cat refusal)"
gp_ends 2 plan --detailed-exitcode
gp_ends 0 reconcile
cat out
expect "8 746" types
expect "nvidia" eval "for vf in $devices/0000:0[12]:00.0/virtfn*; do basename \$(readlink \$vf/driver); done | sort -u"
start vdi-1 vdi-2
for n in 1 2; do
    expect "$(group_of "$(given "vdi-$n")")" groups "vdi-$n"
done
converged

# ---- another size under running guests: a type cannot be cleared for a moment after its guest is gone ----
echo 3000 >/sys/module/labgpu/parameters/teardown_ms
declare_profile "NVIDIA A2-8Q"
gp_ends 0 reconcile
cat out
expect "4 0 4 747" types
expect "vdi-1 vdi-2" running
for n in 1 2; do
    expect "$(group_of "$(given "vdi-$n")")" groups "vdi-$n"
    expect 747 cat "$devices/$(given "vdi-$n")/nvidia/current_vgpu_type"
done
converged
