# A pass that is killed: the next one finishes; if that is killed too, the one after it goes back, and the next one after
# that if it is killed there as well. It also goes back where what was begun is wanted no more, or cannot go on.
# bed: --mock --proxy --sim ../sim/hosts/two-xe.yaml --sim-option --time-scale=0.02
. "$(dirname "$0")/story.bash"

vms=(vdi-1 vdi-2 vdi-3)

# count N: that many partitions, from now on.
count() {
    desktops "$1" 20s "vdi-1, vdi-2, vdi-3"
    commit "$1 partitions"
}
have() {
    inventory '.gpus[] | select(.id == "slot5") | .count'
}
# killed RULE: a pass that is killed there, with both guests down for it and the way back written down.
killed() {
    echo clear-log >"$GPUPART_ROOT/gpusim-control"
    echo "$1" >"$GPUPART_ROOT/gpusim-control"
    gp_ends 137 reconcile
    echo clear >"$GPUPART_ROOT/gpusim-control"
    begun
    expect "" running
}
begun() {
    expect slot5.json ls state/records
}
# ends STATUS COUNT: the next pass ends so, with so many partitions, and what ran runs.
ends() {
    gp_ends "$1" reconcile
    expect "$2" have
    expect "vdi-1 vdi-2" running
    expect "" ls state/records
    expect 0 jq '.owed // [] | length' state/owed.json
    [ "$before" = "$(canonical "${vms[@]}")" ] || fail "something else of a definition changed"
}
# late_stops: who is said to have stopped too late.
late_stops() {
    journal 'select(.GPUPART_EVENT == "late-stop") | .GPUPART_VM'
}
# stops: how often a guest was asked to stop.
stops() {
    journal 'select(.GPUPART_EVENT == "step-start") | .MESSAGE' | grep -c '^stop-vm'
}
restored() {
    journal 'select(.GPUPART_EVENT == "restored") | .MESSAGE' | grep -c "$1" || :
}

repository
count 4
for vm in "${vms[@]}"; do
    bed-domain "$vm" --define
done
before=$(canonical "${vms[@]}")
gp_ends 0 reconcile
start vdi-1 vdi-2
expect 2 held
converged

echo "killed once: the next pass finishes"
count 3
killed 'kill-before 1'
ends 0 3
converged
expect 0 restored slot5

echo "killed in the finish too: the next pass goes back"
count 4
killed 'kill-before 2'
killed 'kill-before 2'
ends 5 3
expect 1 restored 'an earlier pass did not finish'
gp_ends 0 reconcile
grep -q 'it failed 1 time at this commit .*: no pass that was to do it came to its end' out ||
    fail "why nothing is done is not told: $(cat out)"
ends 0 3

echo "killed on the way back: the next pass goes on with that"
count 5
killed 'kill-before 2'
killed 'kill-before 2'
killed 'kill-before 2'
ends 5 3

