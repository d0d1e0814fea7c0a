# The vendor's tool fails when the GPU is on pci-pf-stub and leaves it there: a later pass brings it back and finishes. So it
# does when the tool left it without any driver, and it waits for one who has the GPU open.
# lab: trixie
# gpus: a2 a2

pf=$devices/0000:01:00.0

driver() {
    basename "$(readlink "$pf/driver")" 2>/dev/null
}

repository
declare_pools \
    <<<'{name: vdi, mode: partitioned, match: {model: NVIDIA A2}, select: {slots: ["1"]}, partitions: {profile: NVIDIA A2-4Q}}'
commit "one A2"
# again: a new commit, for which nothing has failed yet.
again() {
    commit "again" --allow-empty
}

# ---- somebody has it open ----
echo 1 >/sys/module/labgpu/parameters/in_use
gp reconcile >out 2>err && fail "it cannot have succeeded: $(cat out)"
cat err
expect nvidia driver
echo 0 >/sys/module/labgpu/parameters/in_use

# ---- the tool leaves it on pci-pf-stub ----
again
echo 1 >/run/sriov-manage-fails
gp reconcile >out 2>err && fail "it cannot have succeeded: $(cat out)"
cat err
expect pci-pf-stub driver
again
gp_ends 0 reconcile
cat out
expect nvidia driver
expect 4 cat "$pf/sriov_numvfs"
expect "746 746 746 746" eval "cat $pf/virtfn*/nvidia/current_vgpu_type | xargs"
converged

# ---- the driver does not take it back: it is left without any ----
gpus a2 a2
again
echo 1 >/sys/module/labgpu/parameters/probe_fails
gp reconcile >out 2>err || :
cat out err
again
gp_ends 0 reconcile
expect nvidia driver
expect "746 746 746 746" eval "cat $pf/virtfn*/nvidia/current_vgpu_type | xargs"
converged
