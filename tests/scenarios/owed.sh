# A guest that was asked to stop is owed its start for as long as nobody has seen it up after its time, and no longer: what it
# was never asked for owes it nothing.
# bed: --mock --proxy --sim ../sim/hosts/two-xe.yaml
. "$(dirname "$0")/story.bash"

owed() {
    jq -r '[.owed[]?.name] | join(" ")' state/owed.json
}

late_stops() {
    journal 'select(.GPUPART_EVENT == "late-stop") | .GPUPART_VM' | wc -l
}

# ignores VM: from now on it takes the request to stop, and does not heed it.
ignores() {
    printf '%s\n' "swallow shutdown $1" "swallow shutdown-flags $1" >"$BED/proxy.control"
}

# over: the time within which it may go down late is over.
over() {
    jq '.owed[].untilUs = 1' state/owed.json >owed.json
    cp owed.json state/owed.json
}

# pools COUNT TIMEOUT: vdi-2, which does not obey, has this time to stop.
pools() {
    desktops "$1" 60s vdi-1
    hasty "$2" vdi-2
}

# asked_in_vain COUNT: vdi-2 takes the request to stop, its time is over, and what was begun is restored.
asked_in_vain() {
    pools "$1" 2s
    commit "$1 partitions"
    ignores vdi-2
    begun_us=$(date +%s%6N)
    gp_ends 5 reconcile
    : >"$BED/proxy.control"
    expect "vdi-1 vdi-2" running
    expect vdi-2 owed
    [ -z "$(ls state/records)" ] || fail "a record is left: $(ls state/records)"
}

# fails_to_start: the next pass does not bring vdi-2 up, and says so, whatever else it does; the one after it does.
fails_to_start() {
    virsh -q destroy vdi-2
    printf '%s\n' 'fail create vdi-2' 'fail create-flags vdi-2' >"$BED/proxy.control"
    gp_ends 6 reconcile
    : >"$BED/proxy.control"
    grep -q 'VM vdi-2 is down.*virsh start vdi-2' err || fail "nobody is told: $(cat err)"
    expect vdi-1 running
    expect vdi-2 owed
    [ -z "$(ls state/records)" ] || fail "a record is left: $(ls state/records)"
}

# refused COUNT: vdi-2 is not asked, since libvirt says no.
refused() {
    pools "$1" 60s
    commit "$1 partitions"
    printf '%s\n' 'fail shutdown vdi-2' 'fail shutdown-flags vdi-2' >"$BED/proxy.control"
    gp_ends 5 reconcile
    : >"$BED/proxy.control"
    grep -q "vm vdi-2 was not stopped: libvirt: injected" err || fail "it was asked: $(cat err)"
}

repository
pools 4 2s
commit "four partitions"
for vm in vdi-{1..2}; do
    bed-domain "$vm" --define
done
gp_ends 0 reconcile
start vdi-{1..2}
expect 2 held

# It may have waited for its turn to be asked: what it is owed counts from the end of its two seconds, not from the beginning.
echo "it went down in time, and nobody looked before that was over: it is started again"
asked_in_vain 3
[ "$(jq '.owed[].untilUs' state/owed.json)" -ge $((begun_us + (2 + 2 + 3600) * 1000000)) ] || fail "it is owed for too short a time"
virsh -q destroy vdi-2
over
gp_ends 0 reconcile
expect "vdi-1 vdi-2" running
expect 1 late_stops
expect "" owed

echo "it is up when that is over: it is owed nothing any more, and who stops it means it"
asked_in_vain 2
over
gp_ends 0 reconcile
expect "" owed
virsh -q destroy vdi-2
gp_ends_in "0 5" reconcile
expect vdi-1 running
start vdi-2

echo "it could not be asked at all: who stops it means it"
refused 5
expect "vdi-1 vdi-2" running
expect "" owed
virsh -q destroy vdi-2
gp_ends_in "0 5" reconcile
expect vdi-1 running
expect 1 late_stops
start vdi-2

echo "it could not be asked again: the first request stands"
asked_in_vain 6
refused 7
expect "vdi-2 true" jq -r '.owed[] | "\(.name) \(.stopRequested)"' state/owed.json
virsh -q destroy vdi-2
gp_ends_in "0 5" reconcile
expect "vdi-1 vdi-2" running
expect 2 late_stops

echo "nothing but its start is to be done, and that fails: it is told"
asked_in_vain 3
pools 4 2s
commit "four, as it is"
virsh -q destroy vdi-2
printf '%s\n' 'fail create vdi-2' 'fail create-flags vdi-2' >"$BED/proxy.control"
gp_ends 6 reconcile
grep -q 'VM vdi-2 is down.*virsh start vdi-2' err || fail "nobody is told: $(cat err)"
expect vdi-2 owed
expect "" ls state/records
: >"$BED/proxy.control"
gp_ends 0 reconcile
expect "vdi-1 vdi-2" running
expect "" owed

echo "it belongs to a change that fails: it is started when all is as before"
asked_in_vain 2
pools 3 60s
commit "three"
virsh -q destroy vdi-2
echo 'fail */sriov_numvfs 2 EIO' >"$GPUPART_ROOT/gpusim-control"
gp_ends 5 reconcile
echo clear >"$GPUPART_ROOT/gpusim-control"
expect 4 inventory '.gpus[] | select(.id == "slot5") | .count'
expect "vdi-1 vdi-2" running
expect "" owed
