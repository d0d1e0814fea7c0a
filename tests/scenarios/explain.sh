# Why a guest or a GPU is as it is: every fact that led there, from the kernel to the line of the declaration.
# bed: --mock --sim ../sim/hosts/two-xe.yaml
. "$(dirname "$0")/story.bash"
. "$(dirname "$0")/stubborn.bash"

# says ABOUT PATTERN: the last explanation has a fact of that kind.
says() {
    jq -e --arg about "$1" --arg text "$2" 'any(.facts[]; .about == $about and (.text | test($text)))' out >/dev/null ||
        fail "no '$1' that says '$2': $(cat out)"
}
silent() {
    jq -e --arg about "$1" 'all(.facts[]; .about != $about)' out >/dev/null || fail "it says '$1': $(cat out)"
}
# at ABOUT LINE: that fact stands in that line of the declaration.
at() {
    expect "$2" jq -r --arg about "$1" '[.facts[] | select(.about == $about and .line)][0].line' out
}

repository
for vm in vdi-{1..3} other; do
    bed-domain "$vm" --define
done

# Nothing is wanted yet.
gp_ends 0 explain vm/vdi-1 --format json
says observed '^off, UUID '
says wanted 'follows no declaration'
gp_ends 1 explain vm/no-such
gp_ends 1 explain gpu/slot9
grep -q 'gpu/slot5' err || fail "the GPUs that there are should be named: $(cat err)"

# Wanted, and not done.
pools 4
commit "four partitions"
gp_ends 0 plan --git "file://$HOME/fleet"
gp_ends 0 explain vm/vdi-1 --git "file://$HOME/fleet" --format json
says applied nothing
says wanted 'pool vdi, says binding desktops'
at wanted "$(grep -n 'name: vdi-1,' fleet/clusters/demo.yaml | cut -d: -f1)"
says assigned '^slot5/0: the first that was free'
says plan 'would be done now'
says step 'attach vdi-1'

# Done.
gp_ends 0 reconcile
virsh -q start vdi-1 >/dev/null
gp_ends 0 explain vm/vdi-1 --format json
says observed '^running'
says 'runs with' 'slot5/0, ours'
says 'defined with' 'slot5/0, ours'
says applied "slot5/0 since .* at commit $(git -C fleet rev-parse --short=12 HEAD)"
says assigned 'slot5/0: it has that already'
says plan 'nothing is to be done'
silent step
gp_ends 0 explain "gpu/$(inventory '.gpus[] | select(.id == "slot5") | .address')" --format json
expect gpu/slot5 jq -r .object out
says partition '^slot5/0: VM vdi-1'
says partition '^slot5/3: free'
says wanted 'partitioned 4.*, says pool vdi'
gp_ends 0 explain vm/other --format json
says wanted 'no binding names it'

# A change that somebody holds up.
pools 2
commit "two"
gp_ends 0 pause vm/vdi-1 --for 1h --reason "its user is in a meeting"
gp_ends 0 reconcile
gp_ends 0 explain gpu/slot5 --format json
says change 'partitions.count: 4 -> 2'
says plan 'waits: GP-E503: paused: vm/vdi-1'
says step 'set-vf-count slot5'
gp_ends 0 explain vm/vdi-1
grep -q '^  paused  *vm/vdi-1 until .*its user is in a meeting$' out || fail "the pause is not among the facts: $(cat out)"
grep -q '^  step .*stop-vm vdi-1: running -> off.*(.*demo.yaml:[0-9]*)$' out || fail "what would stop it is not told: $(cat out)"
gp_ends 0 resume vm/vdi-1

# Drift, from another hand.
pools 4
commit "four again"
gp_ends 0 reconcile
virsh dumpxml --inactive vdi-2 | sed '/<hostdev/,/<\/hostdev>/d' >vdi-2.xml
virsh -q define vdi-2.xml
gp_ends 0 explain vm/vdi-2 --format json
says drift 'slot5/1 -> -'

# The host's word: the guest keeps what it has of a GPU that is never to be touched.
sed -i "s/^  trust:/  neverTouch: {gpus: [\"$(inventory '.gpus[] | select(.id == "slot5") | .address')\"]}\n&/" agent.yaml
for object in vm/vdi-1 gpu/slot5; do
    gp_ends_in "0 2" explain "$object" --format json
    says wanted '^nothing: neverTouch of this host names it'
done
