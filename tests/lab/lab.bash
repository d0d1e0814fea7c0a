# lab.bash [SCENARIO]: runs one scenario in the lab, with what scenarios share, or is only that (other). The program, its units, the hook and the
# journal are the installed ones in their real places; libvirtd, the kernel and systemd are the machine's own.
# $LAB_PHASE is empty, or what the scenario gave to reboot_lab.
lab=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
export HOME=/var/lib/lab LIBVIRT_DEFAULT_URI=qemu:///system
mkdir -p "$HOME"
# shellcheck source=../scenarios/story.bash
. "$lab/../scenarios/story.bash"
unset GPUPART_SIMULATED_TOOLS
DECLARED_HOST=lab DECLARED_TIMEOUT=1h DECLARED_SPEC=$'homogeneity: ignore\nacceptRisk: [boot-display, nested]'

devices=/sys/bus/pci/devices

# A question to libvirt costs an emulated machine more than what it waits for.
SOON_EVERY_MS=250

# state_is VM STATE: libvirtd is only asked when there is a process, or none, as there must be.
state_is() {
    local has=no want=yes
    [ ! -e "/run/libvirt/qemu/$1.pid" ] || has=yes
    [ "$2" != 'shut off' ] || want=no
    [ $has = $want ] && [ "$(virsh domstate "$1" 2>/dev/null)" = "$2" ]
}

gp() {
    gpupart "$@"
}

# follow INTERVAL REMOTE…: this host's GpuAgent, which follows these remotes, each as YAML has it. It is host $host of cluster
# $cluster; where these are not set, of this lab's name, in cluster demo.
follow() {
    mkdir -p /etc/gpupart
    cat >/etc/gpupart/agent.yaml <<END
apiVersion: gpupart/v1
kind: GpuAgent
metadata: {name: ${host:-$HOSTNAME}}
spec:
  cluster: ${cluster:-demo}
  git:
    remotes:
$(printf '      - %s\n' "${@:2}")
    ref: refs/heads/main
    interval: $1
  trust: {mode: none}
  nvidia: {sriovManage: /usr/lib/nvidia/sriov-manage}
END
}

# repository [CLUSTER HOST]: an empty one in ~/fleet, which this host follows.
repository() {
    local cluster=${1:-} host=${2:-}
    git init -q -b main fleet
    mkdir -p fleet/clusters
    follow 10m "{url: 'file://$HOME/fleet'}"
}

# pool COUNT SLOTS VM…: commits a declaration of the Intel GPUs in SLOTS ("1,2") in COUNT partitions each, for these VMs.
pool() {
    declare_pools "vdi ${*:3}" \
        <<<"{name: vdi, mode: partitioned, match: {vendor: intel}, select: {slots: [\"${2//,/\", \"}\"]}, partitions: {count: $1}}"
    commit "$1 in each" --allow-empty
}

# domain NAME [GUEST]: defines a machine whose firmware is all it has, and obeys the power button unless GUEST is guest-ignores.
domain() {
    local sum
    sum=$(printf %s "$1" | md5sum)
    virsh -q define /dev/stdin <<END
<domain type='qemu'>
  <name>$1</name>
  <uuid>${sum:0:8}-${sum:8:4}-4${sum:13:3}-8${sum:17:3}-${sum:20:12}</uuid>
  <memory unit='MiB'>16</memory>
  <vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type>
    <loader readonly='yes' type='rom'>/usr/lib/gpupart-lab/${2:-guest-obeys}.rom</loader></os>
  <features><acpi/></features>
  <cpu mode='custom'><model>qemu64</model></cpu>
  <on_poweroff>destroy</on_poweroff>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <serial type='file'><source path='/var/log/libvirt/qemu/$1.serial'/></serial>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
  </devices>
</domain>
END
}

# is_up VM: its guest heeds the power button.
is_up() {
    [ -s "/var/log/libvirt/qemu/$1.serial" ] && state_is "$1" running
}

# start VM…: and waits until each heeds the power button.
start() {
    local vm
    for vm; do
        virsh -q start "$vm"
    done
    for vm; do
        soon 120 is_up "$vm"
    done
}

# groups VM: the VFIO groups that its QEMU has open.
groups() {
    find /proc/"$(cat "/run/libvirt/qemu/$1.pid")"/fd -lname '/dev/vfio/[0-9]*' -printf '%l\n' | sort | xargs
}

# group_of ADDRESS: as groups prints it.
group_of() {
    echo "/dev/vfio/$(basename "$(readlink "$devices/$1/iommu_group")")"
}

