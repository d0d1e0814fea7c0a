# Two GPUs from no VFs to four each; four guests are bound and started, and their QEMU holds the VF that is theirs. A second
# pass has nothing to do.
# lab: trixie bookworm
# gpus: b50 b50

repository
pool 4 1,2 vdi-{1..4}
for n in 1 2 3 4; do
    domain "vdi-$n"
done
start vdi-1 vdi-3
before=$(canonical vdi-{1..4})

gp_ends 2 plan --detailed-exitcode
cat out
expect "0 0" inventory '[.gpus[].count] | join(" ")'
expect "0 0" eval "cat $devices/0000:0[12]:00.0/sriov_numvfs | xargs"
gp_ends 0 reconcile
cat out
expect "4 4" inventory '[.gpus[].count] | join(" ")'
expect "4 4" eval "cat $devices/0000:0[12]:00.0/sriov_numvfs | xargs"
# What the kernel's own driver has: each VF on vfio-pci and in a group of its own.
for vf in "$devices"/0000:0[12]:00.0/virtfn*; do
    expect vfio-pci sh -c "basename \$(readlink '$vf/driver')"
done
expect 8 sh -c "readlink $devices/0000:0[12]:00.0/virtfn*/iommu_group | sort -u | wc -l"

# Those that ran run again, and those that did not do not.
expect "vdi-1 vdi-3" running
start vdi-2 vdi-4
expect "vdi-1 vdi-2 vdi-3 vdi-4" running
for n in 1 2 3 4; do
    expect "$(group_of "$(given "vdi-$n")")" groups "vdi-$n"
done
expect 4 eval 'for n in 1 2 3 4; do given "vdi-$n"; done | sort -u | wc -l'
[ "$before" = "$(canonical vdi-{1..4})" ] || fail "something else of a definition changed"
converged
