# Programs of the host that use its GPUs: GpuAgent's hostClients.stop. They are off while a GPU changes and run again
# after it, in success, in failure, after kill -9 and when they were off before; nothing of it stops a guest for nothing.
# bed: --mock --proxy --sim ../sim/hosts/two-xe.yaml --sim-option --time-scale=0.02
. "$(dirname "$0")/story.bash"

persistence=nvidia-persistenced.service exporter=dcgm-exporter.service

# units STATE STATE: what the two are.
units() {
    echo "$1" >"units/$persistence"
    echo "$2" >"units/$exporter"
    : >units/log
}

# is STATE STATE [REQUEST…]: what the two are by now, and what was asked of systemd since units().
is() {
    expect "$1 $2" echo "$(cat "units/$persistence") $(cat "units/$exporter")"
    shift 2
    expect "$*" echo "$(sed 's/nvidia-persistenced.service/p/; s/dcgm-exporter.service/e/' units/log | paste -sd,)"
}

# count N MESSAGE: that many partitions on each GPU.
count() {
    desktops "$1" 20s "vdi-01, vdi-02"
    sed -i /select:/d fleet/clusters/demo.yaml # both GPUs
    commit "$2"
}

mkdir units
units active active
bed-systemd "$HOME/units" </dev/null >systemd.log 2>&1 &
soon 10 test -S /run/dbus/system_bus_socket
repository
echo "  hostClients: {stop: [$persistence, $exporter]}" >>agent.yaml
for vm in vdi-01 vdi-02; do
    bed-domain "$vm" --define
done

echo "what disturbs nobody stops nobody"
count 4 "four, from none"
gp_ends 0 reconcile
is active active ""
virsh -q start vdi-01 >/dev/null
expect 1 held
converged

echo "the plan shows them, in their place, and has them in its id"
count 8 "eight"
gp_ends 2 plan --detailed-exitcode
grep -qE "stop-unit +$persistence +active -> inactive" out || fail "the plan does not stop the unit: $(cat out)"
first=$(sed -n 's/^plan \([0-9a-f]*\) .*/\1/p' out)
gp_ends 0 plan --format json
expect "stop-unit $persistence,stop-unit $exporter,start-unit $exporter,start-unit $persistence" \
    jq -r '[.actions[] | select(.set == "slot3" and (.kind | endswith("-unit"))) | "\(.kind) \(.target)"] | join(",")' out
units inactive active
gp_ends 2 plan --detailed-exitcode
grep -q "$persistence" out && fail "a unit that is off is to be stopped: $(cat out)"
[ "$first" != "$(sed -n 's/^plan \([0-9a-f]*\) .*/\1/p' out)" ] || fail "the id does not tell who is stopped"

echo "both GPUs change, one after the other, and each leaves the units as they were"
units active active
gp_ends 0 reconcile
is active active "stop p,stop e,start e,start p,stop p,stop e,start e,start p"
expect vdi-01 running
converged
is active active "stop p,stop e,start e,start p,stop p,stop e,start e,start p"

echo "what was off stays off"
units inactive active
count 2 "two"
gp_ends 0 reconcile
is inactive active "stop e,start e,stop e,start e"
expect vdi-01 running

echo "a change that fails starts them again"
units active active
count 4 "four again"
echo 'fail */sriov_numvfs 2 EIO' >"$GPUPART_ROOT/gpusim-control"
gp_ends 5 reconcile
echo clear >"$GPUPART_ROOT/gpusim-control"
expect "active active" echo "$(cat "units/$persistence") $(cat "units/$exporter")"
expect vdi-01 running
grep -q 'stop p' <(sed 's/nvidia-persistenced.service/p/' units/log) || fail "nothing was stopped: $(cat units/log)"

echo "kill -9 while they are off: the next pass starts them, whatever waits"
units active active
count 2 "two again"
echo 'kill-before 1' >"$GPUPART_ROOT/gpusim-control"
gp_ends_in "137" reconcile
echo clear >"$GPUPART_ROOT/gpusim-control"
expect "inactive inactive" echo "$(cat "units/$persistence") $(cat "units/$exporter")"
gp_ends_in "0 5" reconcile
expect "active active" echo "$(cat "units/$persistence") $(cat "units/$exporter")"
gp_ends_in "0 5" reconcile
converged

echo "one that does not come up holds up no guest: it is named, and tried again"
units active active
count 4 "four for the third time"
virsh -q start vdi-02 >/dev/null
echo clear-log >"$GPUPART_ROOT/gpusim-control"
echo 'hang */sriov_numvfs' >"$GPUPART_ROOT/gpusim-control"
gp reconcile >out 2>err &
pass=$!
# While the first GPU changes, and both are off for it.
soon 60 grep -q ' pending .*/sriov_numvfs' "$GPUPART_ROOT/gpusim-log"
expect "inactive inactive" echo "$(cat "units/$persistence") $(cat "units/$exporter")"
touch "units/$exporter.stubborn"
echo unhang >"$GPUPART_ROOT/gpusim-control"
expect_status 6 wait $pass
expect "active inactive" echo "$(cat "units/$persistence") $(cat "units/$exporter")"
expect "vdi-01 vdi-02" running
grep -q "systemctl start $exporter" err || fail "what is to be done by hand is not told: $(cat err)"
expect "4 4" inventory '[.gpus[].count] | join(" ")'
gp_ends 6 reconcile
rm "units/$exporter.stubborn"
gp_ends 0 reconcile
is_up=$(cat "units/$exporter")
expect active echo "$is_up"
converged

echo "one that will not stop ends the change before it begins anything"
units active active
touch "units/$exporter.stubborn"
count 2 "two for the third time"
gp_ends 5 reconcile
expect "4 4" inventory '[.gpus[].count] | join(" ")'
expect "active active" echo "$(cat "units/$persistence") $(cat "units/$exporter")"
expect "vdi-01 vdi-02" running
rm "units/$exporter.stubborn"

echo "without an answer nobody knows who uses the GPU"
touch "units/$exporter.silent"
gp_ends_in "0 7" plan
grep -q "GP-E506.*$exporter.*systemd does not answer" out || fail "it is not told: $(cat out err)"
rm "units/$exporter.silent"

echo "a capture tells of them"
gp_ends 0 capture captured
expect active cat "captured/systemd/units/$exporter"
GPUPART_SIMULATED_TOOLS='' gpupart --root captured --config agent.yaml --dir fleet/clusters plan >out 2>err ||
    fail "no plan of the capture: $(cat out err)"
grep -qE "stop-unit +$exporter +active -> inactive" out || fail "the capture's plan lacks the unit: $(cat out)"
