# Drift made by hand while the daemon waits: a guest that somebody destroyed is neither drift nor started again; VFs that
# somebody took away come back; a definition that lost its partition gets it again. How soon is told.
# lab: trixie bookworm
# gpus: b50 b50

drifts() {
    journal 'select(.GPUPART_EVENT == "drift-found") | .MESSAGE' | wc -l
}
more_drifts_than() {
    [ "$(drifts)" -gt "$1" ]
}
vfs_are() {
    [ "$(cat "$devices"/0000:0[12]:00.0/sriov_numvfs | xargs)" = "$1" ]
}
# passes: how many the daemon has ended.
passes() {
    systemctl show -p StatusText --value gpupart.service | sed -n 's/.*passes: \([0-9]*\),.*/\1/p' | grep . || echo 0
}
waits() {
    local first
    first=$(passes)
    sleep 5
    [ "$(passes)" -eq "$first" ] && systemctl show -p StatusText --value gpupart.service | grep -q '^waiting'
}
# seen WHAT SINCE: how long after SINCE (microseconds of the clock) the last drift was found.
seen() {
    local when
    when=$(journal 'select(.GPUPART_EVENT == "drift-found") | .__REALTIME_TIMESTAMP' | tail -n 1)
    echo "time: $1 was found after $(((when - $2) / 1000)) ms"
}

repository
pool 2 1,2 "vdi-*"
domain vdi-1
domain vdi-2
gp_ends 0 reconcile
virsh dumpxml --inactive vdi-2 >given.xml
start vdi-1
systemctl start gpupart.service
soon 300 waits

# ---- a guest that is gone ----
before=$(drifts)
virsh -q destroy vdi-1
soon 300 waits
gp_ends 0 drift
expect "$before" drifts
expect "" running

# ---- VFs that are gone ----
now=${EPOCHREALTIME/./}
echo 0 >"$devices/0000:02:00.0/sriov_numvfs"
soon 300 more_drifts_than "$before"
seen "sriov_numvfs 0" "$now"
soon 300 vfs_are "2 2"
soon 300 waits

# ---- a definition without its partition ----
before=$(drifts)
now=${EPOCHREALTIME/./}
xmllint --xpath 'boolean(//hostdev)' given.xml | grep -q true || fail "vdi-2 had no partition"
python3 - given.xml >taken.xml <<'END'
import re, sys
print(re.sub(r"<hostdev.*?</hostdev>", "", open(sys.argv[1]).read(), flags=re.S))
END
virsh -q define taken.xml
soon 300 more_drifts_than "$before"
seen "an edited definition" "$now"
soon 300 eval '[ -n "$(given vdi-2)" ]'
soon 300 waits
systemctl stop gpupart.service
converged
