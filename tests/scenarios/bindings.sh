# Who is bound and when: globs with exceptions, lines without a host, bindings for the next start, a stop time of a
# binding's own, a host that is drained. On the real QEMU driver.
# bed: --qemu --sim ../sim/hosts/two-xe.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"
. "$(dirname "$0")/by-hand.bash"

# declare_with STATE "BINDINGS": slot 3 in seven partitions, and these GpuBinding documents' specs, one a line as NAME SPEC.
declare_with() {
    local state=$1 name spec
    mkdir -p fleet/clusters
    cat >fleet/clusters/demo.yaml <<END
apiVersion: gpupart/v1
kind: GpuCluster
metadata: {name: demo}
spec:
  hosts: [{name: demo, state: $state}, {name: kvm-z}]
  acceptRisk: [boot-display]
  pools:
    - {name: vdi, mode: partitioned, match: {vendor: intel}, select: {slots: ["3"]}, partitions: {count: 7}}
  policy:
    stop: {timeout: 20s, method: [acpi]}
END
    while read -r name spec; do
        cat >>fleet/clusters/demo.yaml <<END
---
apiVersion: gpupart/v1
kind: GpuBinding
metadata: {name: $name, cluster: demo}
spec: $spec
END
    done <<<"$2"
}

# bound: who has a partition.
bound() {
    inventory '[.gpus[].partitions[].vm | values] | sort | join(" ")'
}

repository
for vm in desk-{1..3} desk-template elsewhere next; do
    bed-domain "$vm" --define
done
bed-domain plain --start
for vm in desk-1 next; do
    virsh -q start "$vm" >/dev/null
    soon 20 test -s "/var/log/$vm.serial"
done

# ---- globs and what they leave out; lines without a host, and of another one ----
desks='desks {pool: vdi, vms: [{name: "desk-*", except: [desk-template, "*-3"]}, {name: nobody}, {name: elsewhere, host: kvm-z}]}'
declare_with active "$desks"
commit "two desks"
gp_ends 0 reconcile
expect "desk-1 desk-2" bound
converged
! grep -q 'nobody' out || fail "a line without a host is taken for a mistake of this one: $(cat out)"
soon 20 test -s /var/log/desk-1.serial
process=$(pids desk-1)

# ---- for the next start: who runs is left alone until then ----
declare_with active "$desks
later {pool: vdi, apply: next-start, vms: [{name: next}]}"
commit "and one when it starts next"
running_process=$(pids next)
gp_ends 2 plan --detailed-exitcode
grep -q 'class none, 0 VMs stop' out || fail "somebody is stopped: $(cat out)"
gp_ends 0 reconcile
expect "$running_process" pids next
[ -n "$(partition next)" ] || fail "it is not defined with a partition"
! virsh dumpxml next | grep -q '<hostdev' || fail "it has it already"
converged
virsh -q destroy next
virsh -q start next >/dev/null
virsh dumpxml next | grep -q '<hostdev' || fail "it started without it"
converged
expect "$process" pids desk-1

# ---- for the next start, and then now ----
later="later {pool: vdi, apply: next-start, vms: [{name: next}]}"
bed-domain sooner --start
soon 20 test -s /var/log/sooner.serial
declare_with active "$desks
$later
sooner {pool: vdi, apply: next-start, vms: [{name: sooner}]}"
commit "one more when it starts next"
gp_ends 0 reconcile
converged
gp_ends 0 status vm/sooner
grep -q 'PendingStart' out || fail "what it waits for is not said: $(cat out)"
declare_with active "$desks
$later
sooner {pool: vdi, vms: [{name: sooner}]}"
commit "which shall have it now"
gp_ends 2 plan --detailed-exitcode
grep -q 'stop-vm  *sooner' out || fail "it is not to be stopped for it: $(cat out)"
gp_ends 0 reconcile
virsh dumpxml sooner | grep -q '<hostdev' || fail "it has it still not: $(cat out)"
converged
expect "$process" pids desk-1
virsh -q destroy sooner
virsh -q undefine sooner

# ---- a stop time of its own ----
bed-domain slow --ignores --start
declare_with active "$desks
later {pool: vdi, apply: next-start, vms: [{name: next}]}
slow {pool: vdi, stop: {timeout: 2s}, vms: [{name: slow}]}"
commit "one that ignores all"
gp_ends 5 reconcile
grep -q 'slow.*it still runs 2 s after it was asked' err || fail "the cluster's time was taken: $(cat err)"
expect "desk-1 next plain slow" running
virsh -q destroy slow
virsh -q undefine slow

# ---- drained: what is ours is unbound, then the host is left alone ----
hand_made=$(vf 0000:03:00.0 6)
bed-domain mine --hostdev "$hand_made" --define
mine=$(definitions mine)
declare_with drained "$desks
later {pool: vdi, apply: next-start, vms: [{name: next}]}"
commit "drained"
plain=$(pids plain)
gp_ends 0 plan
grep -q 'detach  *desk-2 .*this host is drained' out || fail "why is not said: $(cat out)"
gp_ends 0 explain vm/desk-2 --git "file://$HOME/fleet"
grep -q 'wanted  *no partition: this host is drained' out || fail "explain names another reason: $(cat out)"
gp_ends 0 reconcile
for vm in desk-1 desk-2 next; do
    expect "" partition $vm
done
expect mine bound
expect "desk-1 next plain" running
expect "$plain" pids plain
expect "$mine" definitions mine
expect 7 inventory '.gpus[] | select(.id == "slot3") | .count'
converged
# Then it is left alone, whoever does what to it.
echo clear-log >"$GPUPART_ROOT/gpusim-control"
echo "lose-vfs slot3" >"$GPUPART_ROOT/gpusim-control"
expect 0 inventory '.gpus[] | select(.id == "slot3") | .count'
gp_ends_in "0 2" reconcile
expect "" cat "$GPUPART_ROOT/gpusim-log"
gp_ends 0 drift
gp_ends 0 status --exit-code gpu/slot3
grep -q 'NotManaged' out || fail "it is not told that nobody manages it: $(cat out)"
for object in vm/desk-1 gpu/slot3; do
    gp_ends 0 explain "$object"
    grep -q 'wanted  *nothing: this host is drained, so it is left alone' out || fail "explain $object names another reason: $(cat out)"
done
expect "$mine" definitions mine
expect "desk-1 next plain" running
