# kill -9 at every step of the main story: the next pass finishes or goes back, and no VM that ran stays down.
#
# Both ways, from four partitions on two GPUs to two and back, under five running guests. Three ways to die: before
# and after each write to the kernel, before and after each call that changes a guest, and at each file of the state
# directory that is about to be put in place or removed.
# bed: --mock --proxy --sim ../sim/hosts/two-a2.yaml --sim-option --time-scale=0.02
. "$(dirname "$0")/story.bash"

examples=$(realpath "$(dirname "$0")/../../examples/demo")
guests=(vdi-0{1..8})
ran="vdi-01 vdi-02 vdi-03 vdi-04 vdi-05"
changes="define-flags shutdown create-flags"

declare_count() {
    cp -r "$examples/." fleet/
    sed -i "s/count: 4/count: $1/" fleet/clusters/demo/cluster.yaml
    [ "$1" = 4 ] || sed -i '/vdi-0[5-8]/d' fleet/clusters/demo/bindings.yaml
    commit "$1 partitions $2

Gpupart-Allow-Removal: 4" --allow-empty
}

counts() {
    inventory '[.gpus[].count] | join(" ")'
}

calls_of() {
    awk -v name="$1" '$3 == name' "$BED/proxy.log" | wc -l
}

# count_points TO: what a pass to that count does, undisturbed, as one point a line.
count_points() {
    local procedure n writes files
    declare -A calls
    echo clear-log >"$GPUPART_ROOT/gpusim-control"
    for procedure in $changes; do
        calls[$procedure]=$(calls_of "$procedure")
    done
    declare_count "$1" first
    gp_ends 0 reconcile
    writes=$(wc -l <"$GPUPART_ROOT/gpusim-log")
    for ((n = 1; n <= writes; n++)); do
        echo "write before $n"
        echo "write after $n"
    done
    for procedure in $changes; do
        for ((n = 1; n <= $(calls_of "$procedure") - calls[$procedure]; n++)); do
            echo "call at $procedure $n"
            echo "call after $procedure $n"
        done
    done
    # As many as are replaced, and removed.
    declare_count "$1" "first, once more"
    files=40
    for ((n = 1; n <= files; n++)); do
        echo "file at $n"
    done
}

# dies KIND WHEN …: a pass that is killed there; its status in $died.
dies() {
    local preload='' file=0
    died=0
    case $1 in
    write)
        echo clear-log >"$GPUPART_ROOT/gpusim-control"
        echo "kill-$2 $3" >"$GPUPART_ROOT/gpusim-control"
        ;;
    call) echo "kill-client-$2 $3/$(($(calls_of "$3") + $4))" >"$BED/proxy.control" ;;
    file) preload=$GPUPART_BIN/kill-at-file.so file=$3 ;;
    esac
    LD_PRELOAD=$preload KILL_AT_FILE=$file gp reconcile >out 2>err || died=$?
    : >"$BED/proxy.control"
    echo clear >"$GPUPART_ROOT/gpusim-control"
}

# The pass after the one that was killed.
recovers() {
    local status=0
    gp reconcile >out2 2>err2 || status=$?
    case $status in
    0 | 5) ;;
    *) fail "$point: the pass after it ended with $status: $(cat out err out2 err2)" ;;
    esac
    [ "$(running)" = "$ran" ] || fail "$point: these run: $(running); $(cat out err out2 err2)"
    [ -z "$(ls state/records)" ] || fail "$point: a record is left: $(cat out err out2 err2)"
    have=$(counts)
    case $have in
    "4 4" | "2 2" | "2 4" | "4 2") ;;
    *) fail "$point: neither the old nor the new: $have; $(cat out err out2 err2)" ;;
    esac
    [ "$status" -ne 0 ] || [ "$have" = "$to $to" ] || fail "$point: it says it is done, and it is not: $have"
}

repository
mkdir -p fleet
for vm in "${guests[@]}"; do
    bed-domain "$vm" --define
done
declare_count 4 begin
gp_ends 0 reconcile
for vm in $ran; do
    virsh -q start "$vm" >/dev/null
done
before=$(canonical "${guests[@]}")

declare -A todo
todo[2]=$(count_points 2)
todo[4]=$(count_points 4)
for to in 2 4; do
    [ "$(grep -c write <<<"${todo[$to]}")" -ge 24 ] || fail "too few writes to prove anything"
    [ "$(grep -c call <<<"${todo[$to]}")" -ge 28 ] || fail "too few calls to prove anything"
done

points=0 killed=0 have="4 4" restored=0
declare -A kinds
while [ -n "${todo[2]}${todo[4]}" ]; do
    to=2
    [ "$have" != "2 2" ] || to=4
    point=${todo[$to]%%$'\n'*}
    declare_count $to "$point"
    if [ -z "$point" ]; then
        gp_ends 0 reconcile
        have="$to $to"
        continue
    fi
    todo[$to]=${todo[$to]#"$point"}
    todo[$to]=${todo[$to]#$'\n'}
    # shellcheck disable=SC2086 # words
    dies $point
    kind=${point%% *}
    points=$((points + 1))
    point="to $to, killed: $point"
    if [ "$died" -eq 137 ]; then
        killed=$((killed + 1))
        kinds[$kind]=$((${kinds[$kind]:-0} + 1))
    elif [ "$kind" = file ]; then
        # So many files there are not.
        todo[$to]=''
        points=$((points - 1))
    fi
    recovers
    [ "$have" = "$to $to" ] || restored=$((restored + 1))
done
[ "$before" = "$(canonical "${guests[@]}")" ] || fail "something else of a definition changed"
converged
echo "crash: $points points (${kinds[*]@K}), $killed killed, $restored restored and the rest finished, no VM left down"
[ "$killed" -ge $((points * 9 / 10)) ] || fail "only $killed of $points passes were killed"
