# A guest that ignores every request to stop keeps running, nothing is repartitioned under it, what was begun is restored.
# On the mock hypervisor, where the proxy swallows the request.
# bed: --mock --proxy --sim ../sim/hosts/two-xe.yaml
. "$(dirname "$0")/story.bash"
. "$(dirname "$0")/stubborn.bash"

# The mock's guests all obey: what is asked of one of them never arrives.
swallow_for_one() {
    printf 'swallow shutdown vdi-3\nswallow shutdown-flags vdi-3\n' >"$BED/proxy.control"
}
stubborn_story "bed-domain vdi-3 --define" swallow_for_one
