# A write that the kernel does not come back from within its time: it may still happen, and take the VFs away from under
# whoever runs by then. So nobody is started on that GPU, by the pass or by a person, and no other pass works beside it,
# until it has come back; the pass after that does what was to be done. On the real QEMU driver, which asks the hook.
# bed: --qemu --sim ../sim/hosts/two-xe.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"

mkdir -p /etc/libvirt/hooks/qemu.d
cp "$GPUPART_BIN/gpupart-hook" /etc/libvirt/hooks/qemu.d/gpupart
ln -s "$HOME/state/run" /run/gpupart
bed-libvirtd restart # it looks for hooks when it starts

writers() {
    ps -e -o comm= | grep -c '^gpupart-write' || :
}
no_writer() {
    [ "$(writers)" -eq 0 ]
}

vms="vdi-1, vdi-2"
repository
desktops 4 20s "$vms"
commit "four partitions"
for vm in vdi-1 vdi-2; do
    bed-domain "$vm" --define
done
gp_ends 0 reconcile
start vdi-1
heed vdi-1
converged

echo "it hangs: nobody is started under it, and who is down is named"
desktops 3 20s "$vms"
commit "three"
echo 'hang */sriov_numvfs' >"$GPUPART_ROOT/gpusim-control"
gp_ends 6 reconcile
expect "" running
grep -q 'VM vdi-1 is down (.*a write to GPU slot5 .*reboot.*): virsh start vdi-1' err || fail "not told: $(cat err)"
grep -q 'vdi-2 is down' err && fail "vdi-2 was off before: $(cat err)"
expect 1 writers
[ -n "$(ls state/records)" ] || fail "there is no record of what was begun"
for vm in vdi-1 vdi-2; do
    ! virsh -q start "$vm" 2>start.err || fail "$vm was started under the write"
    grep -q 'gpupart.*slot5' start.err || fail "$vm was refused for another reason: $(cat start.err)"
done

echo "no other pass works beside it"
gp_ends 8 reconcile
grep -q 'a process that it started still runs' err || fail "why not is not told: $(cat err)"
expect "" running
expect 1 writers

echo "it comes back, and what was to be done is done"
echo unhang >"$GPUPART_ROOT/gpusim-control"
soon 20 no_writer
gp_ends 0 reconcile
expect vdi-1 running
expect 3 inventory '.gpus[] | select(.id == "slot5") | .count'
expect "" ls state/records
expect "" ls state/run/holds
heed vdi-1
converged
