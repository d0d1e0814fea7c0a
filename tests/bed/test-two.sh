# Two beds side by side know nothing of each other.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/expect.bash"

if [ "${1:-}" != inside ]; then
    bed "$FOLDER/probe" true
    bed --mock "$FOLDER/one" bash -eu "$0" inside 1 &
    one=$!
    bed --mock "$FOLDER/two" bash -eu "$0" inside 2 &
    two=$!
    wait $one || fail "one"
    wait $two || fail "two"
    exit
fi

# The same name and another UUID, while the other is there too.
uuid=7a1f0e7e-7a2b-4c11-9b57-00000000000$2
bed-domain vm --uuid "$uuid" --start
echo "bed $2" | systemd-cat -t gpupart-bed
touch "$FOLDER/there-$2"
soon 20 test -e "$FOLDER/there-$((3 - $2))"
expect vm virsh list --all --name
expect "$uuid" virsh domuuid vm
logged() {
    [ "$(journalctl -q -o cat -t gpupart-bed)" = "bed $1" ]
}
soon 5 logged "$2"
