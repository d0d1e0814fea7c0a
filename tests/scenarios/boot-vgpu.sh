# vGPU types on VFs after a reboot. The vendor's tool may race at boot and leave the card without its driver: it is tried
# again until the layout is there.
# bed: --mock --sim ../sim/hosts/two-a2.yaml --sim-option --time-scale=0.02
. "$(dirname "$0")/story.bash"
. "$(dirname "$0")/boot-types.bash"

repository
declare_slot5 4
gp_ends 0 reconcile
boot_story 'fail */drivers/nvidia/bind 1 EIO'
expect nvidia sh -c "basename \$(readlink '$GPUPART_ROOT/sys/bus/pci/devices/0000:0c:00.0/driver')"
