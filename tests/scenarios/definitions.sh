# What a definition holds beside our hostdev and our mark survives bind and unbind: passwords, secrets, a description
# written by hand, odd aliases, the guest's own addresses. What somebody else writes at the same moment is not lost.
# On the real QEMU driver.
# bed: --qemu --proxy --sim ../sim/hosts/two-xe.yaml --sim-option --time-scale=0.05
. "$(dirname "$0")/story.bash"
. "$(dirname "$0")/by-hand.bash"

# secrets VM: what libvirt tells only whoever asks for it.
secrets() {
    virsh dumpxml --inactive --security-info "$1" | grep -oE "passwd='[^']*'|secret type='[^']*' uuid='[^']*'" | xargs
}

# guest_address VM: where the guest finds the device that is ours.
guest_address() {
    virsh dumpxml --inactive "$1" | xmllint --xpath "//hostdev[starts-with(alias/@name, 'ua-gpupart-')]/address" -
}

# reads: how many definitions were read over the proxy until now.
reads() {
    grep -c ' get-xml$' "$BED/proxy.log" || :
}

# bound VM…: git binds these, and a pass does so.
bound() {
    declare_pool 4 "$@"
    commit "bound: $*"
    gp_ends 0 reconcile
}

description='<description>by hand: R\&amp;D "desk" \&lt;b\&gt; - näch oben</description><title>O\&apos;Brien</title>'
note='<n:note xmlns:n="urn:x"><n:text>1 &lt; 2</n:text></n:note>'
extra="<graphics type='vnc' port='-1' autoport='yes' listen='127.0.0.1' passwd='a&amp;b&quot;c'/>
    <channel type='unix'><target type='virtio' name='org.example.odd'/><alias name='ua-odd_One-1'/></channel>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend><alias name='ua-gpupart'/></rng>"
theirs="<hostdev mode='subsystem' type='pci' managed='no'>
    <source><address domain='0' bus='0x05' slot='0' function='0'/></source><alias name='ua-nvme-7'/></hostdev>"
secret=99999999-8888-4777-8666-555555555555
disk="<disk type='network' device='disk'><driver name='qemu' type='raw'/>
    <auth username='libvirt'><secret type='ceph' uuid='$secret'/></auth>
    <source protocol='rbd' name='pool/image'><host name='mon.example.org' port='6321'/></source>
    <target dev='vdz' bus='virtio'/></disk>"

repository
# One runs, with all that it can run with; one is off, with a secret of libvirt's and somebody else's device.
bed-domain desk --metadata "$note" --extra "$extra" | sed "s#<metadata>#$description&#" >desk.xml
bed-domain safe --metadata "$note" --extra "$extra$disk$theirs" |
    sed "s#<metadata>#$description&#; s#</domain>#<seclabel type='none'/>&#" >safe.xml
for vm in desk safe; do
    virsh -q define "$vm.xml" >/dev/null
done
virsh -q start desk >/dev/null
soon 20 test -s /var/log/desk.serial
before=$(canonical desk safe)
for word in "passwd=\"a&amp;b&quot;c\"" "$secret" "ua-odd_One-1" "ua-gpupart\"" "ua-nvme-7" "R&amp;D \"desk\" &lt;b&gt; - näch" "seclabel"; do
    [[ $before == *"$word"* ]] || fail "there is no $word to lose: $before"
done

# ---- bind: while one runs, which stops and starts for it ----
bound desk safe
expect "$before" canonical desk safe
expect "desk" running
where="$(guest_address desk) $(guest_address safe)"
[ -n "${where// /}" ] || fail "libvirt gave no guest address"
converged
soon 20 test -s /var/log/desk.serial

# ---- other partitions, on another card: the guest finds its device where it was ----
sources="$(partition desk) $(partition safe)"
sed -i 's/slots: \["3"\]/slots: ["5"]/' fleet/clusters/demo.yaml
commit "the other card"
gp_ends 0 reconcile
[ "$sources" != "$(partition desk) $(partition safe)" ] || fail "they were not moved"
expect "$before" canonical desk safe
expect "$where" echo "$(guest_address desk) $(guest_address safe)"
converged

# ---- unbind: nothing of ours is left, and all else is there ----
bound desk
expect "" partition safe
expect "" mark_of safe
expect "$before" canonical desk safe

# ---- somebody else defines it while we do: that is kept, and what we wanted is done later ----
# The pass that binds and the one that unbinds look alike, so the first tells which read comes just before the edit.
begin=$(reads)
bound desk safe
nth=$(grep -n ' define-flags$' "$BED/proxy.log" | tail -n 1 | cut -d: -f1)
nth=$(head -n "$nth" "$BED/proxy.log" | grep -c ' get-xml$')
nth=$((nth - begin))
bound desk
begin=$(reads)
expect "$before" canonical desk safe
declare_pool 4 desk safe
commit "once more"
echo "hold-at get-xml/$((begin + nth))" >"$BED/proxy.control"
gp reconcile >out 2>err &
pass=$!
soon 60 eval '[ "$(reads)" -ge $((begin + nth)) ]'
virsh dumpxml --inactive --security-info safe | sed 's#by hand: #by another hand: #' >edited.xml
virsh -q define edited.xml >/dev/null
: >"$BED/proxy.control"
status=0
wait $pass || status=$?
expect 5 echo $status
grep -q 'safe was not edited: somebody else edited it just now' err || fail "it was not noticed: $(cat out err)"
expect "$before" sed 's#by another hand: #by hand: #' < <(canonical desk safe)
expect 1 grep -c 'by another hand: ' < <(virsh dumpxml --inactive safe)
expect "" partition safe
echo "# again" >>fleet/clusters/demo.yaml
commit "and again"
gp_ends 0 reconcile
[ -n "$(partition safe)" ] || fail "it is not bound: $(cat out)"
expect 1 grep -c 'by another hand: ' < <(virsh dumpxml --inactive safe)
expect "secret type=ceph uuid=$secret passwd=a&amp;b&quot;c" secrets safe
converged