# given VM: the address of the VF that its definition has.
given() {
    virsh dumpxml --inactive "$1" --xpath "//hostdev[starts-with(alias/@name,'ua-gpupart-')]/source/address" |
        sed -n "s/.*domain=\"0x\([0-9a-f]*\)\" bus=\"0x\([0-9a-f]*\)\" slot=\"0x\([0-9a-f]*\)\" function=\"0x\([0-9a-f]*\)\".*/\1:\2:\3.\4/p"
}

# mdevs: UUID, parent and type of each, sorted.
mdevs() {
    local mdev
    for mdev in /sys/bus/mdev/devices/*; do
        [ -e "$mdev" ] || continue
        echo "$(basename "$mdev") $(basename "$(dirname "$(realpath "$mdev")")") $(basename "$(readlink "$mdev/mdev_type")")"
    done | sort
}

# uuid VM: of the mdev that it is given.
uuid() {
    virsh dumpxml --inactive "$1" --xpath "//hostdev/source/address" | sed -n 's/.*uuid="\([0-9a-f-]*\)".*/\1/p'
}

# holds_mdev VM: its QEMU has the group of its mdev open, and no other.
holds_mdev() {
    [ "$(groups "$1")" = "/dev/vfio/$(basename "$(readlink "/sys/bus/mdev/devices/$(uuid "$1")/iommu_group")")" ]
}

# gpus MODEL MODEL: what the two devices are from now on; every partition is gone.
gpus() {
    local file sample address
    # Fact: a PF that is removed while its driver leaves VFs on leaves them behind, and the kernel stumbles over them.
    /usr/lib/nvidia/sriov-manage -d ALL >/dev/null || :
    for file in "$devices"/0000:0[12]:00.0/sriov_numvfs; do
        [ ! -e "$file" ] || [ "$(cat "$file")" = 0 ] || echo 0 >"$file"
    done
    for sample in mdpy mbochs; do
        [ ! -e "/sys/module/$sample" ] || rmmod "$sample"
    done
    rmmod labgpu
    # So that it is the same after a reboot.
    echo "0000:01:00.0=$1,0000:02:00.0=$2" >/lab/gpus
    for address in 0000:01:00.0 0000:02:00.0; do
        echo 1 >"$devices/$address/remove"
    done
    echo 1 >/sys/bus/pci/rescan
    insmod /usr/lib/gpupart-lab/labgpu.ko "gpus=0000:01:00.0=$1,0000:02:00.0=$2"
    # Those that have a driver of their own.
    for sample; do
        [ ! -e "/usr/lib/gpupart-lab/$sample.ko" ] || insmod "/usr/lib/gpupart-lab/$sample.ko"
    done
    udevadm settle
}

# on LAB COMMAND…: in one of the other labs that the scenario asks for by "# with:"; what it prints and its status are the
# command's here. The first time waits until that lab is up.
on() {
    local at=/lab/others/$1 until=$((SECONDS + 3600)) status
    shift
    touch /lab/others/wanted
    printf '%q ' "$@" >"$at/asked"
    mv "$at/asked" "$at/job"
    until [ -e "$at/status" ]; do
        [ $SECONDS -lt $until ] || fail "not in time: $*"
        sleep .2
    done
    cat "$at/output"
    cat "$at/errors" >&2
    status=$(cat "$at/status")
    rm "$at/status"
    return "$status"
}

# reboot_lab PHASE: restarts the machine in good order; the scenario begins anew with LAB_PHASE=PHASE.
reboot_lab() {
    echo "$1" >/lab/phase
    touch /lab/again
    sync
    systemctl --no-block reboot
    sleep 600
}

# fresh: as if nothing had been here before; GPUs of these models.
fresh() {
    local vm
    systemctl stop gpupart.service gpupart-reconcile.timer gpupart-reconcile.service gpupart-boot.service
    systemctl disable -q gpupart.service gpupart-reconcile.timer gpupart-boot.service
    for vm in $(virsh list --all --name); do
        virsh -q destroy "$vm" 2>/dev/null || :
        virsh -q undefine "$vm"
    done
    rm -rf /var/lib/gpupart /run/gpupart "${HOME:?}"/* /etc/gpupart
    if [ "$(cat /sys/module/labgpu/parameters/gpus)" != "0000:01:00.0=$1,0000:02:00.0=$2" ] ||
        [ "$(cat "$devices"/0000:0[12]:00.0/sriov_numvfs 2>/dev/null | xargs)" != "0 0" ]; then
        gpus "$1" "$2"
    fi
}

[ $# -gt 0 ] || return 0
if [ -z "$LAB_PHASE" ]; then
    # shellcheck disable=SC2046
    fresh $(sed -n 's/^# gpus: //p' "$lab/scenarios/$1.sh")
fi
# shellcheck source=/dev/null
. "$lab/scenarios/$1.sh"
