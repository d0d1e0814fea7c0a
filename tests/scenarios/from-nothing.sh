# From nothing to four partitions on two GPUs with eight VMs bound, through commit, plan and apply.
# bed: --mock --sim ../sim/hosts/two-a2.yaml
. "$(dirname "$0")/story.bash"

demo_fleet
for n in 1 3 5; do
    virsh -q start "vdi-0$n" >/dev/null
done
before=$(canonical vdi-0{1..8})

gp_ends 2 plan --detailed-exitcode
expect "0 0" inventory '[.gpus[].count] | map(tostring) | join(" ")'
gp_ends 0 plan --format json
id=$(jq -r .id out)
expect '3' jq '.summary.vmsStopped' out
expect '2' jq '.summary.gpusChanged' out
gp_ends 4 apply --plan 000000000000
expect "0 0" inventory '[.gpus[].count] | map(tostring) | join(" ")'

gp_ends 0 apply --plan "$id" --format json
expect done jq -r .result out
expect 0 jq .exitStatus out
expect "4 4" inventory '[.gpus[].count] | map(tostring) | join(" ")'
expect 'NVIDIA A2-4Q' inventory '[.gpus[].partitions[].profile] | unique | join(",")'
expect "vdi-01 vdi-02 vdi-03 vdi-04 vdi-05 vdi-06 vdi-07 vdi-08" \
    inventory '[.gpus[].partitions[].vm] | sort | join(" ")'
expect "vdi-01 vdi-03 vdi-05" running
for n in 1 2 3 4 5 6 7 8; do
    [ -n "$(partition "vdi-0$n")" ] || fail "vdi-0$n has no partition"
done
[ "$before" = "$(canonical vdi-0{1..8})" ] || fail "something else of a definition changed"

converged
expect "8" jq -rs 'length' <(journal 'select(.GPUPART_EVENT == "step-done" and (.MESSAGE | startswith("create-partition")))')
