# The demo's story in a bed: a simulated host, libvirt's mock driver.
here=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
# shellcheck source=tests/scenarios/story.bash
. "$here/../../tests/scenarios/story.bash"

gpupart() {
    command gpupart --root "$GPUPART_ROOT" --simulate --connect "$LIBVIRT_URI" --config agent.yaml --state "$HOME/state" "$@"
}

domain() {
    bed-domain "$1" --define
}

allow() {
    :
}

# shellcheck source=contrib/lib/demo-story.bash
. "$here/demo-story.bash"
