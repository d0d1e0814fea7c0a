# A host that was partitioned by hand, with guests running on it, is taken over as it is: the hostdevs are marked, nobody
# stops, no partition is touched. Then what keeps the marks and the record of this host right: each repairs the other,
# and the kernel is believed over both. On the real QEMU driver.
# bed: --qemu --sim ../sim/hosts/two-xe.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"
. "$(dirname "$0")/by-hand.bash"

# undisturbed: the guests are the same processes, and nothing was written to the kernel, since `processes` was taken.
undisturbed() {
    expect "$processes" pids vdi-1 plain
    expect "" cat "$GPUPART_ROOT/gpusim-log"
    expect "plain vdi-1 vdi-3" running
    expect "$others" definitions vdi-4 plain
}

# sources VM…: where each VM's PCI hostdevs come from, whoever gave them.
sources() {
    local vm
    for vm; do
        virsh dumpxml --inactive "$vm" --xpath '//hostdev/source/address' | tr -d '\n'
        echo
    done
}

repository
cut_by_hand 0000:03:00.0 4
# One runs with its partition, one is off and has an alias of its own, one runs without, one has a whole other GPU.
bed-domain vdi-1 --hostdev "$(vf 0000:03:00.0 2)" --start
bed-domain vdi-2 --hostdev "$(vf 0000:03:00.0 1),ua-mine" --managed yes --define
bed-domain vdi-3 --start
bed-domain vdi-4 --hostdev 0000:04:00.0 --define
bed-domain plain --start
processes=$(pids vdi-1 plain)
others=$(definitions vdi-4 plain)
given=$(sources vdi-{1..2})
rest=$(unmarked vdi-{1..2})
gp inventory --format json | jq -S '[.gpus[] | {id, count, partitions: [.partitions[] | {index, address, driver}]}]' >before
echo clear-log >"$GPUPART_ROOT/gpusim-control"

# ---- as declared ----
declare_pool 4 vdi-{1,2}
commit "as it is"
gp_ends 2 plan --detailed-exitcode
grep -q '2 steps, class none, 0 VMs stop, 0 GPUs change' out || fail "more than marks is planned: $(cat out)"
expect "$others" definitions vdi-4 plain
gp_ends 0 reconcile
undisturbed
expect "$given" sources vdi-{1..2}
expect "$rest" unmarked vdi-{1..2}
gp inventory --format json | jq -S '[.gpus[] | {id, count, partitions: [.partitions[] | {index, address, driver}]}]' >after
cmp before after || fail "a partition is another one"
expect "vdi-2 vdi-1" inventory '[.gpus[] | select(.id == "slot3") | .partitions[].vm | values] | join(" ")'
expect ua-gpupart-0 alias_of vdi-1
expect ua-gpupart-0 alias_of vdi-2
expect "7b2e3f405c6d7a8998a7b6c5d4e3f2a1 $(virsh domuuid vdi-1 | head -n 1) desktops vdi $(vf 0000:03:00.0 2) slot3/2" mark_of vdi-1
expect "gpu/slot3" journal 'select(.GPUPART_EVENT == "adopted" and .GPUPART_GPU) | "gpu/" + .GPUPART_GPU'
converged
undisturbed

# ---- the record is lost: what the marks say is taken ----
marked=$(definitions vdi-{1..2})
cp state/applied.json applied-before
rm -r state
gp_ends 0 reconcile
expect "gpu/slot3 vm/vdi-1 vm/vdi-2" echo $(journal 'select(.GPUPART_EVENT == "adopted") | .MESSAGE' | cut -d' ' -f1 | sort -u)
expect "$(jq -S '.applied | map_values(.value)' applied-before)" jq -S '.applied | map_values(.value)' state/applied.json
expect "$marked" definitions vdi-{1..2}
converged
undisturbed

# repairs: one pass makes the definitions and the record what they were, and disturbs nobody.
repairs() {
    gp_ends 0 reconcile
    expect "$marked" definitions vdi-{1..2}
    expect "$recorded" jq -Sc '.applied | map_values(.value)' state/applied.json
    undisturbed
    converged
}
recorded=$(jq -Sc '.applied | map_values(.value)' state/applied.json)

# ---- the mark is lost, of a guest that runs and of one that is off ----
for vm in vdi-1 vdi-2; do
    virsh -q metadata "$vm" https://gpupart.org/xmlns/mark/1 --remove --config >/dev/null
done
expect "" mark_of vdi-1
gp_ends 2 drift
grep -q "vdi-1.*mark" out || fail "it is not told: $(cat out)"
repairs

# ---- the alias is lost, and the mark names another partition than its source is ----
virsh dumpxml --inactive --security-info vdi-2 | sed "/ua-gpupart-0/d" >vdi-2.xml
virsh -q define vdi-2.xml >/dev/null
virsh dumpxml --inactive --security-info vdi-1 | sed "s#slot3/2#slot3/0#" >vdi-1.xml
virsh -q define vdi-1.xml >/dev/null
expect "" alias_of vdi-2
repairs

# ---- record and marks are both wrong: what the kernel shows is believed ----
jq '.applied |= map_values(.value |= sub("partitioned 4"; "partitioned 3") | .value |= sub("slot3/[12]"; "slot3/0"))' \
    state/applied.json >wrong.json
cp wrong.json state/applied.json
virsh -q define vdi-1.xml >/dev/null
repairs

# ---- what is said to QEMU of a device, by its alias, would be said of another after a mark: it stays as it is ----
bed-domain named --hostdev "$(vf 0000:03:00.0 0)" --define
virsh dumpxml --inactive --security-info named | sed "s#^<domain #&xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0' #
    s#^</domain>#<qemu:override><qemu:device alias='hostdev0'><qemu:frontend><qemu:property name='x-no-mmap' type='bool' value='false'/></qemu:frontend></qemu:device></qemu:override>&#" >named.xml
virsh -q define named.xml >/dev/null
named=$(definitions named)
declare_pool 4 vdi-{1,2} named
commit "another guest that has its partition"
gp_ends 0 reconcile
grep -q 'GP-E507: the definition of VM named may not be changed: it names slot3/0 by its alias (<qemu:override>, -set), which a mark would change' out ||
    fail "it is not told: $(cat out)"
expect "$named" definitions named
undisturbed
start named
expect "$named" definitions named
