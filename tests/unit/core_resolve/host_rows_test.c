/* Examples of gp_resolve(): what a host may do at all, and the words it is told in. */
#include "rows.h"
#include "resolve_rows.h"

#include "text.h"

static void nothing(struct world *world)
{
    (void)world;
}

static void in_no_cluster(struct world *world)
{
    world->agent.name = "kvm-z";
}

static void in_two_clusters(struct world *world)
{
    struct gp_cluster_decl *other = gp_new(world->mem, struct gp_cluster_decl);

    *other = (struct gp_cluster_decl){.name = "d", .hosts = world->cluster.hosts, .host_count = 1};
    world->clusters[1] = other;
    world->declaration.cluster_count = 2;
}

static void agent_of_other_cluster(struct world *world)
{
    world->agent.cluster = "d";
}

static void clone(struct world *world)
{
    world->cluster.hosts[0].machine_id = "00000000000000000000000000000001";
}

static void drained(struct world *world)
{
    world_give(world, &world->have.vms[0], &world->have.gpus[0], 1, true);
    world->cluster.policy.prune_bindings = false;
    world->cluster.hosts[0].drained = true;
}

static void nested(struct world *world)
{
    world->have.nested = true;
}

static void nested_accepted(struct world *world)
{
    world->have.nested = true;
    world->cluster.accept_risk = GP_RISK_NESTED;
}

static void libvirt_silent(struct world *world)
{
    world->have.vms_unknown = true;
    world->have.vms_reason = "connection refused";
    world->have.vm_count = 0;
}

static void old_libvirt(struct world *world)
{
    world->have.gpus[0].mechanism = "nvidia-vfio";
    world->have.libvirt_version = 9000000;
}

static void old_libvirt_mock(struct world *world)
{
    old_libvirt(world);
    world->have.hypervisor_is_mock = true;
}

static void new_libvirt(struct world *world)
{
    old_libvirt(world);
    world->have.libvirt_version = 10000000;
}

static const struct resolve_row rows[] = {
    {"what is declared", nothing,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/1\n", ""},
    {"in no cluster", in_no_cluster, "slot3: left alone\na: left alone\nb: left alone\n",
     "error GP-E404 host: kvm-z is in no cluster's hosts; it is only observed\n"},
    {"in two clusters", in_two_clusters, "slot3: left alone\na: left alone\nb: left alone\n",
     "error GP-E407 host: kvm-a is in cluster 'c' and in cluster 'd'; a host is in one\n"},
    {"agent of another cluster", agent_of_other_cluster, "slot3: left alone\na: left alone\nb: left alone\n",
     "error GP-E404 host: kvm-a is in cluster 'c', but its agent serves cluster 'd'\n"},
    {"a clone", clone, "slot3: left alone\na: left alone\nb: left alone\n",
     "error GP-E405 host: kvm-a has machine id 5e0f6a0c7d6b4b2f9a0c1d2e3f405162, not "
     "00000000000000000000000000000001: this may be a copy of it and is only observed\n"},
    {"drained", drained, "slot3: left alone\na: -\nb: left alone\n", ""},
    {"nested", nested,
     "slot3: GP-E112 slot3 is in a host that is itself a guest; if that is meant, the cluster says "
     "'acceptRisk: [nested]'\n"
     "a: GP-E112 slot3 is in a host that is itself a guest; if that is meant, the cluster says "
     "'acceptRisk: [nested]'\n"
     "b: GP-E112 slot3 is in a host that is itself a guest; if that is meant, the cluster says "
     "'acceptRisk: [nested]'\n",
     "error GP-E112 gpu/slot3: slot3 is in a host that is itself a guest; if that is meant, the cluster "
     "says 'acceptRisk: [nested]'\n"},
    {"nested, accepted", nested_accepted,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/1\n", ""},
    {"libvirt does not answer", libvirt_silent,
     "slot3: GP-E506 the VMs of this host are not known (connection refused), so any may hold it\n",
     "error GP-E506 host: the VMs of this host are not known (connection refused): nothing is changed\n"},
    {"libvirt is too old", old_libvirt,
     "slot3: GP-E202 slot3 needs libvirt 10.0.0 or newer, which starts guests with VFs on NVIDIA's own "
     "driver; this host has 9.0.0\n"
     "a: GP-E202 slot3 needs libvirt 10.0.0 or newer, which starts guests with VFs on NVIDIA's own "
     "driver; this host has 9.0.0\n"
     "b: GP-E202 slot3 needs libvirt 10.0.0 or newer, which starts guests with VFs on NVIDIA's own "
     "driver; this host has 9.0.0\n",
     "error GP-E202 gpu/slot3: slot3 needs libvirt 10.0.0 or newer, which starts guests with VFs on "
     "NVIDIA's own driver; this host has 9.0.0\n"},
    {"libvirt is old, but a mock", old_libvirt_mock,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/1\n", ""},
    {"libvirt is new enough", new_libvirt,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/1\n", ""},
};

GP_ROWS(resolve, host, rows)
{
    resolve_row_check(&rows[*i]);
}
