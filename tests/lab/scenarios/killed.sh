# kill -9 of gpupart, and of libvirtd, in the middle of a repartition: the next pass converges, no VM that ran stays down, and
# QEMU outlives libvirtd.
# lab: trixie bookworm
# gpus: b50 b50

# told EVENT STEP: the journal has this of the pass that runs.
told() {
    journal "select(.GPUPART_EVENT == \"$1\" and (.MESSAGE | startswith(\"$2\"))) | .MESSAGE" | sed "1,${already}d" | grep -q .
}

# at EVENT STEP COUNT: a pass to COUNT partitions in the background, in $pass, when it is there.
at() {
    already=$(journal "select(.GPUPART_EVENT == \"$1\" and (.MESSAGE | startswith(\"$2\"))) | .MESSAGE" | wc -l)
    pool "$3" 1 "vdi-*"
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
pool 2 1 "vdi-*"
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
