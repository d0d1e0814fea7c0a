# The laws that every provider keeps hold on the real kernel as on the simulator, for each mechanism that its drivers have, changes and all.
# lab: trixie bookworm
# gpus: b50 b50

laws() {
    /lab/gp-conformance --change --tool=/usr/lib/nvidia/sriov-manage / >"$1.laws" 2>&1 || {
        cat "$1.laws"
        fail "$1: status $?"
    }
    cat "$1.laws"
    cp "$1.laws" /lab/ # for conformance.outside
    grep -q "^ok  .*($2)" "$1.laws" || fail "$1: no law of $2 was checked"
}

# Fact, which the simulator's mdev hosts have from here: the module's folders are there before any parent.
for folder in /sys/bus/mdev/devices /sys/class/mdev_bus; do
    expect "" ls $folder
done
laws b50 sriov
# Fact: from Linux 6.8 on NVIDIA's manager has the vendor's VFIO framework, before that mdev.
case $(uname -r) in
6.1.*)
    gpus a2-mdev a2-mdev
    laws a2-mdev mdev
    ;;
*)
    gpus a2 a2
    laws a2 nvidia-vfio
    ;;
esac
