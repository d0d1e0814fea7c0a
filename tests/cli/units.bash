# units.bash FOLDER-OF-UNITS PROGRAM FOLDER: systemd takes the units as they are installed, and what passes need is open.
set -eu
units=$1 program=$2 folder=$3
rm -rf "$folder"
mkdir -p "$folder"
command -v systemd-analyze >/dev/null || exit 77
for unit in "$units"/*; do
    # The program where it was built; all else as it is.
    sed "s|^ExecStart=[^ ]*|ExecStart=$program|" "$unit" >"$folder/$(basename "$unit")"
done
told=$(systemd-analyze verify --man=no --recursive-errors=no "$folder"/* 2>&1) || { echo "$told" >&2; exit 1; }
[ -z "$told" ] || { echo "systemd has something to say: $told" >&2; exit 1; }

status=0
# Modules that are not there when a pass wants them cannot be loaded from inside of the sandbox.
for unit in "$folder"/*.service; do
    grep -qx 'ExecStartPre=-+/sbin/modprobe --all --quiet vfio-pci pci-pf-stub' "$unit" || { echo "$unit: no modprobe" >&2; status=1; }
    ! grep '^CapabilityBoundingSet=' "$unit" | grep -q CAP_SYS_MODULE || { echo "$unit: CAP_SYS_MODULE" >&2; status=1; }
done
for unit in "$folder"/gpupart.service "$folder"/gpupart-reconcile.service; do
    # These would take away what a pass needs: sysfs, /dev/vfio, /proc of others, modules that the kernel loads.
    for closed in ProtectKernelTunables=yes PrivateDevices=yes ProtectProc= ProcSubset= PrivateNetwork=yes PrivateUsers=yes DynamicUser=yes User=; do
        ! grep -q "^$closed" "$unit" || { echo "$unit: $closed" >&2; status=1; }
    done
    for open in StateDirectory=gpupart RuntimeDirectory=gpupart RuntimeDirectoryPreserve=yes KillMode=mixed; do
        grep -qx "$open" "$unit" || { echo "$unit: no $open" >&2; status=1; }
    done
    # Longer than the supervisor's own patience (15 min).
    [ "$(sed -n 's/^TimeoutStopSec=\([0-9]*\)min$/\1/p' "$unit")" -gt 15 ] || { echo "$unit: TimeoutStopSec" >&2; status=1; }
done
exit $status
