# kill -9 at every step of the main story: the next pass finishes or goes back, and no VM that ran stays down.
#
# Both ways, from four partitions on two GPUs to two and back, under five running guests. There are three ways to die, each a
# story that sources this and calls crash_story.

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

# count_points KIND TO: what a pass to that count does of this kind, undisturbed, as one point a line.
count_points() {
    local kind=$1 to=$2 procedure n writes
    declare -A calls
    echo clear-log >"$GPUPART_ROOT/gpusim-control"
    for procedure in $changes; do
        calls[$procedure]=$(calls_of "$procedure")
    done
    declare_count "$to" first
    gp_ends 0 reconcile
    case $kind in
    write)
        writes=$(wc -l <"$GPUPART_ROOT/gpusim-log")
        for ((n = 1; n <= writes; n++)); do
            echo "write before $n"
            echo "write after $n"
        done
        ;;
    call)
        for procedure in $changes; do
            for ((n = 1; n <= $(calls_of "$procedure") - calls[$procedure]; n++)); do
                echo "call at $procedure $n"
                echo "call after $procedure $n"
            done
        done
        ;;
    file)
        # As many as are replaced, and removed: it ends at the first that there is not.
        for ((n = 1; n <= 40; n++)); do
            echo "file at $n"
        done
        ;;
    esac
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

# crash_story write|call|file LEAST: at least so many passes are killed, that it proves anything.
crash_story() {
    local kind=$1 least=$2 points=0 killed=0 restored=0 before vm
    declare -A todo
    repository
    mkdir -p fleet
    for vm in "${guests[@]}"; do
        bed-domain "$vm" --define
    done
    declare_count 4 begin
    gp_ends 0 reconcile
    start $ran
    expect 5 held
    before=$(canonical "${guests[@]}")

    todo[2]=$(count_points "$kind" 2)
    todo[4]=$(count_points "$kind" 4)
    have="4 4"
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
        points=$((points + 1))
        point="to $to, killed: $point"
        if [ "$died" -eq 137 ]; then
            killed=$((killed + 1))
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
    echo "crash: $points points, $killed killed, $restored restored and the rest finished, no VM left down"
    [ "$killed" -ge "$least" ] || fail "only $killed passes were killed: too few to prove anything"
    [ "$killed" -ge $((points * 9 / 10)) ] || fail "only $killed of $points passes were killed"
}
