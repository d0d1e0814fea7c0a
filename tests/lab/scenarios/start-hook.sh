# The start hook under the real libvirtd: in the middle of a repartition neither `virsh start` nor autostart starts a VM that the
# pass stopped, and at no time one whose device is not what it was given. Other VMs are started as ever.
# lab: bookworm
# gpus: b50 b50

# refused VM TEXT: it cannot be started, and libvirt's reason has TEXT.
refused() {
    ! virsh start "$1" >start.out 2>start.err || fail "$1 was started"
    grep -q "$2" start.err || fail "$1 was refused for another reason: $(cat start.err)"
    cat start.err
}

# not_autostarted VM TEXT: how often libvirtd said so, with a reason of the hook that has TEXT.
not_autostarted() {
    journalctl -u libvirtd.service -o cat --no-pager | grep -c "autostart.*$1.*gpupart: .*$2" || :
}

# autostart_again: what libvirtd does once a boot.
autostart_again() {
    systemctl stop libvirtd.service libvirtd{,-ro,-admin}.socket
    rm -f /run/libvirt/qemu/autostarted
    systemctl start libvirtd.service
    virsh -q list >/dev/null
}

repository
pool 2 1 vdi-1 vdi-2
domain vdi-1
domain vdi-2 guest-ignores
domain plain
virsh -q autostart vdi-1
virsh -q autostart plain
gp_ends 0 reconcile
start vdi-1
virsh -q start vdi-2

# ---- in the middle of a pass, which waits for a guest that does not stop ----
pool 3 1 vdi-1 vdi-2
gp reconcile >out 2>err &
pass=$!
soon 300 state_is vdi-1 'shut off'
refused vdi-1 'gpupart is changing slot1'
autostart_again
soon 300 eval '[ "$(not_autostarted vdi-1 "this VM cannot be started now: gpupart is changing slot1")" -eq 1 ]'
soon 300 state_is plain running
expect "plain vdi-2" running
# The pass lost its libvirtd: it goes back, or leaves that to the next.
status=0
wait "$pass" || status=$?
cat out err
case $status in 5 | 6) ;; *) fail "the pass ended with $status" ;; esac
virsh -q destroy vdi-2
[ $status = 5 ] || gp_ends 5 reconcile
soon 300 is_up vdi-1
commit "again" --allow-empty
gp_ends 0 reconcile
cat out
expect 3 cat "$devices/0000:01:00.0/sriov_numvfs"
state_is vdi-1 running || fail "vdi-1 does not run"
expect 0 eval 'ls /run/gpupart/holds | wc -l'
converged

# ---- another card in its place, with a VF at the same address ----
for vm in $(running); do
    virsh -q destroy "$vm"
done
echo 0 >$devices/0000:01:00.0/sriov_numvfs
refused vdi-1 'slot1/[0-9] is not what this VM was given'
gpus a2 b50
/usr/lib/nvidia/sriov-manage -e 0000:01:00.0
[ -e "$devices/$(given vdi-1)" ] || fail "there is no VF at that address"
refused vdi-1 "slot1/[0-9] is not what this VM was given: .* is '0x10de', not '0x8086'"
autostart_again
soon 300 eval '[ "$(not_autostarted vdi-1 "slot1/[0-9] is not what this VM was given")" -eq 1 ]'
soon 300 state_is plain running
expect plain running

# ---- the card that it was, whose VFs the next pass makes again ----
gpus b50 b50
gp_ends 0 reconcile
cat out
start vdi-1
expect "$(group_of "$(given vdi-1)")" groups vdi-1
converged
