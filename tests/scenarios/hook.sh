# The start hook: while a pass works on VMs nobody else starts them, a hold of a pass that died means nothing, and a VM
# does not get a device that is not what it was given. Other VMs are none of its business.
# bed: --qemu --proxy --sim ../sim/hosts/two-a2-mdev.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"

hook=/etc/libvirt/hooks/qemu.d/gpupart
mkdir -p /etc/libvirt/hooks/qemu.d
cp "$GPUPART_BIN/gpupart-hook" "$hook"
ln -s "$HOME/state/run" /run/gpupart
bed-libvirtd restart # it looks for hooks when it starts

declare_profile() {
    DECLARED_TIMEOUT=60s declare_pools "vdi vdi-*" \
        <<<"{name: vdi, mode: partitioned, match: {model: NVIDIA A2}, select: {slots: [\"5\"]}, partitions: {profile: $1}}"
    commit "$1"
}

# refused VM TEXT: it cannot be started, and libvirt's reason has TEXT.
refused() {
    ! virsh start "$1" >start.out 2>start.err || fail "$1 was started"
    grep -q "$2" start.err || fail "$1 was refused for another reason: $(cat start.err)"
}

holds() {
    ls state/run/holds | wc -l
}

repository
declare_profile NVIDIA\ A2-4Q
bed-domain plain --define
bed-domain vdi-1 --define
bed-domain vdi-2 --ignores --define
bed-domain vdi-3 --define
gp_ends 0 reconcile
start plain vdi-1 vdi-2
heed plain vdi-1 vdi-2

# ---- in the middle of a pass, which waits for a guest that does not stop ----
declare_profile NVIDIA\ A2-8Q
gp reconcile >out 2>err &
pass=$!
soon 20 state_is vdi-1 'shut off'
refused vdi-1 'gpupart is changing slot5'
refused vdi-3 'gpupart is changing slot5'
virsh -q destroy plain
virsh -q start plain
echo 'hold create-flags' >"$BED/proxy.control"
virsh -q destroy vdi-2
# About to start the first of them: that one is let through, and no other.
soon 60 grep -q ' create-flags$' "$BED/proxy.log"
expect 2 holds
refused vdi-2 'gpupart is changing slot5'
refused vdi-3 'gpupart is changing slot5'
: >"$BED/proxy.control"
wait "$pass" || fail "the pass ended with $?: $(cat out err)"
expect "plain vdi-1 vdi-2" running
expect 0 holds
converged

# ---- a pass that is killed there ----
declare_profile NVIDIA\ A2-4Q
heed vdi-1
gp reconcile >out 2>err &
pass=$!
soon 20 state_is vdi-1 'shut off'
refused vdi-1 'gpupart is changing slot5'
kill -9 "$(sed -n 's/^pass\t\([0-9]*\).*/\1/p' state/run/holds/* | sort -u)"
wait "$pass" || :
expect 3 holds
virsh -q start vdi-1 || fail "the hold of a pass that is dead still counts"
virsh -q destroy vdi-1
virsh -q destroy vdi-2
gp_ends 0 reconcile
expect "plain vdi-1 vdi-2" running
expect 0 holds
converged

# ---- a device that is not what it was ----
virsh -q destroy vdi-1
uuid=$(partition vdi-1 | sed "s/.*uuid=[\"']*\\([0-9a-f-]*\\).*/\\1/")
mdev=$GPUPART_ROOT/sys/bus/mdev/devices/$uuid
was=$(basename "$(readlink "$mdev/mdev_type")")
parent=$(dirname "$(realpath "$mdev")")
# make TYPE: somebody makes it again by hand, under the same UUID.
make() {
    echo 1 >"$mdev/remove"
    soon 5 test ! -e "$mdev"
    echo "$uuid" >"$parent/mdev_supported_types/$1/create"
}
other=$(for type in "$parent"/mdev_supported_types/*; do
    echo "$(cat "$type/name") $(basename "$type")"
done | sed -n 's/^.* A2-4A //p')
[ -n "$other" ] && [ "$other" != "$was" ] || fail "there is no other type of that size"
make "$other"
refused vdi-1 "mdev_type leads to '.*$other', not '.*$was'"
make "$was"
virsh -q start vdi-1 || fail "what is as it was is refused"
virsh -q destroy vdi-1
# A copy of the VM, mark and all, does not get it either.
virsh dumpxml --inactive --security-info vdi-1 |
    sed 's/>vdi-1</>copy</; s#<uuid>.*</uuid>#<uuid>11111111-2222-4333-8444-555555555555</uuid>#' >copy.xml
virsh -q define copy.xml
refused copy 'is VM .*, not this one'
virsh -q start vdi-1

# ---- what it costs others: it looks into two folders and for one word ----
export ASAN_OPTIONS=detect_leaks=0 # which cannot be told under strace
expect 0 sh -c "strace -f -e trace=openat,connect -o trace '$hook' plain prepare begin - <copy.xml >/dev/null 2>&1; grep -c /run/libvirt trace; true"
virsh dumpxml plain >plain.xml
strace -e trace=openat -o trace "$hook" plain prepare begin - <plain.xml
expect "/run/gpupart/devices /run/gpupart/holds" sh -c "grep -v ENOENT trace | grep -o '/run/[^\"]*' | sort -u | xargs"
strace -e trace=openat,read -o trace "$hook" vdi-1 stopped end - <plain.xml
expect 0 sh -c "grep -c '/run/gpupart' trace; true"
begin=${EPOCHREALTIME/./}
for n in {1..20}; do
    "$hook" plain prepare begin - <plain.xml
done
middle=${EPOCHREALTIME/./}
for n in {1..20}; do
    "$hook" vdi-1 prepare begin - <copy.xml 2>/dev/null && fail "the copy was let through"
done
echo "time: the hook takes $(((middle - begin) / 20)) us for a plain VM, $(((${EPOCHREALTIME/./} - middle) / 20)) us for one of ours"
