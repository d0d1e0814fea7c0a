# A git server on another machine, as an operator has one: over ssh with a key and known hosts, over https with a CA of its own
# and a token, with a mirror. Two hosts of one cluster follow it. Whatever is wrong with the server, the network or the branch, a
# host keeps what it has and says so, and goes on once that is mended.
# lab: trixie
# gpus: b50 b50
# with: server other

token=correct-horse-battery-staple
fleet='{url: "ssh://git@server/srv/git/fleet.git", identity: /etc/gpupart/id_ed25519, knownHosts: /etc/gpupart/known_hosts}'
mirror='{url: "https://server/git/mirror.git", caFile: /etc/gpupart/ca.pem, tokenFile: /etc/gpupart/token}'
pf=$devices/0000:01:00.0
export GIT_SSH_COMMAND="ssh -q -i $HOME/operator -o UserKnownHostsFile=$HOME/known_hosts"

# counts LAB OTHER: commits that the first GPU of each host has so many partitions.
counts() {
    local host
    {
        printf 'apiVersion: gpupart/v1\nkind: GpuCluster\nmetadata: {name: demo}\nspec:\n  hosts: [{name: lab}, {name: other}]\n'
        printf '  acceptRisk: [boot-display, nested]\n  pools:\n'
        for host in "lab $1" "other $2"; do
            printf '    - {name: %s, mode: partitioned, hosts: [%s], match: {vendor: intel}, select: {slots: ["1"]}, partitions: {count: %s}}\n' \
                "${host% *}" $host
        done
        for host in lab other; do
            printf -- '---\napiVersion: gpupart/v1\nkind: GpuBinding\nmetadata: {name: %s, cluster: demo}\nspec: {pool: %s, vms: [{name: vdi, host: %s}]}\n' \
                $host $host $host
        done
    } >fleet/clusters/demo.yaml
    commit "$1 on lab, $2 on other" --allow-empty
}

# push [OPTION]…: as the operator does.
push() {
    git -C fleet push -q "$@" server HEAD:main
}

# mirrored: the mirror has what the fleet's repository has.
mirrored() {
    on server as_git git -C /srv/git/mirror.git fetch -q /srv/git/fleet.git +main:main
}

# pass STATUS WORDS…: a pass as the timer starts it ends with that status, and its entries in the journal have these words.
pass() {
    local want=$1 words
    shift
    systemctl reset-failed gpupart-reconcile.service
    systemctl start gpupart-reconcile.service || :
    passed "$want" "$@"
}

# passed STATUS WORDS…: so did the one that has just ended.
passed() {
    local want=$1 words
    shift
    journalctl --sync
    journalctl -o cat --no-pager _SYSTEMD_INVOCATION_ID="$(systemctl show -p InvocationID --value gpupart-reconcile.service)" | tee said
    expect "$want" systemctl show -p ExecMainStatus --value gpupart-reconcile.service
    for words; do
        grep -qF -- "$words" said || fail "the pass does not say '$words'"
    done
}

# has COUNT [CONDITION]: the partitions of the first GPU, and what status says of the host: that, or nothing.
has() {
    expect "$1" cat "$pf/sriov_numvfs"
    gp_ends 0 status
    expect "${2:-}" sed -n 's/^host .*\(GitStale\|CommitRefused\).*/\1/p' out
}

# ---- the server, the operator and the hosts' keys ----
on server git_server fleet mirror
on server host_keys
for name in fleet stranger; do
    on server authority $name
done
on server certificate fleet server -days 2
on server eval "echo gpupart:$token >/srv/tls/users"
mkdir -p /etc/gpupart
on other mkdir -p /etc/gpupart
ssh-keygen -q -t ed25519 -N '' -f operator
ssh-keygen -q -t ed25519 -N '' -f /etc/gpupart/id_ed25519
on other ssh-keygen -q -t ed25519 -N '' -f /etc/gpupart/id_ed25519
ours=$(cat /etc/gpupart/id_ed25519.pub)
theirs=$(on other cat /etc/gpupart/id_ed25519.pub)
on server lets_in "$(cat operator.pub)" "$ours" "$theirs"
on server cat /srv/tls/fleet.pem >/etc/gpupart/ca.pem
(umask 077 && echo $token >/etc/gpupart/token)
ssh-keyscan server >known_hosts
domain vdi
on other domain vdi
git init -q -b main fleet
git -C fleet remote add server ssh://git@server/srv/git/fleet.git
mkdir fleet/clusters
counts 2 3
push
# It stays up, and with it the timer's service is not forgotten once it has ended.
mkdir -p /var/lib/gpupart
systemctl start gpupart-boot.service

echo "---- ssh: a host key that is not known"
follow 10m "$fleet"
: >/etc/gpupart/known_hosts
pass 1 'server port 22 is not known in /etc/gpupart/known_hosts'
key=$(grep -o 'SHA256:[^ ]*' said | head -n 1)
on server eval "cat /etc/ssh/ssh_host_*.pub | ssh-keygen -lf -" | grep -F " $key " || fail "the server has no key $key"
has 0

