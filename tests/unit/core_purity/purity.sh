#!/bin/sh
# purity.sh ALLOWED CORE.a BASE.a: fails if the core leaves a symbol undefined that ALLOWED does not list.
set -eu
allowed=$1
core=$2
base=$3
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

# The core's own calls, first with the base (no gp_* may remain), then alone (what of libc the core itself
# uses is less than what the base may).
ld -r -o "$dir/both.o" --whole-archive "$core" "$base"
ld -r -o "$dir/core.o" --whole-archive "$core"

names() {
    nm -u "$1" | sed -e 's/^ *[Uw] //' -e 's/^__isoc23_//' -e 's/^__//' -e 's/_chk$//' | LC_ALL=C sort -u
}
section() {
    sed -n "/^\[$1\]\$/,/^\[/p" "$allowed" | grep -v -e '^\[' -e '^#' -e '^$' || true
}
names "$dir/both.o" >"$dir/both"
names "$dir/core.o" | grep -v '^gp_' >"$dir/core" || true
{ section core; section base; } | LC_ALL=C sort -u >"$dir/allowed-both"
section core | LC_ALL=C sort -u >"$dir/allowed-core"

test -s "$dir/both" && test -s "$dir/core" || {
    echo "nothing is undefined at all: was the right archive looked at?"
    exit 1
}
status=0
for which in both core; do
    extra=$(LC_ALL=C comm -23 "$dir/$which" "$dir/allowed-$which")
    if [ -n "$extra" ]; then
        echo "not allowed in $which:"
        echo "$extra"
        status=1
    fi
done
exit $status
