# One host of tests/sim/hosts, from what it is to partitions and back: two VMs for each GPU, one of them running; the
# count changes under them; all bindings go. The pass after each pass is empty. What a host cannot do is refused or
# taken back, and does not hold up the rest.
#
# Run once for each host: run-scenario any-host.bash FOLDER --sim HOSTFILE.
# bed: --mock --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"

# What becomes of which GPU of this host: "works", and after that it can be changed; "fixed", as it is set elsewhere;
# "held", as "works", but somebody has one of its partitions; "refused", known before anything is done; "restored",
# known only from the driver's answer.
declare -A outcome
case $(hostname) in
kvm-a | kvm-b | kvm-c) outcome=([slot3]=works [slot5]=works) ;;
lab) outcome=([slot1]=works [slot2]=works) ;;
kvm-d) outcome=([slot1]=works [slot3]=works [slot7]=works
    # Linux's own i915 has no SR-IOV, whatever sriov_totalvfs says; and in MIG mode no whole-GPU type is on offer.
    [0000:00:02.0]=restored [10000:e1:00.0]=restored [slot8]=restored) ;;
kvm-e) outcome=([slot3]=works [slot5-1]=works [slot5-2]=works [slot5-3]=works [slot5-4]=works) ;;
# The last one makes three VFs, whatever it is asked for.
kvm-f) outcome=([0000:00:02.0]=works [slot1]=works [slot2]=restored) ;;
kvm-g) outcome=([slot1]=works [slot2]=works [slot3]=works) ;;
# NVIDIA's tool does not get the GPU from the agent that has it open.
kvm-h) outcome=([slot3]=works [slot5]=restored [slot7]=held [slot9]=works) ;;
kvm-i | kvm-j) outcome=([slot3]=refused) ;;
# AMD's driver makes its VFs when it loads.
kvm-k) outcome=([slot1]=fixed) ;;
# NVIDIA's driver is not installed.
kvm-l) outcome=([slot3]=refused) ;;
*) fail "nothing is known of $(hostname)" ;;
esac

# gpu ID QUERY: of the inventory that was taken first.
gpu() {
    jq -r --arg id "$1" ".gpus[] | select(.id == \$id) | $2" first
}

# count_of WHICH ID: the largest valid count up to four, or the next smaller one; what is fixed stays.
count_of() {
    if [ "${outcome[$2]}" = fixed ]; then
        gpu "$2" '.validCounts[0].count'
    else
        gpu "$2" "[.validCounts[].count | select(. <= 4)] | unique | reverse | .[$1]"
    fi
}

