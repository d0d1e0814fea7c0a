# A vGPU type whose number is not public, on a GPU that had no VFs: only the host tells the number, once they are there. What
# was planned by its name is done by that number, and found, and taken back.
# bed: --mock --sim ../sim/hosts/two-a2.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"

# declare_slot3 "mode: …": what pool vdi makes of it, for vdi-1.
declare_slot3() {
    declare_pools "vdi vdi-1" <<<"{name: vdi, hosts: [demo], match: {model: NVIDIA A10}, select: {slots: [\"3\"]}, $1}"
    commit "$1"
}

# types: the numbers that the VFs of the card have.
types() {
    cat "$GPUPART_ROOT"/sys/bus/pci/devices/0000:08:0*/nvidia/current_vgpu_type | sort | uniq -c | xargs
}

repository
echo 'remove slot3' >"$GPUPART_ROOT/gpusim-control"
echo 'replace slot3 a10-compute 1324021002222' >"$GPUPART_ROOT/gpusim-control"
bed-domain vdi-1 --define
declare_slot3 "mode: passthrough"
gp_ends 0 reconcile
virsh -q start vdi-1
expect vdi-1 running

declare_slot3 "mode: partitioned, partitions: {profile: A10-8C}"
gp_ends 0 reconcile
expect "29 0 3 9103" types
expect vdi-1 running
converged
gp_ends 0 drift

# ---- another one, which cannot be made: the way back goes by the number that was found ----
echo 'fail current_vgpu_type 4 EIO' >"$GPUPART_ROOT/gpusim-control" # after three that are cleared
declare_slot3 "mode: partitioned, partitions: {profile: A10-12C}"
gp_ends 5 reconcile
expect "29 0 3 9103" types
expect vdi-1 running
