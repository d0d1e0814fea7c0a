# What stories of the daemon share; sourced after story.bash. Works in $HOME.

# What the service manager would hear, a message a line, in ~/told.
listen_as_service_manager() {
    : >told
    python3 - >>told <<'END' &
import socket, sys
heard = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
heard.bind("notify")
while True:
    print(heard.recv(4096).decode(), flush=True)
END
    soon 5 test -S notify
}

# daemon_start WATCHDOG-MS: the daemon with its own process id in $daemon.
daemon_start() {
    : >told
    NOTIFY_SOCKET=$HOME/notify WATCHDOG_USEC=$(($1 * 1000)) gpupart --root "$GPUPART_ROOT" --simulate \
        --connect "$LIBVIRT_URI" --config "$HOME/agent.yaml" --state "$HOME/state" run >>"$HOME/daemon.out" 2>&1 &
    daemon=$!
    soon 5 grep -q '^READY=1$' told
}

# passes: how many have ended.
passes() {
    sed -n 's/^STATUS=.*passes: \([0-9]*\),.*/\1/p' told | tail -n 1 | grep . || echo 0
}

more_passes_than() {
    [ "$(passes)" -gt "$1" ]
}

begun() {
    grep -c '^STATUS=a pass runs' told || :
}

more_begun_than() {
    [ "$(begun)" -gt "$1" ]
}

# at_rest: no pass runs, and none is due before the interval is over.
at_rest() {
    local before='' now
    while now=$(grep '^STATUS=' told | cat -n | tail -n 1); [ "$before" != "$now" ] || [[ $now != *STATUS=waiting* ]]; do
        before=$now
        sleep 1
    done
}

# begins_by_event WHAT COMMAND…: COMMAND makes a pass begin, long before the interval would; what that one does leads to two
# more at most, however slow the machine is.
begins_by_event() {
    local what=$1 before
    shift
    before=$(begun)
    "$@"
    soon 5 more_begun_than "$before"
    at_rest
    [ $(($(begun) - before)) -le 3 ] || fail "$what: $(($(begun) - before)) passes"
}

switches() {
    awk '/^voluntary_ctxt_switches/ { n += $2 } END { print n }' /proc/"$daemon"/task/*/status
}

child() {
    pgrep -P "$daemon" -f reconcile
}
has_child() {
    child >/dev/null
}

# every INTERVAL: in the agent's file, which the daemon reads again on SIGHUP.
every() {
    sed -i '/interval:/d; s|^    ref: .*|&\n    interval: '"$1"'|' agent.yaml
}

# pools COUNT [TIMEOUT]: one GPU in COUNT partitions, for vdi-1 and vdi-2.
pools() {
    desktops "$1" "${2:-20s}" "vdi-1, vdi-2"
}

count_is() {
    [ "$(inventory '.gpus[] | select(.id == "slot5") | .count')" = "$1" ]
}
