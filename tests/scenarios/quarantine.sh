# A partition that is quarantined is given to nobody, whatever asks for one; made anew by another count it is another
# partition, and the pass that makes it gives it away at once.
# bed: --mock --sim ../sim/hosts/two-xe.yaml
. "$(dirname "$0")/story.bash"

repository
desktops 2 20s "vdi-1"
commit "two partitions"
for vm in vdi-{1..4}; do
    bed-domain "$vm" --define
done
gp_ends 0 reconcile
[ -n "$(partition vdi-1)" ] || fail "vdi-1 has no partition"

jq -n '{formatVersion: 1, quarantined: {"slot5/1": {sinceUs: 1}}}' >state/quarantined.json

# ---- it counts as taken ----
desktops 2 20s "vdi-1, vdi-2"
commit "a second one"
gp_ends 0 reconcile
expect "" partition vdi-2
grep -q 'GP-W306' out || fail "nobody says that vdi-2 has none: $(cat out)"

# ---- and is another one when it is made anew ----
desktops 4 20s "vdi-1, vdi-2, vdi-3, vdi-4"
commit "four partitions"
gp_ends 0 reconcile
for vm in vdi-{1..4}; do
    [ -n "$(partition "$vm")" ] || fail "$vm has no partition"
done
converged
expect '{}' jq -c .quarantined state/quarantined.json
