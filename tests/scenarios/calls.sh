# What a pass asks libvirt: of a host at rest one definition of a guest that is off and two of one that runs, and all else
# once. Whether a job runs is asked only of those that the plan would stop. On the real QEMU driver.
# bed: --qemu --proxy --sim ../sim/hosts/two-xe.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"
. "$(dirname "$0")/by-hand.bash"

# asked PROCEDURE GPUPART-ARGUMENT…: how often the pass called it.
asked() {
    local procedure=$1
    shift
    : >"$BED/proxy.log"
    gp_ends_in "0 2" "$@"
    grep -c " $procedure\$" "$BED/proxy.log" || :
}

# The pool is the GPU in slot 3.
repository
declare_pool 2 one two
commit "two guests"
for vm in one two off; do
    bed-domain "$vm" --define
done
gp_ends 0 reconcile
start one two
converged
expect 5 asked get-xml reconcile
expect 0 asked get-job-info reconcile
expect 7 asked list-domains reconcile

# One of them loses its partition, and is asked; the other keeps its own.
declare_pool 2 one
commit "one guest
Gpupart-Allow-Removal: 1"
expect 1 asked get-job-info plan
grep -q 'stops.*: two$' out || fail "not what this is about: $(cat out)"
expect 5 asked get-xml plan
