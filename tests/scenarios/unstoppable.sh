# Guests that may not be stopped: each is named with the exact reason, nothing of its set is begun, and its neighbours'
# sets proceed. On the real QEMU driver.
# bed: --qemu --sim ../sim/hosts/two-xe.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"
. "$(dirname "$0")/by-hand.bash"

# declare_both COUNT-OF-SLOT-3 COUNT-OF-SLOT-5
declare_both() {
    POOL="    - {name: other, mode: partitioned, match: {vendor: intel}, select: {slots: [\"5\"]}, partitions: {count: $2}}"
    declare_pool "$1" odd plain
    cat >>fleet/clusters/demo.yaml <<END
---
apiVersion: gpupart/v1
kind: GpuBinding
metadata: {name: others, cluster: demo}
spec:
  pool: other
  vms: [{name: other, host: demo}]
END
}

# wait_ready VM: until it heeds the power button.
wait_ready() {
    soon 20 test -s "/var/log/$1.serial"
}

# everything: all that there is of the set in slot 3: the kernel, libvirt, and what is remembered.
everything() {
    local vm
    inventory '.gpus[] | select(.id == "slot3")'
    grep -c 0000:03:0 "$GPUPART_ROOT/gpusim-log" || :
    virsh list --all | grep -v other
    for vm in odd plain; do
        virsh dumpxml --security-info "$vm" 2>&1 || :
        virsh dumpxml --inactive --security-info "$vm" 2>&1 || :
        cat "/run/libvirt/qemu/$vm.pid" 2>/dev/null || :
    done
    jq -S '.applied | with_entries(select(.value.value | startswith("slot5") or . == "partitioned 3" or . == "partitioned 2" | not))' \
        state/applied.json
    ls state/records state/run/holds 2>/dev/null || :
}

# cannot WHY: the set of slot 3 is not begun for what `odd` is, and that of slot 5 is done.
slot3=3 slot5=2
cannot() {
    local why=$1 before after
    slot3=$((7 - slot3)) slot5=$((5 - slot5))
    declare_both $slot3 $slot5
    commit "other counts"
    before=$(everything)
    gp_ends 0 plan
    grep -q "GP-E507.*slot3/.* belongs to VM 'odd', .*$why" out || fail "the plan does not say that odd $why: $(cat out)"
    gp_ends 0 reconcile
    after=$(everything)
    [ "$before" = "$after" ] || fail "something was begun: $(diff <(echo "$before") <(echo "$after"))"
    expect "$slot5" inventory '.gpus[] | select(.id == "slot5") | .count'
    [[ " $(running) " == *" other "* ]] || fail "the neighbour does not run: $(running)"
    gp_ends 0 status
    grep -q "^gpu/slot3 .*Blocked.* GP-E507: .*'odd'.*$why" out || fail "the status does not say that odd $why: $(cat out)"
    wait_ready other
}

# may: it is as any other again, and what waited is done.
may() {
    gp_ends 0 reconcile
    expect "$slot3" inventory '.gpus[] | select(.id == "slot3") | .count'
    expect "odd other plain" running
    wait_ready plain
    wait_ready odd
    converged
}

# start_odd: and wait until it heeds the power button.
start_odd() {
    virsh -q start odd >/dev/null
    wait_ready odd
}

# redefine_odd SED-SCRIPT: as somebody with an editor does, while it is off.
redefine_odd() {
    virsh -q destroy odd >/dev/null
    virsh dumpxml --inactive --security-info odd | sed "$1" >odd.xml
    virsh -q define odd.xml >/dev/null
    start_odd
}

repository
declare_both $slot3 $slot5
commit "three and two"
for vm in odd plain other; do
    bed-domain "$vm" --define
done
gp_ends 0 reconcile
start odd plain other
for vm in odd plain other; do
    wait_ready "$vm"
done
converged

# ---- paused ----
virsh -q suspend odd
cannot "is paused, and cannot answer a request to stop"
virsh -q resume odd
may

# ---- it would start again by itself ----
redefine_odd 's#<on_poweroff>destroy<#<on_poweroff>restart<#'
cannot "has on_poweroff 'restart', and would not be off after it stopped (needs 'destroy')"
redefine_odd 's#<on_poweroff>restart<#<on_poweroff>destroy<#'
may

# ---- another manager's, running and off ----
virsh -q metadata odd http://openstack.org/xmlns/libvirt/nova/1.1 --key nova --set '<instance/>' --config --live
cannot "is managed by OpenStack Nova (http://openstack.org/xmlns/libvirt/nova/1.1)"
virsh -q destroy odd >/dev/null
slot3=$((7 - slot3))
cannot "is managed by OpenStack Nova (http://openstack.org/xmlns/libvirt/nova/1.1)"
virsh -q metadata odd http://openstack.org/xmlns/libvirt/nova/1.1 --remove --config
start_odd
may

# ---- what was saved holds what it was saved with ----
virsh -q managedsave odd >/dev/null
cannot "has a managed-save image, which holds the devices it was saved with"
virsh -q managedsave-remove odd
start_odd
may

# ---- a disk is being copied ----
truncate -s 1M disk.img
disk="<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='$HOME/disk.img'/><target dev='vdb' bus='virtio'/></disk>"
redefine_odd "s#</emulator>#&$disk#"
virsh -q blockcopy odd vdb --dest "$HOME/copy.img" --format raw --transient-job --wait >/dev/null
cannot "has a block job running (a disk is being copied or committed)"
virsh -q blockjob odd vdb --abort
may

# ---- a backup is running ----
cat >backup.xml <<END
<domainbackup mode='pull'>
  <server transport='unix' socket='$HOME/nbd'/>
  <disks><disk name='vdb' backup='yes' type='file'><scratch file='$HOME/scratch'/></disk></disks>
</domainbackup>
END
virsh -q backup-begin odd backup.xml >/dev/null
cannot "has a job running (backup, migration, save or dump)"
virsh -q domjobabort odd
soon 20 eval 'virsh domjobinfo odd | grep -q None'
may

# ---- transient: once stopped, it would be gone ----
virsh -q destroy odd >/dev/null
virsh dumpxml --inactive --security-info odd >odd.xml
virsh -q undefine odd
virsh -q create odd.xml >/dev/null
wait_ready odd
cannot "'odd' is transient: it is gone once it is stopped, so nothing of it can be changed"
virsh -q define odd.xml >/dev/null
may
