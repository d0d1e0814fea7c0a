# kill -9 of gpupart, and of libvirtd, in the middle of a repartition: the next pass converges, no VM that ran stays down, and
# QEMU outlives libvirtd.
# lab: trixie bookworm
# gpus: b50 b50

declare_count() {
    cat >fleet/clusters/demo.yaml <<END
apiVersion: gpupart/v1
kind: GpuCluster
metadata: {name: demo}
spec:
  hosts: [{name: lab}]
  pools:
    - {name: vdi, mode: partitioned, match: {vendor: intel}, select: {slots: ["1"]}, partitions: {count: $1}}
  acceptRisk: [boot-display, nested]
  policy:
    stop: {timeout: 300s, method: [acpi]}
---
apiVersion: gpupart/v1
kind: GpuBinding
metadata: {name: desktops, cluster: demo}
spec:
  pool: vdi
  vms: [{name: "vdi-*", host: lab}]
END
    commit "$1 partitions" --allow-empty
}

# told EVENT STEP: the journal has this of the pass that runs.
told() {
    journal "select(.GPUPART_EVENT == \"$1\" and (.MESSAGE | startswith(\"$2\"))) | .MESSAGE" | sed "1,${already}d" | grep -q .
}

# at EVENT STEP COUNT: a pass to COUNT partitions in the background, in $pass, when it is there.
at() {
    already=$(journal "select(.GPUPART_EVENT == \"$1\" and (.MESSAGE | startswith(\"$2\"))) | .MESSAGE" | wc -l)
    declare_count "$3"
    gpupart reconcile >out 2>err &
    pass=$!
    soon 300 told "$1" "$2"
}

# recovered COUNT
recovered() {
    gp_ends 0 reconcile
    expect "$1" cat "$devices/0000:01:00.0/sriov_numvfs"
    expect "vdi-1 vdi-2" running
    for n in 1 2; do
        expect "$(group_of "$(given "vdi-$n")")" groups "vdi-$n"
        soon 120 is_up "vdi-$n"
    done
    converged
}

repository
declare_count 2
domain vdi-1
domain vdi-2
gp_ends 0 reconcile
start vdi-1 vdi-2
converged

# ---- gpupart ----
at step-done stop-vm 3
kill -9 "$pass"
wait "$pass" || :
recovered 3
at step-start set-vf-count 4
kill -9 "$pass"
wait "$pass" || :
recovered 4

# ---- libvirtd, which the service manager starts again ----
at step-done set-vf-count 2
systemctl kill --signal=KILL libvirtd.service
wait "$pass" || cat err
recovered 2
