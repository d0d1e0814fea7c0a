# What tests of and in a bed share; sourced.

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

# expect WANT CMD...: CMD prints WANT and succeeds.
expect() {
    local want=$1 have
    shift
    have=$("$@") || fail "$*: status $?"
    [ "$have" = "$want" ] || fail "$*: '$have', not '$want'"
}

# expect_status WANT CMD...
expect_status() {
    local want=$1 have=0
    shift
    "$@" || have=$?
    [ "$have" -eq "$want" ] || fail "$*: status $have, not $want"
}

# soon SECONDS CMD...: CMD succeeds before long: in SECONDS where nothing else runs. A machine that is busy gets twelve times
# as much; how fast things are is asked by benchmarks. SOON_EVERY_MS (20): how often CMD is tried.
soon() {
    local every=${SOON_EVERY_MS:-20}
    local tries=$(($1 * 12 * 1000 / every)) pause
    printf -v pause .%03d "$every"
    shift
    until "$@"; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || fail "not in time: $*"
        sleep "$pause"
    done
}

# took WHAT CMD...: as CMD, and notes the time.
took() {
    local what=$1 begin=${EPOCHREALTIME/./} status=0
    shift
    "$@" || status=$?
    echo "time: $what: $(((${EPOCHREALTIME/./} - begin) / 1000)) ms"
    return $status
}

state_is() {
    [ "$(virsh domstate "$1" 2>/dev/null)" = "$2" ]
}
