# A guest with a device of the host has all its memory pinned: who does not fit beside the others gets none, and is told
# why; the others get theirs. The host has 251 GiB.
# bed: --mock --sim ../sim/hosts/two-xe.yaml
. "$(dirname "$0")/story.bash"

repository
sed -i 's/^  trust:/  reserveMemory: 8GiB\n&/' agent.yaml
bed-domain vdi-1 --memory $((200 * 1024)) --define
bed-domain vdi-2 --memory $((60 * 1024)) --define
bed-domain vdi-3 --memory $((40 * 1024)) --define
virsh -q start vdi-1 >/dev/null
desktops 4 20s "vdi-1, vdi-2, vdi-3"
commit "three"
gp_ends 4 reconcile
grep -q "GP-E121: VM vdi-2 pins 61440 MiB with its first device, beside 204800 MiB of the others: this host has 249466 MiB for guests" out ||
    fail "nobody is told that the memory does not fit: $(cat out)"
expect "vdi-1 vdi-3" inventory '[.gpus[].partitions[].vm | values] | sort | join(" ")'
expect "vdi-1" running
gp_ends 4 reconcile
expect "vdi-1" running

# Who has gone makes room.
virsh -q destroy vdi-1 >/dev/null
expect 0 held
gp_ends 0 reconcile
expect "vdi-1 vdi-2 vdi-3" inventory '[.gpus[].partitions[].vm | values] | sort | join(" ")'
converged
