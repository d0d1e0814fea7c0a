# A guest that gpupart stopped and could not start again is owed its start, until it runs again by whosever hand: from then on
# it is its user's, who may shut it down.
# bed: --mock --proxy --sim ../sim/hosts/two-xe.yaml
. "$(dirname "$0")/story.bash"

owed() {
    jq -r '[.owed[].name] | join(" ")' state/owed.json
}

# stops: how often a guest was asked to stop.
stops() {
    journal 'select(.GPUPART_EVENT == "step-start") | .MESSAGE' | grep -c '^stop-vm'
}

not_restored() {
    journal 'select(.GPUPART_EVENT == "not-restored") | .MESSAGE' | wc -l
}

# taken_back: the next pass only tries the way back again, once, which still fails: it stops no guest.
taken_back() {
    local before told
    before=$(stops)
    told=$(not_restored)
    gp_ends 6 reconcile
    expect "$before" stops
    expect $((told + 1)) not_restored
    expect "$1" running
    expect vdi-2 owed
}

repository
desktops 4 5s "vdi-1, vdi-2"
commit "four partitions"
for vm in vdi-{1..2}; do
    bed-domain "$vm" --define
done
gp_ends 0 reconcile
start vdi-{1..2}
expect 2 held

desktops 3 5s "vdi-1, vdi-2"
commit "three"
printf '%s\n' 'fail create vdi-2' 'fail create-flags vdi-2' >"$BED/proxy.control"
gp_ends 6 reconcile
expect vdi-1 running
expect vdi-2 owed
# It is down, so that the request to stop is over: what is owed does not lapse.
expect false jq '.owed[].stopRequested' state/owed.json
taken_back vdi-1

# What failed begins anew only where the gate lets it: not while the host is paused, nor for a commit that nobody approved.
gp_ends 0 pause host --for 1h --reason "it failed"
taken_back vdi-1
commit "nothing that concerns this host" --allow-empty
taken_back vdi-1
gp_ends 0 resume host
desktops 2 5s "vdi-1, vdi-2"
sed -i 's/^  policy:$/&\n    onCommit: {gpu: approve, vm: approve, none: approve}/' fleet/clusters/demo.yaml
commit "two, if somebody says so"
taken_back vdi-1

# A guest that is bound since then comes to what is written down, and is started again with the rest.
bed-domain vdi-3 --define
start vdi-3
desktops 3 5s "vdi-1, vdi-2, vdi-3"
commit "three, and vdi-3"
gp_ends 6 reconcile
expect "vdi-1 vdi-3" running
taken_back "vdi-1 vdi-3"

: >"$BED/proxy.control"
virsh -q start vdi-2 >/dev/null
expect 2 held
gp_ends 5 reconcile
expect "" owed
virsh -q destroy vdi-3
virsh -q undefine vdi-3
desktops 3 5s "vdi-1, vdi-2"
commit "three, without vdi-3"
virsh -q destroy vdi-2
expect 1 held
gp_ends 0 reconcile
expect vdi-1 running

# So is one that went down too late for the pass that had asked it: that one has brought all back, and is over.
start vdi-2
desktops 2 5s "vdi-1, vdi-2"
commit "two"
printf '%s\n' 'swallow shutdown vdi-2' 'swallow shutdown-flags vdi-2' >"$BED/proxy.control"
gp_ends 5 reconcile
expect "" ls state/records
virsh -q destroy vdi-2
printf '%s\n' 'fail create vdi-2' 'fail create-flags vdi-2' >"$BED/proxy.control"
gp_ends 6 reconcile
expect vdi-2 owed
expect "" ls state/records
: >"$BED/proxy.control"
start vdi-2
gp_ends 0 reconcile
expect "" owed
virsh -q destroy vdi-2
gp_ends 0 reconcile
expect vdi-1 running

# What the way back leaves is said: VFs that are nobody's, which only another stop of the VMs would take away.
desktops 5 5s "vdi-1, vdi-2"
commit "five"
echo "fail-at create-flags/$(($(grep -c ' create-flags$' "$BED/proxy.log") + 1))" >"$BED/proxy.control"
gp_ends 5 reconcile
expect vdi-1 running
expect 5 cat "$GPUPART_ROOT/sys/bus/pci/devices/$(inventory '.gpus[] | select(.id == "slot5") | .address')/sriov_numvfs"
journal 'select(.GPUPART_EVENT == "restored") | .MESSAGE' >events
grep -q 'slot5 keeps 5 VFs, of which there were 3' events || fail "it is not said that there are more: $(cat events)"
