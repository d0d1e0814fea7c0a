# A whole GPU of a host that has no driver for it: what a pass that fails tells of the way back is what is there then.
# bed: --mock --sim ../sim/hosts/no-drivers.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"

# drivers ADDRESS…: of each of these.
drivers() {
    local address
    for address; do
        readlink "$GPUPART_ROOT/sys/bus/pci/devices/$address/driver" || echo none
    done | sed 's,.*/,,' | xargs
}

gpu=0000:65:00.0 sound=0000:65:00.1
repository
bed-domain render --define
echo >"$GPUPART_ROOT/sys/bus/pci/devices/$sound/driver_override"
echo "$sound" >"$GPUPART_ROOT/sys/bus/pci/drivers/vfio-pci/unbind"
declare_pools "whole render" <<<'{name: whole, mode: passthrough, match: {vendor: nvidia}, select: {slots: ["4"]}}'
commit "the one in slot 4"

echo "its sound cannot be had"
echo "fail */$sound/driver_override 1 EIO" >"$GPUPART_ROOT/gpusim-control"
gp_ends 5 reconcile
expect "none none" drivers $gpu $sound
expect "" partition render
expect "bind-driver slot4: vfio-pci -> (the host's driver) or none: done" \
    journal 'select(.GPUPART_EVENT == "step-done" and .GPUPART_GPU == "slot4") | .MESSAGE'
expect "(the host's driver) or none" journal 'select(.GPUPART_EVENT == "step-done" and .GPUPART_GPU == "slot4") | .GPUPART_AFTER'

echo "and then it can"
commit "again" --allow-empty
gp_ends 0 reconcile
expect "vfio-pci vfio-pci" drivers $gpu $sound
converged
