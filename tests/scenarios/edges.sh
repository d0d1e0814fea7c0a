# The edges: a full disk, a libvirtd that is not there, refuses, is mute or cannot read its schema, a journald that takes nothing,
# sysfs that cannot be read, a state directory that says nonsense. For each the exit status and the sentence, and nothing half-done unsaid.
# bed: --mock --proxy --sim ../sim/hosts/two-a2.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"

demo_fleet
writes() {
    wc -l <"$GPUPART_ROOT/gpusim-log"
}
# ends STATUS ARGUMENT…: the program without a state directory or libvirt of its own.
ends() {
    local want=$1 have=0
    shift
    gpupart --root "$GPUPART_ROOT" --simulate --config "$HOME/agent.yaml" "$@" >out 2>err || have=$?
    [ "$have" -eq "$want" ] || fail "gpupart $*: status $have, not $want: $(cat out err)"
}
# says TEXT: exactly this line is on stdout or stderr.
says() {
    cat out err | grep -qxF -- "$1" || fail "not said: $1"$'\n'"$(cat out err)"
}

echo "a disk that is full, at every page of it"
mkdir small
mount -t tmpfs -o size=512k none small
small() {
    local want=$1
    shift
    ends "$want" --connect "$LIBVIRT_URI" --state small "$@" --dir fleet/clusters
}
# begun_nothing_since COUNT: none of the GPUs that err blames was written to after the first COUNT writes; none at all, if it
# blames none. They are changed beside each other: for the record of one alone there may have been room.
begun_nothing_since() {
    local blamed gpu
    blamed=$(sed -n 's/^gpupart: \(slot[0-9]*\): .*/\1/p' err | sort -u)
    [ -n "$blamed" ] || expect "$1" writes
    for gpu in $blamed; do
        ! tail -n +$(($1 + 1)) "$GPUPART_ROOT/gpusim-log" | grep -F "${address_of[$gpu]}" ||
            fail "$gpu was changed, and it is said that it was not: $(cat out err)"
    done
}
small 0 reconcile
declare -A address_of=([slot3]=0000:08: [slot5]=0000:0c:)
statuses=
for pages in 0 1 2 3 4 5 6 7 8 10 12 14 16 20; do
    sed -i "s/count: .*}/count: $((6 - $(sed -n 's/.*count: \(.\)}.*/\1/p' fleet/clusters/demo/cluster.yaml)))}/" \
        fleet/clusters/demo/cluster.yaml
    begun=$(writes)
    head -c $((($(stat -f -c %a small) - pages) * 4096)) /dev/zero >small/ballast
    status=0
    gpupart --root "$GPUPART_ROOT" --simulate --config agent.yaml --connect "$LIBVIRT_URI" --state small reconcile \
        --dir fleet/clusters >out 2>err || status=$?
    # What is there is whole, or not there at all.
    for file in small/*.json small/records/*.json; do
        [ ! -e "$file" ] || jq -e . "$file" >/dev/null || fail "$pages pages: $file was cut short"
    done
    case $status in
    0) ;;
    1 | 5 | 6)
        grep -q 'No space left on device' err || fail "$pages pages: the disk is not blamed: $(cat out err)"
        grep -q 'small' err || fail "$pages pages: the directory is not named: $(cat err)"
        ;;
    *) fail "$pages pages: status $status: $(cat out err)" ;;
    esac
    # A failure that restored nothing had begun nothing.
    [ "$status" -ne 1 ] || begun_nothing_since "$begun"
    statuses+=" $status"
    rm small/ballast
    small 0 reconcile
    # If there was room enough to write down that it failed, it waits for its time; but a person may have it now. There may
    # have been room for one of the two alone: the other one is put right by now, and what is left has another plan.
    if grep -q 'waits: it failed 1 time' out; then
        small 0 plan
        small 0 apply --plan "$(sed -n 's/^plan \([0-9a-f]*\) .*/\1/p' out)"
    fi
    small 0 plan --detailed-exitcode
done
echo "  ended with$statuses"
[[ $statuses == *1* && $statuses == *0* ]] || fail "the disk was never full, or always: $statuses"
umount small
mount -t tmpfs -o nr_inodes=3 none small
small 1 reconcile
says "gpupart: the start hook could not be told anything"
umount small
cp -r "$(dirname "$0")"/../../examples/demo/clusters fleet/

gp_ends 0 reconcile
converged
before=$(writes)

echo "libvirtd that is not there, refuses, or is mute"
python3 -c '
import os, socket, time
mute, refuse = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
mute.bind("/tmp/mute")
mute.listen(5)
refuse.bind("/tmp/refuse")
open("/tmp/ready", "w").close()
time.sleep(600)' &
listener=$!
soon 10 test -e /tmp/ready
for row in "none|libvirt: Failed to connect socket to '/tmp/none': No such file or directory" \
    "refuse|libvirt: Failed to connect socket to '/tmp/refuse': Connection refused" \
    "mute|libvirt did not answer within 10000 ms: connecting"; do
    uri="test+unix:///default?socket=/tmp/${row%%|*}"
    ends 7 --connect "$uri" --state state reconcile
    says "error GP-E506: the VMs of this host are not known (no connection to $uri: ${row#*|}): nothing is changed"
