# The daemon is told to end, or killed, in the middle of a pass; a pass hangs. No VM stays down, nothing stays half.
# bed: --mock --proxy --sim ../sim/hosts/two-xe.yaml
. "$(dirname "$0")/story.bash"
. "$(dirname "$0")/daemon.bash"

stopping() {
    journal 'select(.GPUPART_EVENT == "step-start") | .MESSAGE' | grep -c stop-vm || :
}
more_stopping_than() {
    [ "$(stopping)" -gt "$1" ]
}
watchdog_heard() {
    [ "$(grep -c '^WATCHDOG=1' told)" -ge "$1" ]
}
as_it_was() {
    expect "vdi-1 vdi-2" running
    count_is "$1" || fail "not $1 partitions"
    [ -z "$(ls state/records)" ] || fail "a record is left"
}

repository
pools 4
commit "four partitions"
every 1h
bed-domain vdi-1 --define
bed-domain vdi-2 --define
gp_ends 0 reconcile
start vdi-1 vdi-2
expect 2 held
listen_as_service_manager

# TERM while it waits for a guest that does not stop, the other having stopped.
pools 3 60s
commit "three"
printf 'swallow shutdown vdi-2\nswallow shutdown-flags vdi-2\n' >"$BED/proxy.control"
daemon_start 500
soon 10 more_stopping_than 0
soon 10 state_is vdi-1 'shut off'
writes=$(grep -c numvfs "$GPUPART_ROOT/gpusim-log" || :)
kill -TERM "$daemon"
status=0
took "ending a pass" wait "$daemon" || status=$?
[ "$status" = 0 ] || fail "ended with $status: $(cat daemon.out)"
: >"$BED/proxy.control"
as_it_was 4
expect "$writes" grep -c numvfs "$GPUPART_ROOT/gpusim-log"
[ "$(grep -c '^WATCHDOG=1' told)" -ge 1 ] || fail "the watchdog heard nothing"

# A pass that hangs takes neither the watchdog nor the daemon with it.
daemon_start 400
soon 10 has_child
kill -STOP "$(child)"
heard=$(grep -c '^WATCHDOG=1' told)
soon 5 watchdog_heard $((heard + 4))
kill -CONT "$(child)"
soon 20 more_passes_than 0
at_rest

# A pass that does not end in its time is told to, restores what it began, and the daemon goes on.
kill -TERM "$daemon"
wait "$daemon"
pools 5 10m
commit "five, for guests that take ten minutes"
printf 'swallow shutdown vdi-2\nswallow shutdown-flags vdi-2\n' >"$BED/proxy.control"
before=$(stopping)
GPUPART_PASS_DEADLINE=15 daemon_start 500
soon 20 more_stopping_than "$before"
soon 60 grep -q 'has not ended within 15 s: it is told to end' daemon.out
soon 60 more_passes_than 0
kill -0 "$daemon" || fail "the daemon ended with its pass: $(cat daemon.out)"
: >"$BED/proxy.control"
kill -TERM "$daemon"
wait "$daemon"
as_it_was 3
grep -q 'is killed' daemon.out && fail "a pass that restores in time was killed: $(cat daemon.out)"

# One that does not even end then is killed, which is said, and the daemon goes on. It had begun nothing.
GPUPART_PASS_DEADLINE=2 GPUPART_PASS_PATIENCE=2 daemon_start 400
soon 10 has_child
pass=$(child)
kill -STOP "$pass"
heard=$(grep -c '^WATCHDOG=1' told)
soon 60 grep -q "pass (pid $pass) was told to end 2 s ago and has not: it is killed" daemon.out
[ $(($(grep -c '^WATCHDOG=1' told) - heard)) -ge 4 ] || fail "the watchdog starved"
soon 20 more_passes_than 0
kill -TERM "$daemon"
wait "$daemon"
GPUPART_PASS_DEADLINE=soon expect_status 78 gp run 2>err
grep -q "GPUPART_PASS_DEADLINE is 'soon'" err || fail "a wrong deadline is not told: $(cat err)"
pools 3 60s
commit "three again"
daemon_start 60000
soon 20 more_passes_than 0
at_rest
as_it_was 3

# KILL of the whole service in the middle of a pass, as the service manager does it; the next one mends it.
kill -TERM "$daemon"
wait "$daemon"
pools 2 60s
commit "two"
printf 'swallow shutdown vdi-2\nswallow shutdown-flags vdi-2\n' >"$BED/proxy.control"
before=$(stopping)
daemon_start 60000
soon 10 more_stopping_than "$before"
soon 10 state_is vdi-1 'shut off'
pass=$(child)
kill -KILL "$daemon" "$pass"
wait "$daemon" || :
: >"$BED/proxy.control"
[ -n "$(ls state/records)" ] || fail "no record of what was begun"
daemon_start 60000
soon 20 more_passes_than 0
at_rest
[ -z "$(ls state/records)" ] || fail "a record is left"
expect "vdi-1 vdi-2" running

# KILL of the supervisor alone: its pass goes on to its end, and one that is begun beside it waits for the lock.
kill -KILL "$daemon"
wait "$daemon" || :
expect "vdi-1 vdi-2" running
pools 5 5s
commit "five"
daemon_start 60000
soon 20 has_child
pass=$(child)
kill -KILL "$daemon"
wait "$daemon" || :
daemon_start 60000
gone() { ! kill -0 "$pass" 2>/dev/null; }
soon 40 gone
kill -HUP "$daemon"
soon 20 count_is 5
at_rest
as_it_was 5
kill -TERM "$daemon"
wait "$daemon"
converged