# declare_all WHICH BOUND|LOOSE ID…: a pool for each of these GPUs, and VMs bound to it.
declare_all() {
    local which=$1 bound=$2 id
    shift 2
    mkdir -p fleet/clusters
    {
        cat <<END
apiVersion: gpupart/v1
kind: GpuCluster
metadata: {name: demo}
spec:
  hosts: [{name: demo}]
  homogeneity: ignore
  acceptRisk: [boot-display]
  pools:
END
        for id; do
            cat <<END
    - name: p-${id//[:.]/-}
      mode: partitioned
      match: {device: "$(gpu "$id" '.vendor + ":" + .device')"}
      select: {addresses: ["$(gpu "$id" .address)"]}
      partitions: {count: $(count_of "$which" "$id")}
      takeover: true
END
        done
        [ "$bound" = loose ] || for id; do
            cat <<END
---
apiVersion: gpupart/v1
kind: GpuBinding
metadata: {name: b-${id//[:.]/-}, cluster: demo}
spec:
  pool: p-${id//[:.]/-}
  vms: [{name: "vm-$id-1"}, {name: "vm-$id-2"}]
END
        done
    } >fleet/clusters/demo.yaml
}

# are WHICH: each working GPU has that count, and each of its VMs a partition of it, if BOUND.
are() {
    local id
    for id in "${working[@]}"; do
        expect "$(count_of "$1" "$id")" inventory ".gpus[] | select(.id == \"$id\") | .count"
        [ "$2" = loose ] || expect "vm-$id-1 vm-$id-2" \
            inventory ".gpus[] | select(.id == \"$id\") | [.partitions[].vm | values] | sort | join(\" \")"
    done
}

# foreign: what is not to change, whatever is done: GPUs in no pool, and devices that are none.
foreign() {
    gp inventory --format json |
        jq -Sc '.gpus[] | select(.id as $id | $ARGS.positional | index($id) | not)' --args "${!outcome[@]}"
    grep -E 'igb|nvme|snd_|xhci|pcieport' "$GPUPART_ROOT/gpusim-control" || :
}

repository
gp inventory --format json >first
mapfile -t able < <(jq -r '.gpus[] | select((.validCounts | length) > 0) | .id' first)
expect "$(printf '%s\n' "${!outcome[@]}" | sort)" sort < <(printf '%s\n' "${able[@]}")
working=() worst=0
for id in "${able[@]}"; do
    bed-domain "vm-$id-1" --define
    bed-domain "vm-$id-2" --define
    case ${outcome[$id]} in
    works | fixed | held) working+=("$id") ;;
    refused) [ "$worst" = 5 ] || worst=4 ;;
    restored) worst=5 ;;
    esac
done
vms=()
for id in "${able[@]}"; do
    vms+=("vm-$id-1" "vm-$id-2")
done
before=$(canonical "${vms[@]}")
others=$(foreign)

declare_all 0 bound "${able[@]}"
commit "everything at once"
gp_ends "$worst" reconcile
for id in "${able[@]}"; do
    case ${outcome[$id]} in
    refused | restored)
        # It is as it was, and said to be.
        expect "$(gpu "$id" .count)" inventory ".gpus[] | select(.id == \"$id\") | .count"
        expect "" partition "vm-$id-1"
        gp status >out || :
        grep -q "$id" out || fail "status says nothing of $id: $(cat out)"
        ;;
    esac
done
[ ${#working[@]} -gt 0 ] || exit 0
are 0 bound

declare_all 0 bound "${working[@]}"
commit "what works" --allow-empty
gp_ends 0 reconcile
converged
ran='' already=$(held)
for id in "${working[@]}"; do
    virsh -q start "vm-$id-1" >/dev/null
    ran+=" vm-$id-1"
done
ran=$(printf '%s\n' $ran | sort | xargs)
expect $((already + ${#working[@]})) held
converged

# Fewer, under those that run.
declare_all 1 bound "${working[@]}"
commit "fewer" --allow-empty
gp_ends 0 reconcile
for id in "${working[@]}"; do
    [ "${outcome[$id]}" = held ] || continue
    # Nothing is done to it under whoever that is, until it lets go.
    expect "$(count_of 0 "$id")" inventory ".gpus[] | select(.id == \"$id\") | .count"
    grep -q "GP-E506: $id .*pid 4711" out || fail "it is not said that $id waits, and for whom: $(cat out)"
    echo "release $(gpu "$id" '.partitions[1].address')" >"$GPUPART_ROOT/gpusim-control"
    gp_ends 0 reconcile
done
are 1 bound
expect "$ran" running
converged

# And more again.
declare_all 0 bound "${working[@]}"
commit "more" --allow-empty
gp_ends 0 reconcile
are 0 bound
expect "$ran" running
converged

# Nobody is bound any more: whoever runs with a partition keeps running.
declare_all 0 loose "${working[@]}"
commit "nobody

Gpupart-Allow-Removal: 100"
gp_ends 0 reconcile
are 0 loose
for vm in "${vms[@]}"; do
    expect "" partition "$vm"
done
expect "$ran" running
converged
[ "$others" = "$(foreign)" ] || fail "what is not ours changed: $others; $(foreign)"
[ "$before" = "$(canonical "${vms[@]}")" ] || fail "something else of a definition changed"
