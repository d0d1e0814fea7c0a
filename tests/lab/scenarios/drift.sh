# Drift made by hand. The daemon hears of it: VFs that are taken away, a definition that is replaced or edited, with an event of
# libvirt's or without one. Of what no event tells it hears at its next interval, and the timer's next run of everything at once. A
# guest that somebody destroyed is neither drift nor started again.
# lab: trixie
# gpus: b50 a2

types() {
    cat "$devices"/0000:02:00.0/virtfn*/nvidia/current_vgpu_type | xargs
}

# drifts OBJECT: how often it was found to have drifted.
drifts() {
    journal "select(.GPUPART_EVENT == \"drift-found\" and (.MESSAGE | startswith(\"$1 drifted: \"))) | .MESSAGE" | wc -l
}

# passes: how many the daemon has ended.
passes() {
    systemctl show -p StatusText --value gpupart.service | sed -n 's/.*passes: \([0-9]*\),.*/\1/p' | grep . || echo 0
}

# waits: no pass runs or is about to.
waits() {
    local first
    first=$(passes)
    sleep 5
    [ "$(passes)" -eq "$first" ] && systemctl show -p StatusText --value gpupart.service | grep -q '^waiting'
}

# found WHAT OBJECT COMMAND…: COMMAND makes OBJECT drift; the daemon sees it, which is when it begins a pass, and tells it. How soon is
# told and not asserted, for an emulator takes what its machine leaves it; but half of the 10 minutes after which the daemon would look
# anyway is an event's doing.
found() {
    local what=$1 object=$2 before begin daemon tracer seen told
    shift 2
    soon 300 waits
    before=$(drifts "$object")
    daemon=$(systemctl show -p MainPID --value gpupart.service)
    strace -qq -ttt -e trace=fork,vfork,clone,clone3 -o begun -p "$daemon" &
    tracer=$!
    soon 30 grep -q '^TracerPid:.*[1-9]' "/proc/$daemon/status"
    begin=$EPOCHREALTIME
    "$@"
    soon 300 eval '[ "$(drifts "$object")" -gt "$before" ]'
    kill "$tracer"
    wait "$tracer" || :
    seen=$(awk -v begin="$begin" '{printf "%d", ($1 - begin) * 1000; exit}' begun)
    told=$(journal 'select(.GPUPART_EVENT == "drift-found") | .__REALTIME_TIMESTAMP' | tail -n 1)
    told=$(((told - ${begin/./}) / 1000))
    echo "time: $what was seen after $seen ms and told after $told ms"
    [ $told -lt 300000 ] || fail "$what was told after $told ms: nothing told the daemon"
}

take_vfs() {
    echo 0 >"$devices/0000:01:00.0/sriov_numvfs"
}

# without_partition VM: its definition as it was before.
without_partition() {
    virsh dumpxml --inactive "$1" >given.xml
    grep -q '<hostdev' given.xml || fail "$1 had no partition"
    python3 - given.xml >taken.xml <<'END'
import re, sys
print(re.sub(r"<hostdev.*?</hostdev>", "", open(sys.argv[1]).read(), flags=re.S))
END
}

# detach VM: its partition, from its persistent definition.
detach() {
    virsh dumpxml --inactive "$1" --xpath "//hostdev[starts-with(alias/@name,'ua-gpupart-')]" >hostdev.xml
    virsh -q detach-device "$1" hostdev.xml --config
}

unmark() {
    virsh -q metadata "$1" --uri https://gpupart.org/xmlns/mark/1 --config --remove
}

change_type() {
    echo 0 >"$devices/0000:02:00.2/nvidia/current_vgpu_type"
    echo 751 >"$devices/0000:02:00.2/nvidia/current_vgpu_type"
}

every() {
    sed -i "s/interval: .*/interval: $1/" /etc/gpupart/agent.yaml
    systemctl reload gpupart.service
}

