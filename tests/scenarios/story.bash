# What stories share; sourced inside a bed. Works in $HOME, which is the bed's own.
# shellcheck source=../bed/expect.bash
. "$(dirname "${BASH_SOURCE[0]}")/../bed/expect.bash"

cd "$HOME"
export GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=ada@example.org GIT_COMMITTER_NAME=Ada GIT_COMMITTER_EMAIL=ada@example.org
export GIT_CONFIG_GLOBAL=/dev/null GPUPART_SIMULATED_TOOLS=1

# repository: an empty one in ~/fleet, and a GpuAgent that follows it as host HOST of cluster CLUSTER.
repository() {
    local cluster=${1:-demo} host=${2:-demo}
    git init -q -b main fleet
    cat >agent.yaml <<END
apiVersion: gpupart/v1
kind: GpuAgent
metadata: {name: $host}
spec:
  cluster: $cluster
  git:
    remotes: [{url: "file://$HOME/fleet"}]
    ref: refs/heads/main
  trust: {mode: none}
  nvidia: {sriovManage: $(command -v gpusim-sriov-manage || echo /none)}
END
}

# What every declaration of declare_pools says: the host, how long its guests have to stop, and more lines of the cluster's spec.
DECLARED_HOST=demo DECLARED_TIMEOUT=20s DECLARED_SPEC=

# declare_pools BINDING…: what git says of this host: the pools that stand on standard input, each a line of YAML, and for each
# BINDING, "POOL VM…", the VMs that are bound to a pool. Nothing is committed yet.
declare_pools() {
    local binding words
    mkdir -p fleet/clusters
    {
        cat <<END
apiVersion: gpupart/v1
kind: GpuCluster
metadata: {name: demo}
spec:
  hosts: [{name: $DECLARED_HOST}]
  policy:
    stop: {timeout: $DECLARED_TIMEOUT, method: [acpi]}
END
        [ -z "$DECLARED_SPEC" ] || sed 's/^/  /' <<<"$DECLARED_SPEC"
        echo '  pools:'
        sed 's/^/    - /'
        for binding; do
            read -ra words <<<"$binding"
            printf -- '---\napiVersion: gpupart/v1\nkind: GpuBinding\nmetadata: {name: %s, cluster: demo}\nspec:\n  pool: %s\n  vms:\n' \
                "${words[0]}" "${words[0]}"
            printf "    - {name: \"%s\", host: $DECLARED_HOST}\n" "${words[@]:1}"
        done
    } >fleet/clusters/demo.yaml
}

# desktops COUNT TIMEOUT "VM, VM…": a declaration of one Intel GPU, in slot 5, in COUNT partitions, for these VMs, which
# have TIMEOUT to stop; a VM to a line.
desktops() {
    local vms
    vms=$(sed 's/[^, ]\{1,\}/{name: &, host: demo}/g; s/, {/,\n        {/g' <<<"$3")
    mkdir -p fleet/clusters
    cat >fleet/clusters/demo.yaml <<END
apiVersion: gpupart/v1
kind: GpuCluster
metadata: {name: demo}
spec:
  hosts: [{name: demo}]
  pools:
    - name: vdi
      mode: partitioned
      match: {vendor: intel}
      select: {slots: ["5"]}
      partitions: {count: $1}
  policy:
    stop: {timeout: $2, method: [acpi], lateWithin: 1h}
---
apiVersion: gpupart/v1
kind: GpuBinding
metadata: {name: desktops, cluster: demo}
spec:
  pool: vdi
  vms: [$vms]
END
}

# hasty TIMEOUT VM: after desktops, one more VM for its pool, with a time to stop of its own.
hasty() {
    cat >>fleet/clusters/demo.yaml <<END
---
apiVersion: gpupart/v1
kind: GpuBinding
metadata: {name: hasty, cluster: demo}
spec:
  pool: vdi
  stop: {timeout: $1}
  vms: [{name: $2, host: demo}]
END
}

