# KILL to the launcher leaves no process and no mount behind, whatever runs inside.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/expect.bash"

if [ "${1:-}" = inside ]; then
    bed-domain vm --start
    # One in a session of its own, and one that heeds no signal.
    setsid sleep 1000 </dev/null >/dev/null 2>&1 &
    (trap '' TERM INT HUP && exec sleep 1000) &
    touch "$BED/up"
    wait
fi

# The first one in a bed of its own shows that this machine can run one: else 77.
bed "$FOLDER/probe" true

cat /proc/self/mountinfo >before
inside() {
    grep -lz "^BED=$FOLDER/bed$" /proc/[0-9]*/environ 2>/dev/null
}
nobody() {
    [ -z "$(inside)" ]
}

bed --mock --proxy "$FOLDER/bed" bash -eu "$0" inside &
soon 20 test -e "$FOLDER/bed/up"
[ "$(inside | wc -l)" -ge 7 ] || fail "fewer processes than expected: $(inside)"
kill -KILL $!
took "all gone" soon 5 nobody
expect_status 137 wait $!
cmp before /proc/self/mountinfo || fail "a mount stayed"
rm -r "$FOLDER/bed"