repository
declare_pools "vdi vdi-*" <<'END'
{name: vdi, mode: partitioned, match: {vendor: intel}, select: {slots: ["1"]}, partitions: {count: 2}}
{name: cad, mode: partitioned, match: {model: NVIDIA A2}, partitions: {profile: NVIDIA A2-4Q}}
END
commit "a GPU of each vendor"
domain vdi-1
domain vdi-2
gp_ends 0 reconcile
cat out
expect "746 746 746 746" types
start vdi-1
systemctl start gpupart.service

# ---- a guest that is gone ----
soon 300 waits
before=$(drifts vm/vdi-1)
virsh -q destroy vdi-1
soon 300 waits
gp_ends 0 drift
expect "$before" drifts vm/vdi-1
expect "" running

# ---- what an event tells ----
found "sriov_numvfs 0" gpu/slot1 take_vfs
soon 300 eval '[ "$(cat "$devices/0000:01:00.0/sriov_numvfs")" = 2 ]'
without_partition vdi-2
found "another definition" vm/vdi-2 virsh -q define taken.xml
soon 300 eval '[ -n "$(given vdi-2)" ]'
# Fact: of `detach-device --config` libvirt 11 tells as of a definition anew (`define`), libvirt 9 tells nothing.
found "a device taken from a definition" vm/vdi-2 detach vdi-2
soon 300 eval '[ -n "$(given vdi-2)" ]'

# Fact: of metadata that is changed in the persistent definition neither tells those who hear of a guest's life. The daemon sees the file;
# the first that libvirt tells is that the daemon has put it right.
soon 300 waits
virsh event --domain vdi-2 --event lifecycle --loop --timestamp >events 2>&1 &
listener=$!
soon 30 pgrep -f 'virsh event'
found "a mark that is taken away" vm/vdi-2 unmark vdi-2
soon 300 eval 'virsh metadata vdi-2 --uri https://gpupart.org/xmlns/mark/1 >/dev/null 2>&1'
soon 300 grep -q Defined events
kill "$listener"
wait "$listener" 2>/dev/null || :
cat events
first=$(date -d "$(sed -n "1s/: event '.*//p" events)" +%s%6N)
[ "$first" -gt "$(journal 'select(.GPUPART_EVENT == "drift-found") | .__REALTIME_TIMESTAMP' | tail -n 1)" ] ||
    fail "libvirt tells of it by itself: $(cat events)"

# ---- what none tells ----
every 30s
found "a type written by hand" gpu/slot2 change_type
soon 300 eval '[ "$(types)" = "746 746 746 746" ]'
every 10m
soon 300 waits
systemctl stop gpupart.service
converged

# ---- all of it, at the timer's next run ----
start vdi-1
virsh -q destroy vdi-1
for object in gpu/slot1 gpu/slot2 vm/vdi-1 vm/vdi-2; do
    drifts "$object"
done >before
take_vfs
change_type
unmark vdi-1
without_partition vdi-2
virsh -q define taken.xml
systemctl start gpupart-reconcile.timer
soon 300 eval '[ "$(drifts vm/vdi-2)" -gt "$(tail -n 1 before)" ]'
soon 300 eval '[ "$(systemctl show -p ActiveState --value gpupart-reconcile.service)" = inactive ]'
systemctl stop gpupart-reconcile.timer gpupart-reconcile.service
for object in gpu/slot1 gpu/slot2 vm/vdi-1 vm/vdi-2; do
    drifts "$object"
done >after
expect "1 1 1 1" eval "paste before after | awk '{print \$2 - \$1}' | xargs"
expect 1 eval "journal 'select(.GPUPART_EVENT == \"drift-found\") | ._PID' | tail -n 4 | sort -u | wc -l"
gp_ends 0 drift
expect "746 746 746 746" types
expect 2 cat "$devices/0000:01:00.0/sriov_numvfs"
expect "" running
converged