done
kill "$listener"
expect "$before" writes

echo "libvirt's own schema that cannot be read: nothing is validated, and all is as ever"
schema=/usr/share/libvirt/schemas/domain.rng
bed-domain vdi-01 >plain.xml
echo nonsense >garbage
mount --bind garbage "$schema"
expect_status 1 virsh -q define --validate plain.xml 2>err
grep -q 'internal error: Unable to parse RNG' err || fail "libvirt can read its schema, or says otherwise: $(cat err)"
virsh -q define plain.xml
expect "" partition vdi-01
gp_ends 0 reconcile
umount "$schema"
[ -n "$(partition vdi-01)" ] || fail "vdi-01 has no partition: $(cat out err)"
converged

echo "a journald that takes nothing, and none at all"
sed -i 's/count: 4/count: 2/' fleet/clusters/demo/cluster.yaml
sed -i '/vdi-0[5678]/d' fleet/clusters/demo/bindings.yaml
commit "two partitions each" --trailer "Gpupart-Allow-Removal: 4"
pid=$(pgrep -f /lib/systemd/systemd-journald | head -n 1)
kill -STOP "$pid"
gp_ends 0 reconcile
kill -CONT "$pid"
# What its queue had room for is in the journal, all else on stderr.
step='create-partition slot3/1: none -> NVIDIA A2-8Q: done'
journal 'select(.GPUPART_COMMIT == "'"$(git -C fleet rev-parse HEAD)"'" and .GPUPART_EVENT == "step-done") | .MESSAGE' >told
grep -qx "gpupart: step-done: $step" err || grep -qx "$step" told || fail "what was done is told nowhere: $(cat err told)"
converged
mv /run/systemd/journal/socket /run/systemd/journal/away
git -C fleet revert -n HEAD
commit "four again"
gp_ends 0 reconcile
grep -qx 'gpupart: step-done: create-partition slot3/3: none -> NVIDIA A2-4Q: done' err || fail "what was done is told nowhere: $(cat err)"
mv /run/systemd/journal/away /run/systemd/journal/socket
converged
before=$(writes)

echo "sysfs that cannot be read: that GPU is left alone, the other is not"
attribute=sys/bus/pci/devices/0000:08:00.0/sriov_totalvfs
mount --bind /proc/1/mem "$GPUPART_ROOT/$attribute"
ends 7 --state state inventory
says "  status: Unknown: reading $attribute: Input/output error"
gp_ends 7 plan
gp_ends 7 reconcile
grep -q "error GP-E506: slot3 cannot be read, so any may hold it: reading $attribute: Input/output error\$" out ||
    fail "the attribute is not told: $(cat out)"
! grep -q GP-D80 out || fail "what cannot be read is told as drift: $(cat out)"
gp_ends 7 status
gp_ends 7 drift
expect "$before" writes
sed -i 's/count: 4/count: 2/' fleet/clusters/demo/cluster.yaml
sed -i '/vdi-0[5678]/d' fleet/clusters/demo/bindings.yaml
commit "two again" --trailer "Gpupart-Allow-Removal: 4"
gp_ends 7 reconcile
expect 2 inventory '.gpus[] | select(.id == "slot5").count'
umount "$GPUPART_ROOT/$attribute"
gp_ends 0 reconcile
converged

# nonsense FILE: it becomes what HOW says; ./nonsense is the same.
nonsense() {
    case $how in
    empty) : >nonsense ;;
    short) head -c $(($(stat -c %s "$1") / 2)) "$1" >nonsense ;;
    alien) echo '{"formatVersion": "99.0"}' >nonsense ;;
    flipped) sed 's/"commit": "./"commit": "Z/' "$1" >nonsense ;;
    esac
    cp nonsense "$1"
}

echo "a state directory that says nonsense: told, kept aside, and the kernel is believed"
before=$(writes)
for file in applied.json boot.json; do
    for how in empty short alien; do
        nonsense "state/$file"
        gp_ends 0 reconcile
        grep -q "^gpupart: warning: $HOME/state/$file is corrupt (.*): taken as empty, kept aside with the ending .corrupt\$" err ||
            fail "$file, $how: not told: $(cat out err)"
        cmp nonsense "state/$file.corrupt" || fail "$file, $how: not kept aside"
        expect "$before" writes
    done
done
converged

echo "somebody without the rights"
chmod 755 "$HOME" "$HOME"/..
for row in "77|reconcile" "77|apply" "77|pause --for 1h --reason x" "77|resume"; do
    status=0
    # shellcheck disable=SC2086
    setpriv --reuid=65534 --regid=65534 --clear-groups gpupart --root "$GPUPART_ROOT" --simulate --config agent.yaml \
        --connect "$LIBVIRT_URI" --state state ${row#*|} >out 2>err || status=$?
    [ "$status" -eq "${row%%|*}" ] || fail "${row#*|} as nobody: status $status: $(cat out err)"
    grep -q 'state' err || fail "${row#*|} as nobody: what may not be written is not told: $(cat err)"
done
