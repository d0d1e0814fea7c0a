# A guest gets its partition where its memory is, or its CPUs are: GPU slot3 is on node 0, slot5 on node 1.
# bed: --mock --sim ../sim/hosts/two-a2.yaml
. "$(dirname "$0")/story.bash"

# bound VM ELEMENT…: a guest whose definition has these elements, too.
bound() {
    local vm=$1
    shift
    bed-domain "$vm" --define
    virsh dumpxml --inactive "$vm" | sed "s|<vcpu.*</vcpu>|$*|" >"$vm.xml"
    virsh -q define "$vm.xml" >/dev/null
}

repository
mkdir -p fleet
cat >fleet/demo.yaml <<END
apiVersion: gpupart/v1
kind: GpuCluster
metadata: {name: demo}
spec:
  hosts: [{name: demo}]
  pools: [{name: vdi, mode: partitioned, match: {model: NVIDIA A2}, partitions: {count: 2}}]
---
apiVersion: gpupart/v1
kind: GpuBinding
metadata: {name: desktops, cluster: demo}
spec:
  pool: vdi
  vms: [{name: anywhere, host: demo}, {name: near-1, host: demo}, {name: pinned, host: demo}]
END
commit "three guests"
bound anywhere "<vcpu>1</vcpu>"
bound near-1 "<vcpu>1</vcpu><numatune><memory mode='strict' nodeset='1'/></numatune>"
bound pinned "<vcpu placement='static' cpuset='2-3'>1</vcpu>"

echo "memory on node 1: the GPU of node 1"
gp_ends 0 reconcile
expect near-1 inventory '[.gpus[] | select(.id == "slot5") | .partitions[].vm // empty] | index("near-1") | if . == null then "" else "near-1" end'

echo "CPUs of node 1, as a capture of a host with two nodes has them"
gp_ends 0 capture captured
for node in 0 1; do
    mkdir -p "captured/sys/devices/system/node/node$node"
    echo "$((2 * node))-$((2 * node + 1))" >"captured/sys/devices/system/node/node$node/cpulist"
done
# Nothing is there of what was given: each gets its place anew.
sed -i '/<metadata>/,/<.metadata>/d; /<hostdev/,/<.hostdev>/d' captured/libvirt/*.xml
# place: where the plan puts each, with the nodes as they are in the capture.
place() {
    gpupart --root captured --config agent.yaml --state fresh --dir fleet plan --format json |
        jq -r '[.actions[] | select(.kind == "attach") | "\(.target) \(.after)"] | sort | join(", ")'
}
expect "anywhere slot3/0, near-1 slot5/0, pinned slot5/1" place
echo 2-3 >captured/sys/devices/system/node/node0/cpulist
echo 0-1 >captured/sys/devices/system/node/node1/cpulist
expect "anywhere slot3/0, near-1 slot5/0, pinned slot3/1" place
