# The demo's story, told in a machine that can be thrown away: a bed (demo-bed.bash) or a lab (tests/lab/scenarios/demo.sh). Whoever
# sources it has what tests/scenarios/story.bash has, gpupart with this machine's options, and
#
#   domain NAME      defines a VM
#   start NAME…      starts VMs, and waits until they heed the power button
#   allow            what this machine wants of the declaration in ~/fleet besides
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    bold=$(printf '\033[1m') plain=$(printf '\033[0m')
else
    bold='' plain=''
fi

say() {
    printf '\n%s# %s%s\n' "$bold" "$*" "$plain"
}

# show COMMAND…: as an operator types it, and what it prints.
show() {
    printf '%s$ %s%s\n' "$bold" "$*" "$plain"
    "$@"
}

say "A git repository declares: two NVIDIA A2 in four partitions each, and a partition for each of eight VMs."
repository demo demo
cp -r "$here/../../examples/demo/." fleet/
allow
commit "two A2 in four partitions each"
show git -C fleet log --oneline
for vm in vdi-0{1..8}; do
    domain "$vm"
done
start vdi-0{1..5}
virsh list --all

say "What a laptop or CI says of it, with no host at all."
show gpupart validate fleet

say "What the host has."
show gpupart inventory

say "What would be done. Nothing is changed yet."
show gpupart plan
id=$(gpupart plan --format json | jq -r .id)

say "Do it, if the plan is still that one."
show gpupart apply --plan "$id"
[ "$(gpupart inventory --format json | jq -r '[.gpus[].count] | join(" ")' )" = "4 4" ] || fail "not four and four partitions"
[ "$(running)" = "vdi-01 vdi-02 vdi-03 vdi-04 vdi-05" ] || fail "not the VMs run that ran"

say "A second pass finds nothing to do."
show gpupart reconcile
gpupart plan --detailed-exitcode >/dev/null || fail "the second pass has something to do"

say "Somebody takes a partition away by hand; no running VM uses it. The timer's next pass says so in the journal."
vf=$(gpupart inventory --format json | jq -r '[.gpus[].partitions[] | select(.vm == "vdi-08")][0].address')
echo 0 >"${GPUPART_ROOT:-}/sys/bus/pci/devices/$vf/nvidia/current_vgpu_type"
drifted=0
show gpupart drift || drifted=$?
[ "$drifted" = 2 ] || fail "the drift was not found (status $drifted)"
show gpupart reconcile
show journalctl --no-pager -o cat SYSLOG_IDENTIFIER=gpupart GPUPART_EVENT=drift-found
journalctl --no-pager -q SYSLOG_IDENTIFIER=gpupart GPUPART_EVENT=drift-found GPUPART_RULE=GP-D801 | grep -q . ||
    fail "the journal has no drift of the partition count"

say "A change for review: two larger partitions a GPU, so two VMs a GPU. Whom does it stop?"
sed -i 's/count: 4/count: 2/' fleet/clusters/demo/cluster.yaml
sed -i '/vdi-0[5-8]/d' fleet/clusters/demo/bindings.yaml
git -C fleet diff --stat
gpupart report --dir fleet >report.md
show cat report.md
grep -q '5 VMs stop' report.md || fail "the report does not say that 5 VMs stop"

say "It is merged; the next pass does it: stop, release, partition, attach, start, verify."
commit "two larger partitions a GPU

Gpupart-Allow-Removal: 4"
show gpupart reconcile
[ "$(gpupart inventory --format json | jq -r '[.gpus[].count] | join(" ")')" = "2 2" ] || fail "not two and two partitions"
[ "$(running)" = "vdi-01 vdi-02 vdi-03 vdi-04 vdi-05" ] || fail "not the VMs run that ran"
show gpupart status

say "And nothing is left to do."
show gpupart reconcile
gpupart plan --detailed-exitcode >/dev/null || fail "something is left to do"
say "Done: all of it held. This machine is gone with it."
