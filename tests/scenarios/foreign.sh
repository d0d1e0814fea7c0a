# What is not ours survives: foreign hostdevs, foreign mdevs, copied marks, GPUs in no pool.
# bed: --mock --sim ../sim/hosts/mixed.yaml
. "$(dirname "$0")/story.bash"

repository
gp inventory --format json >first
# The pool takes the A2 alone; everything else on this host is somebody else's.
pools() {
    DECLARED_SPEC='homogeneity: ignore' declare_pools "vdi vdi-1 vdi-2" \
        <<<"{name: vdi, mode: partitioned, match: {model: NVIDIA A2}, partitions: {count: $1}, takeover: true}"
}
others() {
    gp inventory --format json | jq -S '[.gpus[] | select(.model != "NVIDIA A2")]'
}

pools 4
commit "four"
bed-domain vdi-1 --define
bed-domain vdi-2 --define
# Somebody else's: a NIC's function given by hand, an alias that looks like ours without a mark, a plain guest.
bed-domain hand-made --hostdev 0000:02:00.0 --start
bed-domain look-alike --hostdev 0000:02:00.0,ua-gpupart-0 --define
bed-domain plain --extra "<graphics type='vnc' port='-1' passwd='s&amp;cret'/>" --define
before=$(others)
definitions=$(for vm in hand-made look-alike plain; do virsh dumpxml --inactive --security-info "$vm"; done)

gp_ends 0 reconcile
converged
virsh -q start vdi-1 >/dev/null
# A clone carries the mark and the alias of its original along.
virsh dumpxml --inactive vdi-1 | sed -e 's#<name>vdi-1<#<name>clone<#' -e '/<uuid>/d' >clone.xml
virsh -q define clone.xml >/dev/null
clone=$(virsh dumpxml --inactive clone)
# Two domains name one partition: that is told as a refusal, and neither of them is touched.
gp_ends 4 reconcile
grep -q "GP-E305.*'clone'.*'vdi-1'" out || fail "the two are not named: $(cat out err)"
grep -q "GP-D807.*'clone'" out || fail "the copied mark is not told: $(cat out err)"
expect "$clone" virsh dumpxml --inactive clone
pools 2
commit "two"
gp_ends 4 reconcile
expect "$clone" virsh dumpxml --inactive clone
expect running virsh domstate vdi-1
expect 4 inventory '[.gpus[] | select(.model == "NVIDIA A2")][0].count'
virsh -q undefine clone >/dev/null
gp_ends 0 reconcile
expect 2 inventory '[.gpus[] | select(.model == "NVIDIA A2")][0].count'
converged

[ "$before" = "$(others)" ] || fail "a GPU in no pool changed"
[ "$definitions" = "$(for vm in hand-made look-alike plain; do virsh dumpxml --inactive --security-info "$vm"; done)" ] ||
    fail "the definition of a guest that is not ours changed"
expect running virsh domstate hand-made
