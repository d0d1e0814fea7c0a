# A guest that goes down too late is started again whatever becomes of all else: behind a GPU that may not be changed, under a
# commit that is refused.
# bed: --mock --proxy --sim ../sim/hosts/two-xe.yaml
. "$(dirname "$0")/story.bash"

all="vdi-1, vdi-2, vdi-3, vdi-4, vdi-5"
up="vdi-1 vdi-2 vdi-3 vdi-4 vdi-5"

# asked_in_vain COUNT: vdi-2 takes the request to stop and does not heed it, so that the host stays as it is.
asked_in_vain() {
    desktops "$1" 2s "$all"
    commit "$1 partitions"
    printf '%s\n' 'swallow shutdown vdi-2' 'swallow shutdown-flags vdi-2' >"$BED/proxy.control"
    gp_ends 5 reconcile
    : >"$BED/proxy.control"
    expect "$up" running
    expect "vdi-2 true" jq -r '.owed[] | "\(.name) \(.stopRequested)"' state/owed.json
}

# is_paid: it runs, and nothing is owed any more.
is_paid() {
    expect "$1" running
    expect 0 jq '.owed | length' state/owed.json
}

mkdir units
echo active >units/dcgm-exporter.service
bed-systemd "$HOME/units" </dev/null >systemd.log 2>&1 &
soon 10 test -S /run/dbus/system_bus_socket
repository
echo "  hostClients: {stop: [dcgm-exporter.service]}" >>agent.yaml
desktops 7 2s "$all"
commit "seven partitions"
for vm in $up; do
    bed-domain "$vm" --define
done
gp_ends 0 reconcile
# shellcheck disable=SC2086 # words
start $up
expect 5 held

echo "a neighbour may not be stopped: it is started with the partition that it has"
asked_in_vain 6
commit "six, at once" --allow-empty
virsh -q suspend vdi-1
virsh -q destroy vdi-2
gp_ends 0 reconcile
grep -q 'GP-E507' out || fail "nothing is blocked: $(cat out)"
is_paid "vdi-2 vdi-3 vdi-4 vdi-5"
virsh -q resume vdi-1
expect 7 inventory '.gpus[] | select(.id == "slot5") | .count'

echo "nobody can tell whether a program of the host uses its GPU"
asked_in_vain 5
commit "five, at once" --allow-empty
touch units/dcgm-exporter.service.silent
virsh -q destroy vdi-2
gp_ends 0 reconcile
rm units/dcgm-exporter.service.silent
grep -q 'GP-E506' out || fail "nothing is blocked: $(cat out)"
is_paid "$up"
expect 7 inventory '.gpus[] | select(.id == "slot5") | .count'

echo "the commit is refused"
asked_in_vain 4
desktops 5 2s vdi-2
commit "four bindings less"
virsh -q destroy vdi-2
gp_ends 4 reconcile
grep -q 'GP-E311' out || fail "nothing is refused: $(cat out)"
is_paid "$up"
expect 7 inventory '.gpus[] | select(.id == "slot5") | .count'
