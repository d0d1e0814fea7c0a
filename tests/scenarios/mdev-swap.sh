# NVIDIA drivers that remove the mdev of each guest that ends: two guests exchange their GPUs, neither of which is cut anew. The
# mdevs are made again before anybody is to start with them, on the way back too; where one cannot be, its guest is not started
# without it, and is named.
# bed: --mock --proxy --sim ../sim/hosts/two-a2-mdev.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"
DECLARED_TIMEOUT=3s

# declare_vms VM-OF-SLOT-3 VM-OF-SLOT-5
declare_vms() {
    declare_pools "first $1" "second $2" <<'END'
{name: first, mode: partitioned, hosts: [demo], match: {model: NVIDIA A2}, select: {slots: ["3"]}, partitions: {profile: A2-16Q}}
{name: second, mode: partitioned, hosts: [demo], match: {model: NVIDIA A2}, select: {slots: ["5"]}, partitions: {profile: A2-16Q}}
END
    sed -i '/^    {name: /s/^    /    - /' fleet/clusters/demo.yaml
    commit "$*" --allow-empty
}

# has VM SLOT: it runs, with the mdev of that GPU.
has() {
    virsh list --name --state-running | grep -qx "$1" || fail "$1 does not run"
    expect "$1" inventory ".gpus[] | select(.id == \"slot$2\") | .partitions[] | .vm"
}

for mdev in "$GPUPART_ROOT"/sys/bus/mdev/devices/*; do
    echo 1 >"$mdev/remove"
done
repository
bed-domain vdi-1 --define
bed-domain vdi-2 --define
declare_vms vdi-1 vdi-2
gp_ends 0 reconcile
start vdi-1 vdi-2
converged
echo 'self-remove-ms 10000' >"$GPUPART_ROOT/gpusim-control" # half a second

declare_vms vdi-2 vdi-1
gp_ends 0 reconcile
has vdi-2 3
has vdi-1 5
converged

# ---- one of them does not stop: the other has what it had ----
printf 'swallow shutdown vdi-1\nswallow shutdown-flags vdi-1\n' >"$BED/proxy.control"
declare_vms vdi-1 vdi-2
gp_ends 5 reconcile
has vdi-2 3
has vdi-1 5

# ---- the other cannot have it again: QEMU would not start without it, and nobody takes it out of the definition ----
given=$(partition vdi-2)
printf '%s\n' 'fail create-flags vdi-2' >>"$BED/proxy.control"
echo 'fail */create all EIO' >"$GPUPART_ROOT/gpusim-control"
declare_vms vdi-1 vdi-2 # another commit, so that it is tried at once
gp_ends 6 reconcile
grep -q "VM vdi-2 is down.*virsh start vdi-2" err || fail "it is not told who is down: $(cat err)"
expect vdi-1 running
expect "$given" partition vdi-2

# ---- until it can: the GPU whose mdev is missing was not to be changed then, and is now ----
: >"$BED/proxy.control"
echo clear >"$GPUPART_ROOT/gpusim-control"
declare_vms vdi-1 vdi-2
gp_ends 0 reconcile
expect "" ls state/records
has vdi-1 3
has vdi-2 5
converged