echo "---- ssh: a host key that is known, by a hashed name; each host does its own part"
ssh-keyscan -H server >/etc/gpupart/known_hosts
pass 0
has 2
on other follow 10m "$fleet"
on other eval 'ssh-keyscan -t ecdsa server >/etc/gpupart/known_hosts'
on other systemctl start gpupart-reconcile.service
expect 3 on other cat "$pf/sriov_numvfs"
[ -n "$(given vdi)" ] && [ -n "$(on other given vdi)" ] || fail "a host did not do its part"
converged

echo "---- ssh: another host key, another identity"
counts 3 3
push
on server cp -a /etc/ssh /etc/ssh.kept
on server host_keys
pass 7 'is not the one that is known: it was changed, or another machine answers in /etc/gpupart/known_hosts'
has 2 GitStale
on server eval 'mv /etc/ssh/ssh_host_* /srv && cp -a /etc/ssh.kept/* /etc/ssh/ && systemctl restart ssh.service'
on server lets_in "$(cat operator.pub)" "$theirs"
pass 7 'server refuses the identity /etc/gpupart/id_ed25519'
has 2 GitStale
on server lets_in "$(cat operator.pub)" "$ours" "$theirs"
pass 0
has 3

echo "---- https: whom the host believes, and who may read"
mirrored
counts 2 3
push
mirrored
follow 10m "$mirror"
cp /etc/gpupart/ca.pem right.pem
on server cat /srv/tls/stranger.pem >/etc/gpupart/ca.pem
pass 7 'the certificate of server is not signed by /etc/gpupart/ca.pem'
has 3 GitStale
cp right.pem /etc/gpupart/ca.pem
on server certificate fleet server -not_before 20200101000000Z -not_after 20200102000000Z
pass 7 'the certificate of server is not signed by /etc/gpupart/ca.pem, has expired'
on server certificate fleet elsewhere -days 2
pass 7 'or is for another name'
on server certificate fleet server -days 2
echo wrong-token >/etc/gpupart/token
pass 7 'server refuses the token in /etc/gpupart/token'
has 3 GitStale
echo $token >/etc/gpupart/token
# Whatever it starts is not given the token.
strace -f -v -s 10000 -e trace=execve -o started gpupart plan --detailed-exitcode >out 2>&1 || expect 2 echo $?
grep -q 'execve(' started
pass 0
has 2

echo "---- two remotes: the mirror lags, and is not followed backwards; it is up to date; it lags, and the other does not"
follow 10m "$fleet" "$mirror"
counts 4 3
push
pass 0
has 4
on server systemctl stop ssh.service
pass 7 'ssh://git@server/srv/git/fleet.git: ' 'https://server/git/mirror.git: it lags behind'
has 4 GitStale
on server systemctl start ssh.service
counts 3 3
push
mirrored
on server systemctl stop ssh.service
pass 0
has 3
on server systemctl start ssh.service
counts 4 3
push
pass 0
has 4
follow 10m "$mirror" "$fleet"
counts 2 3
push
pass 0
has 2

echo "---- a branch that was rewound is a mirror that lags until it goes another way, and then it is refused"
follow 10m "$fleet"
git -C fleet reset -q --hard HEAD~1
push --force
pass 7 'it lags behind'
has 2 GitStale
counts 4 3
push
pass 4 'GP-E403' 'the history was rewritten'
has 2 CommitRefused
gp_ends 4 plan
# What it tells to do is done to the letter.
command=$(grep -o 'gpupart trust --reset-to [0-9a-f]*' said | head -n 1)
$command --reason "the last commit was a mistake"
pass 0
has 4

echo "---- a server that says nothing costs its share of the time, and the mirror is asked"
follow 10m "$fleet" "$mirror"
counts 3 3
push
mirrored
on server systemctl kill --kill-whom=main --signal=STOP ssh.service
pass 0
has 3
on server systemctl kill --kill-whom=main --signal=CONT ssh.service

echo "---- the network is gone in the middle of a fetch, and stays away"
follow 10m "$fleet"
head -c 2000000 /dev/urandom >fleet/notes
counts 2 3
push
on server eval 'printf "#!/bin/sh\n\"\$@\" | { head -c 500000; touch /srv/git/half; exec sleep 3600; }\n" >/srv/half && chmod 755 /srv/half'
on server git config --file /srv/git/.gitconfig uploadpack.packObjectsHook /srv/half
systemctl start --no-block gpupart-reconcile.service
soon 300 on server test -e /srv/git/half
ip link set eth0 down
soon 300 eval '[ "$(systemctl show -p ActiveState --value gpupart-reconcile.service)" = inactive ]'
passed 7 'it did not answer within'
has 3 GitStale
pass 7
has 3 GitStale
ip link set eth0 up
on server rm /srv/git/.gitconfig
pass 0
has 2
expect "" find /var/lib/gpupart/git/objects/pack -name '*_*'

echo "---- the daemon of the other host hears of a commit by itself, and the token is nowhere"
on other follow 5s "$fleet"
on other systemctl start gpupart.service
counts 2 4
push
soon 300 eval "[ \"\$(on other cat $pf/sriov_numvfs)\" = 4 ]"
on other systemctl stop gpupart.service
pass 0
has 2
converged
for place in started /var/lib/gpupart /run/gpupart; do
    ! grep -rq $token $place || fail "the token is in $place"
done
journalctl --sync
! journalctl -o export --no-pager | grep -aq $token || fail "the token is in the journal"
