# A whole GPU for a guest, while a program of the host has it open, and when the host takes back the function beside it.
# bed: --mock --sim ../sim/hosts/mixed.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"

# drivers: of the GPU and of its sound.
drivers() {
    readlink "$GPUPART_ROOT"/sys/bus/pci/devices/0000:65:00.[01]/driver | sed 's,.*/,,' | xargs
}

control() {
    echo "$*" >"$GPUPART_ROOT/gpusim-control"
}

repository
bed-domain render --define
DECLARED_SPEC='acceptRisk: [boot-display]'
declare_pools "whole render" <<<'{name: whole, mode: passthrough, match: {vendor: nvidia}, select: {slots: ["4"]}}'
commit "the one in slot 4"

echo "NVIDIA's driver would wait for who has it open, and nothing would end that"
control client slot4 Xorg
control clear-log
gp_ends 5 reconcile
grep -q "0000:65:00.0 is in use by pid [0-9]* (Xorg): end that, or list its unit in GpuAgent's hostClients.stop" err ||
    fail "who is in the way is not told: $(cat err)"
expect "" cat "$GPUPART_ROOT/gpusim-log"
expect "nvidia snd_hda_intel" drivers
expect "" partition render

echo "when he has gone"
control client slot4 -
commit "again" --allow-empty
gp_ends 0 reconcile
expect "vfio-pci vfio-pci" drivers
[ -n "$(partition render)" ] || fail "its VM has it not"
converged

echo "no guest can have it while the host has the function beside it"
control set sys/bus/pci/devices/0000:65:00.1/driver_override
control set sys/bus/pci/drivers/vfio-pci/unbind 0000:65:00.1
converged
control set sys/bus/pci/drivers/snd_hda_intel/bind 0000:65:00.1
gp_ends 2 plan --detailed-exitcode
grep -q 'bind-driver  *slot4  *vfio-pci, but 0000:65:00.1 (driver snd_hda_intel) -> vfio-pci' out ||
    fail "what is wrong is not told: $(cat out)"
gp_ends 0 reconcile
expect "vfio-pci vfio-pci" drivers
converged
