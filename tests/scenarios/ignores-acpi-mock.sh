# A guest that ignores every request to stop keeps running, nothing is repartitioned under it, what was begun is restored.
# On the mock hypervisor, where the proxy swallows the request.
# bed: --mock --proxy --sim ../sim/hosts/two-xe.yaml
. "$(dirname "$0")/story.bash"
. "$(dirname "$0")/stubborn.bash"

# The mock's guests all obey: one request of three is swallowed, the third.
swallow_one() {
    printf 'swallow shutdown\nswallow shutdown-flags\n' >"$BED/proxy.control"
}
stubborn_story "bed-domain vdi-3 --define" swallow_one
