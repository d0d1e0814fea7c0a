# The timer's unit and the daemon under the service manager, hardening and all: both do a whole repartition. What the
# hardening takes away is tried and not believed.
# lab: trixie bookworm
# gpus: b50 b50

vfs_are() {
    [ "$(cat "$devices/0000:01:00.0/sriov_numvfs")" = "$1" ]
}

units=(gpupart-boot.service gpupart.service gpupart-reconcile.service gpupart-reconcile.timer)
systemd-analyze verify --man=no "${units[@]}"
for unit in gpupart-boot gpupart gpupart-reconcile; do
    systemd-analyze security --no-pager "$unit.service" | tail -n 1
done

# ---- what a unit's process can and cannot do ----
# as_unit COMMAND…: in a service with the hardening of the timer's unit.
as_unit() {
    local properties
    mapfile -t properties < <(sed -n 's/^\(Protect[A-Za-z]*\|Private[A-Za-z]*\|Restrict[A-Za-z]*\|LockPersonality\|MemoryDenyWriteExecute\|NoNewPrivileges\|SystemCall[A-Za-z]*\|CapabilityBoundingSet\|StateDirectory\)=/-p\n\1=/p' \
        /usr/local/lib/systemd/system/gpupart-reconcile.service)
    systemd-run --quiet --wait --pipe --collect "${properties[@]}" sh -c "$*"
}
as_unit "echo 0 >$devices/0000:01:00.0/sriov_numvfs" || fail "the unit may not write to sysfs"
as_unit "ls /dev/vfio >/dev/null && ls /proc/1/fd >/dev/null" || fail "the unit does not see who holds a device"
as_unit "touch /var/lib/gpupart/written" || fail "the unit may not write to its state"
! as_unit "touch /usr/written" 2>/dev/null || fail "the unit may write to /usr"
! as_unit "ls /root/* >/dev/null; touch /root/written" 2>/dev/null || fail "the unit may write to /root"
! as_unit "unshare --net true" 2>/dev/null || fail "the unit may make namespaces"
! as_unit "date -s 2001-01-01" 2>/dev/null || fail "the unit may set the clock"

# So what a pass needs is loaded before it, outside: vfio-pci for its VFs, pci-pf-stub for the vendor's tool.
modprobe -r pci-pf-stub vfio-pci
! as_unit "modprobe pci-pf-stub" 2>/dev/null || fail "the unit may load modules"
[ ! -e /sys/bus/pci/drivers/vfio-pci ] || fail "vfio-pci is still loaded"

# ---- the timer ----
repository
pool 2 1 vdi-1
domain vdi-1
systemctl start gpupart-reconcile.timer
soon 400 vfs_are 2
soon 300 eval '[ "$(systemctl show -p ActiveState --value gpupart-reconcile.service)" = inactive ]'
expect success systemctl show -p Result --value gpupart-reconcile.service
[ -e /sys/bus/pci/drivers/pci-pf-stub ] || fail "pci-pf-stub was not loaded before the pass"
[ -n "$(given vdi-1)" ] || fail "the VM has no partition"
start vdi-1
expect "$(group_of "$(given vdi-1)")" groups vdi-1

# ---- the daemon, which takes the timer's place ----
systemctl start gpupart.service
expect inactive eval 'systemctl is-active gpupart-reconcile.timer || :'
expect active systemctl is-active gpupart.service
pool 3 1 vdi-1
systemctl reload gpupart.service
soon 600 vfs_are 3
soon 300 eval '[ "$(running)" = vdi-1 ]'
soon 300 eval '[ -z "$(ls /var/lib/gpupart/records 2>/dev/null)" ]'
expect "$(group_of "$(given vdi-1)")" groups vdi-1
# It says that it lives, and ends in good order.
systemctl show -p StatusText,WatchdogUSec,NRestarts gpupart.service
expect 0 systemctl show -p NRestarts --value gpupart.service
systemctl stop gpupart.service
expect success systemctl show -p Result --value gpupart.service
converged
