# Guests of the real QEMU driver: looked at, edited, stopped together, forced, started.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/drive.bash"

if [ "${1:-}" != inside ]; then
    exec bed --qemu "$FOLDER/bed" bash -eu "$0" inside
fi

id=5e0f6a0c7d6b4b2f9a0c1d2e3f405162
drive() {
    virt-drive "$LIBVIRT_URI" "$@"
}
seen() {
    drive observe $id
}
definition() {
    virsh dumpxml "$1" --inactive --security-info
}
address() { # what the guest sees of our hostdev
    definition "$1" | sed -n '/<hostdev/,/<\/hostdev>/p' | grep "address type='pci'"
}

# ---- edits: nothing else changes, and the guest finds its device where it was ----

bed-domain desk --define --metadata '<n:note xmlns:n="urn:x">R&amp;D</n:note>' \
    --extra "<graphics type='vnc' passwd='a&amp;b'/><channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
desk=$(virsh domuuid desk | head -1)
before=$(definition desk | virt-drive - canonical)
[[ $before == *'passwd="a&amp;b"'* ]] || fail "no password to lose"

drive edit attach "$desk" $id none 0000:08:00.4
expect "desk off persistent marked next=0000:08:00.4!" seen
expect "$before" virt-drive - canonical < <(definition desk)
where=$(address desk)
[ -n "$where" ] || fail "libvirt gave no guest address"
drive edit attach "$desk" $id none 0000:08:00.4
drive edit rebind "$desk" $id 0000:08:00.4 0000:08:01.7
expect "desk off persistent marked next=0000:08:01.7!" seen
expect "$where" address desk
drive edit rebind "$desk" $id 0000:08:01.7 c2177883-f1bb-47f0-914d-32a22e3a8804
expect "desk off persistent marked next=c2177883-f1bb-47f0-914d-32a22e3a8804!" seen
expect "$where" address desk
expect "refused: vm desk was not edited: its hostdev c2177883-f1bb-47f0-914d-32a22e3a8804 is not gpupart's: alias and mark do not say so" \
    expect_failing drive edit detach "$desk" another c2177883-f1bb-47f0-914d-32a22e3a8804 none
drive edit detach "$desk" $id c2177883-f1bb-47f0-914d-32a22e3a8804 none
expect "desk off persistent" seen
expect "$before" virt-drive - canonical < <(definition desk)

# A copy carries the alias, not the mark's truth.
drive edit attach "$desk" $id none 0000:08:00.4
definition desk | sed 's/<name>desk/<name>copy/; s/<uuid>.*/<uuid>22222222-2222-4222-8222-222222222222<\/uuid>/' >/tmp/copy
virsh -q define /tmp/copy
expect "copy off persistent next=0000:08:00.4?" grep copy < <(seen)
virsh -q undefine copy
drive edit detach "$desk" $id 0000:08:00.4 none

# ---- power ----

bed-domain obeys --start
bed-domain ignores --ignores --start
virsh -q autostart obeys
expect "desk off persistent
ignores running persistent
obeys running persistent autostart" seen
obeys=obeys=$(virsh domuuid obeys | head -1) ignores=ignores=$(virsh domuuid ignores | head -1)

# The agent is not there: ACPI follows at once. One obeys, one runs on; both are waited for together.
begin=${EPOCHREALTIME/./}
expect "obeys stopped
desk stopped
busy: vm ignores was not stopped: GP-E505: it still runs 6 s after it was asked; the request cannot be recalled, so it may yet go down" \
    expect_failing drive stop 6000 both fail "$obeys" "desk=$desk" "$ignores"
took_ms=$(((${EPOCHREALTIME/./} - begin) / 1000))
if [ $took_ms -lt 5900 ] || [ $took_ms -gt 20000 ]; then
    fail "stopping took $took_ms ms"
fi
state_is ignores running

virsh -q suspend ignores
expect "ignores paused persistent: is paused, and cannot answer a request to stop" grep ignores < <(seen)
expect "busy: vm ignores was not stopped: is paused, and cannot answer a request to stop" \
    expect_failing drive stop 3000 acpi force "$ignores"
virsh -q resume ignores
expect "ignores stopped" drive stop 1000 acpi force "$ignores"
state_is ignores 'shut off'

drive start 10000 "${obeys#*=}"
state_is obeys running
drive start 10000 "${obeys#*=}"
virsh -q managedsave obeys
expect "obeys off persistent autostart: has a managed-save image, which holds the devices it was saved with" \
    grep obeys < <(seen)
# What libvirt does not do is told in its own words.
drive edit attach "$desk" $id none 0000:08:00.4
said=$(expect_failing drive start 10000 "$desk")
[[ $said == *': vm desk was not started: libvirt: '* ]] || fail "no reason: $said"
