# A card that was replaced, or moved to another slot: what was applied was applied to the card, not to its place. The one
# that fits the pool is made as declared; one that fits none is left alone, whatever was in its place before.
# bed: --mock --sim ../sim/hosts/two-a2.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"

# declare_select SELECT COUNT
declare_select() {
    declare_pools "vdi vdi-1 vdi-2" \
        <<<"{name: vdi, mode: partitioned, hosts: [demo], match: {model: NVIDIA A2}, select: $1, partitions: {count: $2}}"
}

# control COMMAND…: of the simulator, while nobody runs.
control() {
    echo "$*" >"$GPUPART_ROOT/gpusim-control"
}

# exchange GPU MODEL [SERIAL]: the card in that slot, with the power off.
exchange() {
    control remove "$1"
    control replace "$@"
}

# gone RULE-TEXT: GP-D805 is told of slot 3.
gone() {
    gp_ends 2 drift
    grep -q "gpu/slot3: mode is gone, was applied as partitioned 4 NVIDIA A2-4Q (GP-D805" out || fail "it is not told: $(cat out)"
    gp_ends 0 explain gpu/slot3
    grep -q "drift .*GP-D805.*$1" out || fail "why it is gone is not told: $(cat out)"
}

# writes GLOB: how many times the kernel was written to there since the log was cleared.
writes() {
    grep -c "$1" "$GPUPART_ROOT/gpusim-log" || :
}

repository
declare_select '{slots: ["3"]}' 4
commit "four"
bed-domain vdi-1 --define
bed-domain vdi-2 --define
gp_ends 0 reconcile
converged
given="$(partition vdi-1) $(partition vdi-2)"

# ---- another card of the same model in the same slot ----
exchange slot3 a2 9990000000001
expect "0 0" inventory '[.gpus[].count] | join(" ")'
gone "another card is in its place"
gp_ends 0 reconcile
expect "4 0" inventory '[.gpus[].count] | join(" ")'
expect "$given" echo "$(partition vdi-1) $(partition vdi-2)"
converged
gp_ends 0 drift

# ---- another model in the slot: the pool has no GPU, and this one is nobody's ----
exchange slot3 l4
control clear-log
gone "another card is in its place"
# untouched: nothing was written to any card, and the guests are defined with what they had, so that they do not start
# without a GPU.
untouched() {
    expect "" cat "$GPUPART_ROOT/gpusim-log"
    expect "$given" echo "$(partition vdi-1) $(partition vdi-2)"
    grep -q "GP-E201: the GPU of 'vdi-1' is gone, and there is no other for it: 0000:08:00.4 stays in its definition" out ||
        fail "nobody says why vdi-1 keeps what is not there: $(cat out)"
}
gp_ends 4 reconcile
grep -q "GP-E201: demo has no GPU for pool 'vdi'; GPUs here: slot3 NVIDIA L4, slot5 NVIDIA A2" out ||
    fail "it is not told that the GPU is missing: $(cat out)"
untouched
gp_ends 4 reconcile
untouched
# And back: it is known by its serial number.
exchange slot3 a2 9990000000001
gp_ends 0 reconcile
expect "$given" echo "$(partition vdi-1) $(partition vdi-2)"
converged
gp_ends 0 drift

# ---- moved to another slot, and another card in the old one: the place is declared, so nobody does anything ----
control remove slot5
control remove slot3
control replace slot5 a2 9990000000001
control replace slot3 l4
control clear-log
gone "the GPU is slot5 now"
gp_ends 4 reconcile
grep -q "GP-E201" out || fail "it is not told that the GPU is missing: $(cat out)"
untouched

# ---- the same, where the card is declared, and not its place ----
declare_select '{serials: ["9990000000001"]}' 4
commit "wherever it is"
gp_ends 0 reconcile
expect "0 4" inventory '[.gpus[].count] | join(" ")'
expect 0 writes '0000:08:0'
expect "vdi-1 vdi-2" inventory '[.gpus[1].partitions[].vm | values] | sort | join(" ")'
converged
gp_ends 0 drift

# ---- a card that comes partitioned otherwise is somebody else's, though its place is known ----
control remove slot5
control replace slot5 a2 8880000000001
gpusim-sriov-manage -e 0000:0c:00.0
for vf in 0 1; do
    type=$(sed -n 's/^\([0-9]*\) *: *NVIDIA A2-8Q$/\1/p' "$GPUPART_ROOT/sys/bus/pci/devices/0000:0c:00.0/virtfn$vf/nvidia/creatable_vgpu_types")
    echo "$type" >"$GPUPART_ROOT/sys/bus/pci/devices/0000:0c:00.0/virtfn$vf/nvidia/current_vgpu_type"
done
declare_select '{slots: ["5"]}' 4
commit "its place"
control clear-log
gp_ends 4 reconcile
grep -q "GP-E503.*slot5 is 'partitioned 2 NVIDIA A2-8Q' already" out || fail "it is taken for the old card: $(cat out)"
expect "" cat "$GPUPART_ROOT/gpusim-log"
gp_ends 2 drift
expect 1 grep -c GP-D805 out
