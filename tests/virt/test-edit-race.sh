# Somebody else edits while we do: noticed, and left as it is.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/drive.bash"

if [ "${1:-}" != inside ]; then
    exec bed --mock --proxy "$FOLDER/bed" bash -eu "$0" inside
fi

bed-domain desk --define
desk=$(virsh domuuid desk | head -1)
# The Nth reading of a definition is held until somebody else has defined it otherwise.
edited_before_reading() {
    local count
    count=$(grep -c ' get-xml$' "$BED/proxy.log" || :)
    echo "hold-at get-xml/$((count + $1))" >"$BED/proxy.control"
    virt-drive "$LIBVIRT_URI" edit attach "$desk" machine none 0000:08:00.4 >/tmp/edited &
    soon 10 eval "[ \$(grep -c ' get-xml\$' '$BED/proxy.log') = $((count + $1)) ]"
    virsh dumpxml --inactive desk >/tmp/then
    bed-domain desk --memory "$2" --define
    : >"$BED/proxy.control"
    ! wait $! || fail "not noticed"
}

: >>"$BED/proxy.log"
# After it was read, and before it was defined.
edited_before_reading 2 32
expect "changed: vm desk was not edited: somebody else edited it just now" cat /tmp/edited
virsh dumpxml desk | grep -q '>32768</memory>' || fail "the other edit is lost"
virsh dumpxml desk | grep -q hostdev && fail "ours was done all the same"

# After it was defined: what was defined is not what is there.
edited_before_reading 3 48
grep -q hostdev /tmp/then || fail "it was not defined before it was read back"
expect "changed: vm desk was not edited: 0000:08:00.4 is not in its definition" cat /tmp/edited
virsh dumpxml desk | grep -q '>49152</memory>' || fail "the other edit is lost"

# What libvirt says to refuse it is told, and nothing is there.
echo 'fail define-flags' >"$BED/proxy.control"
virt-drive "$LIBVIRT_URI" edit attach "$desk" machine none 0000:08:00.4 >/tmp/edited && fail "no error"
grep -q "^io: vm desk was not edited: libvirt: " /tmp/edited || fail "$(cat /tmp/edited)"
virsh dumpxml desk | grep -q hostdev && fail "defined"
: >"$BED/proxy.control"
virt-drive "$LIBVIRT_URI" edit attach "$desk" machine none 0000:08:00.4

# How much is asked: one definition of a domain that is off, two of one that runs, the rest once for all. Goodbye is not
# counted: the connection is closed by whichever thread has it last, and the program may be gone before.
cost() {
    : >"$BED/proxy.log"
    virt-drive "$LIBVIRT_URI" observe machine >/tmp/seen
    grep -vc ' close$' "$BED/proxy.log"
}
one=$(cost)
bed-domain second --define
expect $((one + 1)) cost
bed-domain third --define
expect $((one + 2)) cost
bed-domain fourth --start
expect $((one + 4)) cost
