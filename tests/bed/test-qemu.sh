# Real QEMU guests: one obeys ACPI, one does not, and both outlive their daemon.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/expect.bash"

if [ "${1:-}" != inside ]; then
    took "bed with QEMU, and its test" bed --qemu "$FOLDER/bed" bash -eu "$0" inside
    exit
fi

expect '' virsh -c "$LIBVIRT_URI" list --all --name
took "first guest" bed-domain obeys --start
took "second guest" bed-domain ignores --ignores --start

took "libvirtd killed and restarted" bash -c 'bed-libvirtd kill; bed-libvirtd start'
state_is obeys running || fail "a guest died with its daemon"

virsh shutdown ignores
virsh shutdown obeys
took "a guest obeys" soon 10 state_is obeys 'shut off'
sleep 1
state_is ignores running || fail "a guest that ignores ACPI stopped"
virsh destroy ignores
