# A guest that ignores the power button keeps running, nothing is repartitioned under it, what was begun is restored.
# On the real QEMU driver with stand-in devices.
# bed: --qemu --sim ../sim/hosts/two-xe.yaml
. "$(dirname "$0")/story.bash"
. "$(dirname "$0")/stubborn.bash"
stubborn_story "bed-domain vdi-3 --ignores --define" :
