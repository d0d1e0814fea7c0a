# What somebody did before gpupart came; sourced by stories on Intel GPUs, whose partitions are VFs on vfio-pci.

# write PATH VALUE: below the simulated sys/bus/pci.
write() {
    echo "$2" >"$GPUPART_ROOT/sys/bus/pci/$1"
}

# vf GPU INDEX: the address of that VF.
vf() {
    basename "$(readlink "$GPUPART_ROOT/sys/bus/pci/devices/$1/virtfn$2")"
}

# cut_by_hand GPU COUNT: so many VFs, each ready for a guest.
cut_by_hand() {
    local n
    write "devices/$1/sriov_drivers_autoprobe" 0
    write "devices/$1/sriov_numvfs" "$2"
    for ((n = 0; n < $2; n++)); do
        write "devices/$(vf "$1" "$n")/driver_override" vfio-pci
        write drivers_probe "$(vf "$1" "$n")"
    done
}

# declare_pool COUNT VM…: the GPU in slot 3 in so many partitions, and these VMs bound to it. POOL and POLICY: more lines.
declare_pool() {
    local count=$1 vm
    shift
    mkdir -p fleet/clusters
    cat >fleet/clusters/demo.yaml <<END
apiVersion: gpupart/v1
kind: GpuCluster
metadata: {name: demo}
spec:
  hosts: [{name: demo}]
  acceptRisk: [boot-display]
  pools:
    - name: vdi
      mode: partitioned
      match: {vendor: intel}
      select: {slots: ["3"]}
      partitions: {count: $count}
${POOL:-}
  policy:
    stop: {timeout: 20s, method: [acpi]}
---
apiVersion: gpupart/v1
kind: GpuBinding
metadata: {name: desktops, cluster: demo}
spec:
  pool: vdi
  vms:
END
    for vm; do
        echo "    - {name: $vm, host: demo}" >>fleet/clusters/demo.yaml
    done
}

# definitions VM…: whole and with secrets.
definitions() {
    local vm
    for vm; do
        virsh dumpxml --inactive --security-info "$vm"
    done
}

# unmarked VM…: the same less aliases and marks.
unmarked() {
    local vm
    for vm; do
        virsh dumpxml --inactive --security-info "$vm" | xsltproc "$(dirname "${BASH_SOURCE[0]}")/unmarked.xsl" - |
            xmllint --c14n --noblanks -
    done
}

alias_of() {
    virsh dumpxml --inactive "$1" | xmllint --xpath 'string(//hostdev/alias/@name)' -
}

# mark_of VM: host, VM, binding, pool, source and partition.
mark_of() {
    local ours="*[namespace-uri()='https://gpupart.org/xmlns/mark/1']" field definition
    definition=$(virsh dumpxml --inactive "$1")
    for field in "@host" "@vm" "@binding" "@pool" "*/@source" "*/@partition"; do
        xmllint --xpath "string(/domain/metadata/$ours/$field)" - <<<"$definition"
    done | xargs
}
