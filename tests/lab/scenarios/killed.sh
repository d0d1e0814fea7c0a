# kill -9 of gpupart, and of libvirtd, in the middle of a repartition: the next pass converges, no VM that ran stays down, and
# QEMU outlives libvirtd.
# lab: bookworm
# gpus: b50 b50

# at EVENT STEP COUNT: a pass to COUNT partitions in the background, in $pass, when it is there. Followed and not asked again and
# again, so that it is not past it.
at() {
    local cursor
    cursor=$(journalctl -q -n 1 --show-cursor | sed -n 's/^-- cursor: //p')
    pool "$3" 1 "vdi-*"
    gpupart reconcile >out 2>err &
    pass=$!
    grep -q "^$2" <(timeout 1200 journalctl -q -f --no-tail -o cat --after-cursor "$cursor" SYSLOG_IDENTIFIER=gpupart GPUPART_EVENT="$1") ||
        fail "the pass never was at $1 $2: $(cat out err)"
}

# killed WHO EVENT STEP COUNT: WHO is killed when a pass to COUNT partitions is there. The next pass finishes that or goes back, and
# both guests run with a partition of their own; what went back is tried again with the next commit.
killed() {
    local status=0
    at "$2" "$3" "$4"
    case $1 in
    gpupart) kill -9 "$pass" ;;
    libvirtd) systemctl kill --signal=KILL libvirtd.service ;;
    esac
    wait "$pass" 2>/dev/null || status=$?
    echo "$1 killed at $2 $3: the pass ended with $status"
    gp_ends_in "0 5" reconcile
    expect "vdi-1 vdi-2" running
    expect "" ls /var/lib/gpupart/records
    [ "$status" = 0 ] || pool "$4" 1 "vdi-*"
    gp_ends 0 reconcile
    expect "$4" cat "$devices/0000:01:00.0/sriov_numvfs"
    expect "vdi-1 vdi-2" running
    for n in 1 2; do
        expect "$(group_of "$(given "vdi-$n")")" groups "vdi-$n"
        soon 120 is_up "vdi-$n"
    done
}

repository
pool 2 1 "vdi-*"
domain vdi-1
domain vdi-2
gp_ends 0 reconcile
start vdi-1 vdi-2

# The bed's stories kill at every moment (crash, libvirtd-dies); here those between which the kernel and QEMU are at work.
killed gpupart step-done stop-vm 3
killed gpupart step-done set-vf-count 2
killed gpupart step-start start-vm 3
# The service manager starts it again.
killed libvirtd step-done set-vf-count 2
killed libvirtd step-start start-vm 3
converged
