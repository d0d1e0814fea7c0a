# kill -9 at every step of the main story: the next pass finishes or goes back, and no VM that ran stays down.
#
# Three ways to die: before and after each write to the kernel, before and after each call that changes a guest, and
# at each file of the state directory that is about to be replaced.
# bed: --mock --proxy --sim ../sim/hosts/two-a2.yaml
. "$(dirname "$0")/story.bash"

guests=(vdi-0{1..8})
ran="vdi-01 vdi-02 vdi-03 vdi-04 vdi-05"

declare_count() {
    cp -r "$(dirname "$0")/../../examples/demo/." fleet/
    sed -i "s/count: 4/count: $1/" fleet/clusters/demo/cluster.yaml
    [ "$1" = 4 ] || sed -i '/vdi-0[5-8]/d' fleet/clusters/demo/bindings.yaml
    commit "$1 partitions, ${2:-}" --allow-empty
}

# As it was before the story: four partitions each, five guests running.
begin() {
    : >"$BED/proxy.control"
    declare_count 4 "again $1"
    gp_ends 0 reconcile
    for vm in $ran; do
        state_is "$vm" running || virsh -q start "$vm" >/dev/null
    done
    # The keeper opens the devices some milliseconds after the start.
    soon 5 held
    gp_ends 0 plan --detailed-exitcode
    declare_count 2 "again $1"
}

held() {
    [ "$(gp inventory | grep -c 'in use')" = 5 ]
}

# The pass that is killed, and the one after it. @1 names the point for messages.
die_and_recover() {
    local status=0
    shift
    "$@" >out 2>err || status=$?
    : >"$BED/proxy.control"
    echo clear >"$GPUPART_ROOT/gpusim-control"
    died=$status
    status=0
    gp reconcile >out2 2>err2 || status=$?
    case $status in
    0 | 5) ;;
    *) fail "$point: the pass after it ended with $status: $(cat out2 err2)" ;;
    esac
    [ "$(running)" = "$ran" ] || fail "$point: these run: $(running); $(cat out2 err2)"
    [ -z "$(ls state/records)" ] || fail "$point: a record is left"
    case $(inventory '[.gpus[].count] | join(" ")') in
    "4 4" | "2 2" | "2 4" | "4 2") ;;
    *) fail "$point: neither the old nor the new: $(inventory '[.gpus[].count] | join(" ")')" ;;
    esac
}

repository
mkdir -p fleet
for vm in "${guests[@]}"; do
    bed-domain "$vm" --define
done

# Once without dying, to count the points.
begin first
echo clear-log >"$GPUPART_ROOT/gpusim-control"
: >"$BED/proxy.log"
gp_ends 0 reconcile
writes=$(wc -l <"$GPUPART_ROOT/gpusim-log")
mapfile -t calls < <(awk '$3 ~ /^(define|create|shutdown|destroy|undefine)/ {print $1}' "$BED/proxy.log")
first_call=$(awk 'NR == 1 {print $1}' "$BED/proxy.log")
converged
echo "points: $writes writes, ${#calls[@]} calls"
[ "$writes" -ge 12 ] && [ "${#calls[@]}" -ge 12 ] || fail "too few points to prove anything"

points=0 killed=0
for ((n = 1; n <= writes; n++)); do
    for when in before after; do
        point="kill $when write $n"
        begin "$point"
        echo clear-log >"$GPUPART_ROOT/gpusim-control"
        echo "kill-$when $n" >"$GPUPART_ROOT/gpusim-control"
        die_and_recover "$point" gp reconcile
        points=$((points + 1))
        [ "$died" -ne 137 ] || killed=$((killed + 1))
    done
done
for call in "${calls[@]}"; do
    for when in at after; do
        point="kill $when call $((call - first_call + 1))"
        begin "$point"
        base=$(awk 'END {print $1 + 0}' "$BED/proxy.log")
        echo "kill-client-$when $((base + call - first_call + 1))" >"$BED/proxy.control"
        die_and_recover "$point" gp reconcile
        points=$((points + 1))
        [ "$died" -ne 137 ] || killed=$((killed + 1))
    done
done
for ((n = 1; ; n++)); do
    point="kill at replaced file $n"
    begin "$point"
    die_and_recover "$point" strace -qq -f -o /dev/null -e trace=rename,renameat,renameat2 \
        -e "inject=rename,renameat,renameat2:signal=KILL:when=$n" \
        "$(command -v gpupart)" --root "$GPUPART_ROOT" --simulate --connect "$LIBVIRT_URI" --config "$HOME/agent.yaml" \
        --state "$HOME/state" reconcile
    points=$((points + 1))
    [ "$died" -eq 137 ] || break
    killed=$((killed + 1))
done
echo "crash: $points points, $killed killed, all finished or restored, no VM left down"
[ "$killed" -ge $((points * 9 / 10)) ] || fail "only $killed of $points passes were killed"