# commit MESSAGE [OPTION]…: everything in ~/fleet.
commit() {
    git -C fleet add -A
    git -C fleet commit -q -m "$@"
}

# demo_fleet: the repository of examples/demo, which wants four partitions of each GPU, and its eight VMs, which are off.
demo_fleet() {
    local vm
    repository demo demo
    cp -r "$(dirname "${BASH_SOURCE[0]}")"/../../examples/demo/clusters fleet/
    commit "four partitions each"
    for vm in vdi-0{1..8}; do
        bed-domain "$vm" --define
    done
}

# gp ARGUMENT…: the program on the simulated host.
gp() {
    gpupart --root "$GPUPART_ROOT" --simulate --connect "$LIBVIRT_URI" --config "$HOME/agent.yaml" \
        --state "$HOME/state" "$@"
}

# gp_ends STATUS ARGUMENT…: as gp, which must end so; what it printed is in ~/out and ~/err.
gp_ends() {
    local want=$1 have=0
    shift
    gp "$@" >"$HOME/out" 2>"$HOME/err" || have=$?
    [ "$have" -eq "$want" ] || {
        cat "$HOME/out" "$HOME/err" >&2
        fail "gpupart $*: status $have, not $want"
    }
}

# gp_ends_in "STATUS…" ARGUMENT…: as gp_ends, with any of these.
gp_ends_in() {
    local want=" $1 " have=0
    shift
    gp "$@" >"$HOME/out" 2>"$HOME/err" || have=$?
    [[ $want == *" $have "* ]] || {
        cat "$HOME/out" "$HOME/err" >&2
        fail "gpupart $*: status $have, not one of$want"
    }
}

# converged: nothing is left to do, change or report.
converged() {
    gp_ends 0 plan --detailed-exitcode
    gp_ends 0 reconcile
    grep -q 'nothing to do' out || fail "the pass after the pass has something to do: $(cat out)"
}

# inventory QUERY: a jq query on the inventory.
inventory() {
    gp inventory --format json | jq -r "$1"
}

# journal QUERY: a jq query on each entry of gpupart's in the bed's journal, with those that journald was sent and has not read yet.
journal() {
    journalctl --sync && journalctl -o json SYSLOG_IDENTIFIER=gpupart --no-pager | jq -r "$1"
}

# running: the names of the running VMs on one line; paused is not running.
running() {
    local names
    names=$(virsh list --name --state-running) || return
    sed '/^$/d' <<<"$names" | sort | tr '\n' ' ' | sed 's/ $//'
}

# pids VM…: the QEMU process of each.
pids() {
    local vm
    for vm; do
        cat "/run/libvirt/qemu/$vm.pid"
        echo
    done
}

# start VM…: who is started has its partition from then on.
start() {
    local vm
    for vm; do
        virsh -q start "$vm"
    done
}

# heed VM…: these guests were started, and now they heed the power button, which their firmware does not.
heed() {
    local vm
    for vm; do
        soon 20 test -s "$BED/log/$vm.serial"
    done
}

# held: how many groups somebody has open, as the simulated kernel shows it.
held() {
    find "$GPUPART_ROOT/proc" -path '*/fd/*' -lname '/dev/vfio/*' | wc -l
}

# partition VM: the sources of its persistent hostdevs that are ours, on one line; empty: it has none.
partition() {
    virsh dumpxml --inactive "$1" >/dev/null || return # which --xpath that finds nothing does not tell from no VM
    virsh dumpxml --inactive "$1" --xpath "//hostdev[starts-with(alias/@name,'ua-gpupart-')]/source/address" |
        xargs
}

# canonical VM…: the secure inactive definitions, without our hostdev, our mark and controllers, in canonical form: to
# compare before and after.
canonical() {
    local vm
    for vm; do
        virsh dumpxml --inactive --security-info "$vm" |
            xsltproc "$(dirname "${BASH_SOURCE[0]}")/not-ours.xsl" - | xmllint --c14n --noblanks -
    done
}
