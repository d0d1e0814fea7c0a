# A capture of guests of real QEMU on VFs of an Intel GPU is that host again: the same inventory, the same plan.
# bed: --qemu --sim ../sim/hosts/two-xe.yaml
. "$(dirname "$0")/story.bash"
. "$(dirname "$0")/stubborn.bash"
. "$(dirname "$0")/captured.bash"

repository
pools 4
commit "four partitions"
for vm in vdi-{1..3}; do
    bed-domain "$vm" --define
done
captured before
gp_ends 0 reconcile
start vdi-1 vdi-2
captured at-rest
[ "$(gpupart --root at-rest inventory | grep -c 'in use')" -eq 2 ] ||
    fail "QEMU holds two partitions, the capture says otherwise"
pools 2
captured changing
jq -e '[.actions[] | select(.kind == "stop-vm")] | length == 2' again >/dev/null || fail "the plan stops nobody"
