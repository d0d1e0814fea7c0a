# The proxy: what it swallows, refuses, delays and kills, and how it counts.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/expect.bash"

if [ "${1:-}" != inside ]; then
    exec bed --mock --proxy "$FOLDER/bed" bash -eu "$0" inside
fi

rules() {
    printf '%s\n' "$@" >"$BED/proxy.control"
}

proxied() {
    virsh -c "$LIBVIRT_URI" "$@"
}

# The number that the next call NAME gets if `virsh ARGS` is run again: every run makes the same calls.
next() {
    local name=$1 before after
    shift
    before=$(wc -l <"$BED/proxy.log")
    proxied "$@" >/dev/null
    after=$(wc -l <"$BED/proxy.log")
    tail -n +$((before + 1)) "$BED/proxy.log" | awk -v name="$name" -v shift=$((after - before)) \
        '$3 == name { print $1 + shift; exit }'
}

bed-domain vm --start
rules 'swallow shutdown' 'swallow shutdown-flags'
proxied shutdown vm
sleep .2
state_is vm running || fail "a swallowed shutdown arrived"

bed-domain other --start
rules 'swallow shutdown vm' 'swallow shutdown-flags vm'
proxied shutdown vm
proxied shutdown other
soon 5 state_is other 'shut off'
state_is vm running || fail "a rule for one domain let its request through"
virsh -q undefine other

rules 'fail shutdown'
expect_status 1 proxied shutdown vm
state_is vm running || fail "a refused shutdown arrived"

rules 'delay list-domains 300'
begin=${EPOCHREALTIME/./}
expect vm proxied list --name
[ $((${EPOCHREALTIME/./} - begin)) -ge 300000 ] || fail "no delay"

# Held until the rule is gone, and nobody else with it.
rules 'hold list-domains'
lists() {
    [ "$(grep -c ' list-domains$' "$BED/proxy.log")" -gt "$1" ]
}
before=$(grep -c ' list-domains$' "$BED/proxy.log")
proxied list --name >held &
held=$!
soon 10 lists "$before"
expect running proxied domstate vm
[ ! -s held ] || fail "it was not held: $(cat held)"
rules
wait "$held"
grep -qx vm held || fail "what was held was not done: $(cat held)"

# One number after the other, and each virsh makes the same calls.
rules
: >"$BED/proxy.log"
proxied list >/dev/null
calls=$(wc -l <"$BED/proxy.log")
expect 1 grep -c ' 273 list-domains$' "$BED/proxy.log"
proxied list >/dev/null
expect $((2 * calls)) grep -c . "$BED/proxy.log"
awk 'NR > 1 && $1 != last + 1 { exit 1 } { last = $1 }' "$BED/proxy.log" || fail "numbers skip"

rules
at=$(next get-state domstate vm)
rules "fail-at $at"
expect_status 1 proxied domstate vm
expect running proxied domstate vm

# Killed before the call is passed on: nothing happened. Killed after: it did.
rules
at=$(next lookup-name domstate vm)
rules "kill-client-at $((at + 1))"
expect_status 137 proxied shutdown vm
state_is vm running || fail "the call of a client killed before it arrived"
at=$(next lookup-name domstate vm)
rules "kill-client-after $((at + 1))"
expect_status 137 proxied shutdown vm
soon 2 state_is vm 'shut off'

# Done, and answered with an error.
rules
at=$(next lookup-name domstate vm)
rules "fail-after $((at + 1))"
expect_status 1 proxied start vm
state_is vm running || fail "fail-after did not do it"

at=$(next lookup-name domstate vm)
rules "die-at $((at + 1))"
expect_status 1 proxied shutdown vm
expect_status 1 proxied list
state_is vm running || fail "the call arrived, though the proxy died before"