echo "killed before the record of what was finished is removed: nothing is left to do"
count 4
killed 'kill-before 2'
cp -r state/records kept
ends 0 4
cp kept/* state/records
ends 0 4

echo "wanted no more when the next pass comes: that goes back, and on to what is wanted now"
already=$(restored slot5)
count 3
killed 'kill-before 2'
count 5
ends 5 5
expect $((already + 1)) restored slot5

echo "the host is in no cluster any more, and the way back fails: it is tried again by each pass"
count 4
killed 'kill-before 2'
cp -r fleet/clusters kept-clusters
sed -i 's/hosts: \[{name: demo}\]/hosts: [{name: other}]/; s/host: demo/host: other/' fleet/clusters/demo.yaml
commit "demo is called other"
echo 'fail */sriov_numvfs all EIO' >"$GPUPART_ROOT/gpusim-control"
printf '%s
' 'fail create' 'fail create-flags' >"$BED/proxy.control"
gp_ends 6 reconcile
grep -q 'VM vdi-1 is down.*virsh start vdi-1; VM vdi-2 is down.*virsh start vdi-2' err || fail "not both are named: $(cat err)"
begun
gp_ends 6 reconcile
begun
echo clear >"$GPUPART_ROOT/gpusim-control"
: >"$BED/proxy.control"
ends 5 5
cp kept-clusters/* fleet/clusters
commit "and is called demo again"
ends 0 4
count 5
ends 0 5

echo "it cannot go on, since a guest cannot be stopped by now: the other one does not stay down for it"
count 4
echo 'swallow shutdown-flags vdi-2' >"$BED/proxy.control"
echo 'swallow shutdown vdi-2' >>"$BED/proxy.control"
gp reconcile >out 2>err &
soon 60 state_is vdi-1 'shut off'
kill -9 "$(sed -n 's/^pass\t\([0-9]*\).*/\1/p' state/run/holds/* | sort -u)"
wait $! || :
: >"$BED/proxy.control"
begun
virsh -q suspend vdi-2
gp_ends 5 reconcile
expect "" late_stops # vdi-1 stopped in time: only nobody was left to see it
expect 5 have
expect "vdi-1 vdi-2" running
expect "" ls state/records
# It was asked, and may go down yet.
expect "vdi-2 true" jq -r '.owed[] | "\(.name) \(.stopRequested)"' state/owed.json
virsh -q destroy vdi-2
expect 1 held
ends 0 4

echo "on the way back somebody still has a partition open: it is waited for"
calls() {
    grep -c " $1\$" "$BED/proxy.log"
}
called() {
    [ "$(calls "$1")" -ge "$2" ]
}
count 5
for _ in 1 2; do
    echo "kill-client-at create-flags/$(($(calls create-flags) + 1))" >"$BED/proxy.control"
    gp_ends 137 reconcile
done
: >"$BED/proxy.control"
begun
expect 5 have
group=$(inventory '.gpus[] | select(.id == "slot5") | .partitions[0].address')
group=$(basename "$(readlink "$GPUPART_ROOT/sys/bus/pci/devices/$group/iommu_group")")
exec 9<>"$GPUPART_ROOT/dev/vfio/$group"
already=$(restored slot5) looks=$(calls list-domains)
gp reconcile >out 2>err 9>&- &
pass=$!
soon 60 called list-domains $((looks + 8))
exec 9>&-
status=0
wait $pass || status=$?
[ $status = 5 ] || fail "the pass ended with $status: $(cat out err)"
expect $((already + 1)) restored slot5
ends 0 4

echo "killed before the starts: each guest is a set of its own now, and what one of them cannot do takes both back, once"
count 3
echo "kill-client-at create-flags/$(($(calls create-flags) + 1))" >"$BED/proxy.control"
gp_ends 137 reconcile
begun
expect "" running
already=$(journal 'select(.GPUPART_EVENT == "not-restored") | .MESSAGE' | wc -l)
printf '%s\n' 'fail create' 'fail create-flags' >"$BED/proxy.control"
gp_ends 6 reconcile
: >"$BED/proxy.control"
expect "" running
grep -q 'VM vdi-1 is down.*virsh start vdi-1; VM vdi-2 is down.*virsh start vdi-2' err || fail "not both are named: $(cat err)"
expect $((already + 1)) wc -l < <(journal 'select(.GPUPART_EVENT == "not-restored") | .MESSAGE')
begun
ends 5 4

echo "one of them cannot start, which takes both back: what is declared is still a change, and no drift, at the next boot too,"
echo "and neither is stopped again in the next pass"
count 5
ends 0 5
count 3
echo "kill-client-at create-flags/$(($(calls create-flags) + 1))" >"$BED/proxy.control"
gp_ends 137 reconcile
begun
expect "" running
echo "fail-at create-flags/$(($(calls create-flags) + 1))" >"$BED/proxy.control"
ends 5 5
: >"$BED/proxy.control"
expect 5 jq .boot.slot5.layout.count state/boot.json
gp_ends 2 plan --detailed-exitcode
! grep 'GP-D801' out || fail "what was taken back counts as applied"
already=$(stops)
ends 0 5
grep -q 'it failed 1 time at this commit' out || fail "why nothing is done is not told: $(cat out)"
expect "$already" stops
