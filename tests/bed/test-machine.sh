# The private machine: status, folders, names, journal.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/expect.bash"

if [ "${1:-}" != inside ]; then
    bed "$FOLDER/probe" true # 77 here: this machine cannot
    expect_status 77 bed "$FOLDER/same" sh -c 'exit 77'
    expect_status 7 bed "$FOLDER/status" sh -c 'exit 7'
    expect_status 64 bed "$FOLDER/status" true # it is not empty now
    expect_status 64 bed --nonsense "$FOLDER/usage" true
    took "bed with a journal" bed "$FOLDER/empty" true
    bed --hostname kvm-a --machine-id 5e0f6a0c7d6b4b2f9a0c1d2e3f405162 "$FOLDER/bed" bash -eu "$0" inside
    for path in /etc/gpupart-bed-probe /var/lib/gpupart-bed-probe /run/gpupart-bed-probe /tmp/gpupart-bed-probe \
        /dev/shm/gpupart-bed-probe; do
        [ ! -e $path ] || fail "$path leaked"
    done
    [ -e "$FOLDER/kept" ] || fail "the working directory was not kept"
    exit 0
fi

expect kvm-a hostname
expect 5e0f6a0c7d6b4b2f9a0c1d2e3f405162 cat /etc/machine-id
touch /etc/gpupart-bed-probe /var/lib/gpupart-bed-probe /run/gpupart-bed-probe /tmp/gpupart-bed-probe \
    /dev/shm/gpupart-bed-probe "$FOLDER/kept"

# Nothing of the machine's own journal, and what is written comes back.
token=entry-$RANDOM-$RANDOM
logger --journald <<END
MESSAGE=$token
GPUPART_EVENT=bed-test
END
written() {
    [ "$(journalctl -q -o cat GPUPART_EVENT=bed-test)" = "$token" ]
}
took "entry read back" soon 5 written

catalogue=$(dirname "$0")/../../contrib/journal/gpupart.catalog
if [ -e "$catalogue" ]; then
    expect "$(grep -c '^-- [0-9a-f]\{32\}' "$catalogue")" sh -c 'journalctl --list-catalog | wc -l'
fi
