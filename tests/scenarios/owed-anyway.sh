# A guest that goes down too late is started again whatever becomes of all else: behind a GPU that may not be changed, under a
# commit that is refused, without a declaration, on a full disk.
# bed: --mock --proxy --sim ../sim/hosts/two-xe.yaml
. "$(dirname "$0")/story.bash"

up="vdi-1 vdi-2 vdi-3 vdi-4 vdi-5"

# pools COUNT: only vdi-2, which does not obey, has a short time to stop.
pools() {
    desktops "$1" 60s "vdi-1, vdi-3, vdi-4, vdi-5"
    hasty 2s vdi-2
}

# asked_in_vain COUNT: vdi-2 takes the request to stop and does not heed it, so that the host stays as it is.
asked_in_vain() {
    pools "$1"
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
pools 7
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
desktops 5 60s vdi-2
commit "four bindings less"
virsh -q destroy vdi-2
gp_ends 4 reconcile
grep -q 'GP-E311' out || fail "nothing is refused: $(cat out)"
is_paid "$up"
expect 7 inventory '.gpus[] | select(.id == "slot5") | .count'

echo "what is wanted cannot be read"
asked_in_vain 3
mv fleet/clusters/demo.yaml demo.yaml
echo "no: [" >fleet/clusters/demo.yaml
virsh -q destroy vdi-2
gp_ends 3 reconcile --dir fleet/clusters
is_paid "$up"
mv demo.yaml fleet/clusters

# full: nothing can be written to the state directory any more; what the start hook reads is elsewhere, as /run is.
full() {
    head -c "$(($(stat -f -c %a state) * 4096))" /dev/zero >state/ballast
}

echo "the disk is full"
mkdir small
mount -t tmpfs -o size=1m none small
cp -r state/. small
mkdir -p small/run
mount --move small state
mount -t tmpfs none state/run
asked_in_vain 2
pools 7 # so that its start is all that is to be done
virsh -q destroy vdi-2
full
gp_ends 1 reconcile --dir fleet/clusters
grep -q 'No space left on device' err || fail "the disk is not blamed: $(cat out err)"
expect "$up" running
rm state/ballast
gp_ends 0 reconcile
expect "$up" running

echo "the disk is full after a pass that was killed"
pools 5
commit "five, and killed"
echo clear-log >"$GPUPART_ROOT/gpusim-control"
echo 'kill-before 1' >"$GPUPART_ROOT/gpusim-control"
gp_ends 137 reconcile
echo clear >"$GPUPART_ROOT/gpusim-control"
expect "" running
expect slot5.json ls state/records
full
gp_ends_in "1 5" reconcile
grep -q 'No space left on device' err || fail "the disk is not blamed: $(cat out err)"
expect "$up" running
rm state/ballast
gp_ends_in "0 5" reconcile
is_paid "$up"
expect "" ls state/records
