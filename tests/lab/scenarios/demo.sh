# The demo's story on two A2 of the lab, as contrib/demo --lab tells it.
# lab: only by name, as contrib/demo --lab does
# gpus: a2 a2

# The lab is a virtual machine itself, and slow.
allow() {
    sed -i -e '/^spec:/a\  acceptRisk: [nested]' -e '/^  policy:/a\    stop: {timeout: 1h, method: [acpi]}' \
        fleet/clusters/demo/cluster.yaml
}

# shellcheck source=../../../contrib/lib/demo-story.bash
. "$lab/../../contrib/lib/demo-story.bash"
