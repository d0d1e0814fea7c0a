/* Examples of gp_resolve(): what is decided, and the words it is told in. */
#include "rows.h"
#include "world.h"

#include "cleanup.h"
#include "text.h"

#include <string.h>

/* One GPU, not cut; pool "vdi" cuts it in four; binding "desktops" of VMs a and b, which are off. */
static struct world *basic(struct gp_arena *mem)
{
    struct world *world = world_new(mem);
    struct gp_binding_decl *binding;

    world_gpu(world, 3);
    world_pool(world, "vdi", 4, NULL);
    binding = world_binding(world, "desktops", "vdi");
    world_bind(world, binding, "a");
    world_bind(world, binding, "b");
    world_vm(world, "a");
    world_vm(world, "b");
    return world;
}

static void nothing(struct world *world)
{
    (void)world;
}

/* ---- host ---- */

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

/* ---- pools ---- */

static void two_pools(struct world *world)
{
    world_pool(world, "cad", 2, NULL);
}

static void two_modes(struct world *world)
{
    world_pool(world, "cad", 0, NULL)->mode = GP_MODE_PASSTHROUGH;
}

static void never_gpu(struct world *world)
{
    *gp_push(world->mem, world->agent.never_touch_gpus.items, world->agent.never_touch_gpus.count) =
        "0000:03:00.0";
}

static void named_host_lacks(struct world *world)
{
    *gp_push(world->mem, world->cluster.pools[0].hosts.items, world->cluster.pools[0].hosts.count) = "kvm-a";
    world->cluster.pools[0].match.model = "NVIDIA L4";
}

static void glob_host_lacks(struct world *world)
{
    named_host_lacks(world);
    world->cluster.pools[0].hosts.items[0] = "kvm-*";
}

static void other_host(struct world *world)
{
    *gp_push(world->mem, world->cluster.pools[0].hosts.items, world->cluster.pools[0].hosts.count) = "kvm-b";
}

static void match_all_ways(struct world *world)
{
    world->cluster.pools[0].match = (struct gp_match){
        .model = "NVIDIA A2", .vendor = "nvidia", .device = "10de:25b6", .vram = 16ULL << 30};
    *gp_push(world->mem, world->cluster.pools[0].select.addresses.items,
             world->cluster.pools[0].select.addresses.count) = "0000:03:00.0";
}

static void vendor_in_hex(struct world *world)
{
    world->cluster.pools[0].match.vendor = "8086";
}

static void left_out(struct world *world)
{
    world_gpu(world, 4);
    *gp_push(world->mem, world->cluster.pools[0].select.slots.items,
             world->cluster.pools[0].select.slots.count) = "3";
}

static void unlike(struct world *world)
{
    struct gp_gpu *gpu = world_gpu(world, 4);

    gpu->model = "NVIDIA A16";
}

static void passthrough(struct world *world)
{
    world->cluster.pools[0].mode = GP_MODE_PASSTHROUGH;
}

static void no_mechanism(struct world *world)
{
    world->have.gpus[0].mechanism = NULL;
    world->have.gpus[0].status = GP_GPU_UNSUPPORTED;
    world->have.gpus[0].reason = "the vGPU driver is not loaded";
}

static void half_way(struct world *world)
{
    world->have.gpus[0].status = GP_GPU_UNHEALTHY;
    world->have.gpus[0].reason = "left on pci-pf-stub";
}

static void no_counts(struct world *world)
{
    world->have.gpus[0].valid_count = 0;
}

static void dropped_pool(struct world *world)
{
    world->cluster.pool_count = 0;
    world->declaration.binding_count = 0;
    world_cut(world, &world->have.gpus[0], 4, 0);
    world_applied(world, "gpu/slot3", "partitioned 4 NVIDIA A2-4Q");
}

static void dropped_pool_pruned(struct world *world)
{
    dropped_pool(world);
    world->cluster.policy.prune_partitions = true;
}

/* ---- layouts ---- */

static void count_not_valid(struct world *world)
{
    world->cluster.pools[0].count = 5;
}

static void profile_alone(struct world *world)
{
    world->cluster.pools[0].count = 0;
    world->cluster.pools[0].profile = "A2-8C";
}

static void profile_unknown(struct world *world)
{
    profile_alone(world);
    world->cluster.pools[0].profile = "A2-9Q";
    world->have.gpus[0].valid_count = 3;
}

static void profile_against_count(struct world *world)
{
    world->cluster.pools[0].profile = "NVIDIA A2-8Q";
}

static void neither(struct world *world)
{
    world->cluster.pools[0].count = 0;
}

static void profile_of_two_counts(struct world *world)
{
    struct gp_gpu *gpu = &world->have.gpus[0];

    profile_alone(world);
    gpu->valid[2].profile = gpu->valid[0].profile = world->cluster.pools[0].profile;
    gpu->valid[0].count = 4;
    gpu->valid[2].count = 2;
    gpu->valid_count = 3;
}

static void plain_vfs(struct world *world)
{
    for (size_t n = 0; n < world->have.gpus[0].valid_count; n++)
        world->have.gpus[0].valid[n].profile = NULL;
}

static void series_kept(struct world *world)
{
    world_cut(world, &world->have.gpus[0], 4, 0);
    world->have.gpus[0].profile = "NVIDIA A2-4C";
}

static void series_applied(struct world *world)
{
    world_applied(world, "gpu/slot3", "partitioned 4 NVIDIA A2-4C");
}

static void cut_otherwise(struct world *world)
{
    world_cut(world, &world->have.gpus[0], 8, 0);
}

static void cut_otherwise_taken_over(struct world *world)
{
    cut_otherwise(world);
    world->cluster.pools[0].takeover = true;
}

static void cut_otherwise_approved(struct world *world)
{
    cut_otherwise(world);
    *gp_push(world->mem, world->approved.items, world->approved.count) = "gpu/slot3";
}

static void cut_otherwise_by_us(struct world *world)
{
    cut_otherwise(world);
    world_applied(world, "gpu/slot3", "partitioned 8 NVIDIA A2-2Q");
}

/* ---- bindings ---- */

static void glob_with_except(struct world *world)
{
    world->declaration.bindings[0]->vms[0].name = "?";
    *gp_push(world->mem, world->declaration.bindings[0]->vms[0].except.items,
             world->declaration.bindings[0]->vms[0].except.count) = "a";
    world->declaration.bindings[0]->vm_count = 1;
}

static void glob_of_nothing(struct world *world)
{
    world->declaration.bindings[0]->vms[1].name = "z-*";
}

static void bound_on_other_host(struct world *world)
{
    world->declaration.bindings[0]->vms[1].host = "kvm-b";
}

static void not_defined_here(struct world *world)
{
    world_bind(world, world->declaration.bindings[0], "desk-1")->host = "kvm-a";
}

static void not_defined_anywhere(struct world *world)
{
    world_bind(world, world->declaration.bindings[0], "desk-1");
}

static void another_uuid(struct world *world)
{
    world->declaration.bindings[0]->vms[1].uuid = world->have.vms[0].uuid;
    world_give(world, &world->have.vms[1], &world->have.gpus[0], 1, true);
}

static void bound_twice(struct world *world)
{
    world_bind(world, world_binding(world, "cad", "vdi"), "b");
}

static void never_vm(struct world *world)
{
    *gp_push(world->mem, world->agent.never_touch_vms.items, world->agent.never_touch_vms.count) = "b";
}

static void transient(struct world *world)
{
    world->have.vms[1].persistent = false;
}

static void stray(struct world *world)
{
    world_give(world, &world->have.vms[1], &world->have.gpus[0], 0, true)->ours = false;
    world->have.vms[1].persistent_devs[0].stray_mark = true;
    world->have.vms[1].mark_fits = false;
    world->have.vms[1].mark->vm = "7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9e10";
}

static void stray_unbound(struct world *world)
{
    stray(world);
    world->declaration.bindings[0]->vm_count = 1;
}

static void unbound(struct world *world)
{
    world_give(world, &world->have.vms[1], &world->have.gpus[0], 0, true);
    world->declaration.bindings[0]->vm_count = 1;
}

static void unbound_not_pruned(struct world *world)
{
    unbound(world);
    world->cluster.policy.prune_bindings = false;
}

static void vram_too_small(struct world *world)
{
    world->declaration.bindings[0]->vram.min = 8ULL << 30;
}

static void no_such_pool(struct world *world)
{
    world->declaration.bindings[0]->pool = "vid";
}

/* ---- assignment ---- */

static void hand_made(struct world *world)
{
    world_cut(world, &world->have.gpus[0], 4, 3);
    world_give(world, &world->have.vms[1], &world->have.gpus[0], 5, false);
    world_run(world, &world->have.vms[1]);
}

static void by_hand_elsewhere(struct world *world)
{
    world->cluster.pools[0].select.slots = (struct gp_strings){0};
    *gp_push(world->mem, world->cluster.pools[0].select.slots.items,
             world->cluster.pools[0].select.slots.count) = "3";
    world_cut(world, world_gpu(world, 4), 2, 0);
    world_give(world, &world->have.vms[1], &world->have.gpus[1], 0, false);
}

static void remembered(struct world *world)
{
    world_applied(world, gp_printf(world->mem, "vm/%s", world->have.vms[1].uuid), "slot3/0");
}

static void remembered_but_taken(struct world *world)
{
    struct gp_vm *other;

    remembered(world);
    other = world_vm(world, "c");
    world_give(world, other, &world->have.gpus[0], 0, false);
}

static void after_a_reboot(struct world *world)
{
    struct gp_vm *vm = &world->have.vms[1];

    world_give(world, vm, &world->have.gpus[0], 2, true);
    vm->persistent_devs[0].device = vm->mark->device =
        (struct gp_device){.kind = GP_DEVICE_MDEV, .uuid = "3deab9a4-0000-5000-8000-000000000001"};
}

static void vfs_gone(struct world *world)
{
    world_give(world, &world->have.vms[1], &world->have.gpus[0], 2, false);
    world->have.gpus[0].partition_count = 0;
}

static void quarantined(struct world *world)
{
    *gp_push(world->mem, world->memory.quarantined.items, world->memory.quarantined.count) = "slot3/0";
}

static void held(struct world *world)
{
    world_cut(world, &world->have.gpus[0], 4, 0);
    world->have.gpus[0].partitions[0].held = GP_HELD_UNKNOWN;
}

static void held_on_the_way(struct world *world)
{
    cut_otherwise_by_us(world);
    world->have.gpus[0].partitions[7].held = GP_HELD_YES;
    world->have.gpus[0].partitions[7].holder = "pid 812 (qemu-system-x86)";
}

static void stranger_on_the_way(struct world *world)
{
    cut_otherwise_by_us(world);
    world_give(world, world_vm(world, "c"), &world->have.gpus[0], 7, false);
}

/* b is on the GPU that cannot be cut anew, a goes to the other one. */
static void one_of_two_on_the_way(struct world *world)
{
    cut_otherwise_by_us(world);
    world_gpu(world, 4);
    world_give(world, &world->have.vms[1], &world->have.gpus[0], 7, true);
    world_run(world, &world->have.vms[1]);
    world->have.vms[1].unstoppable = "a backup is running";
}

static void held_by_itself(struct world *world)
{
    world_give(world, &world->have.vms[1], &world->have.gpus[0], 0, true);
    world_run(world, &world->have.vms[1]);
    world_cut(world, &world->have.gpus[0], 4, 0);
    world->have.gpus[0].partitions[0].held = GP_HELD_YES;
}

static void spread(struct world *world)
{
    world_gpu(world, 4);
}

static void pack(struct world *world)
{
    world_gpu(world, 4);
    world->cluster.pools[0].placement = GP_PLACEMENT_PACK;
}

static void near(struct world *world)
{
    struct gp_gpu *gpu = world_gpu(world, 4);

    gpu->numa_node = 1;
    world->have.gpus[0].numa_node = 0;
    world->have.vms[0].numa_nodes = world->have.vms[1].numa_nodes = 1 << 1;
}

static void surplus(struct world *world)
{
    world->cluster.pools[0].count = 1;
}

static void full_but_leaving(struct world *world)
{
    surplus(world);
    world_cut(world, &world->have.gpus[0], 1, 0);
    world_give(world, &world->have.vms[1], &world->have.gpus[0], 0, true);
    world->declaration.bindings[0]->vm_count = 1;
}

static void full_and_cannot_leave(struct world *world)
{
    full_but_leaving(world);
    world_run(world, &world->have.vms[1]);
    world->have.vms[1].unstoppable = "a backup is running";
}

static void clone_of_ours(struct world *world)
{
    struct gp_vm *copy;

    world_give(world, &world->have.vms[0], &world->have.gpus[0], 2, true);
    copy = world_vm(world, "c");
    world_give(world, copy, &world->have.gpus[0], 2, false);
}

static void shared_by_hand(struct world *world)
{
    world_cut(world, &world->have.gpus[0], 4, 0);
    world_give(world, &world->have.vms[0], &world->have.gpus[0], 2, false);
    world_give(world, &world->have.vms[1], &world->have.gpus[0], 2, false);
}

static const struct {
    const char *name;
    void (*change)(struct world *world);
    const char *goal, *findings;
} rows[] = {
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

    {"two pools", two_pools,
     "slot3: GP-E203 slot3 is in pool 'vdi' and in pool 'cad'; narrow 'match' or 'select'\n"
     "a: GP-E203 slot3 is in pool 'vdi' and in pool 'cad'; narrow 'match' or 'select'\n"
     "b: GP-E203 slot3 is in pool 'vdi' and in pool 'cad'; narrow 'match' or 'select'\n",
     "error GP-E203 gpu/slot3: slot3 is in pool 'vdi' and in pool 'cad'; narrow 'match' or 'select'\n"},
    {"two modes", two_modes,
     "slot3: GP-E302 slot3 is in pool 'vdi' (partitioned) and in pool 'cad' (passthrough); a GPU has one "
     "mode\n"
     "a: GP-E302 slot3 is in pool 'vdi' (partitioned) and in pool 'cad' (passthrough); a GPU has one mode\n"
     "b: GP-E302 slot3 is in pool 'vdi' (partitioned) and in pool 'cad' (passthrough); a GPU has one mode\n",
     "error GP-E302 gpu/slot3: slot3 is in pool 'vdi' (partitioned) and in pool 'cad' (passthrough); a GPU "
     "has one mode\n"},
    {"never to be touched", never_gpu, "slot3: left alone\na: pending\nb: pending\n",
     "note GP-E406 gpu/slot3: slot3 fits pool 'vdi' but is in neverTouch of this host: it is left alone\n"
     "warning GP-W306 pool/vdi: pool 'vdi' has 0 partitions on kvm-a, 0 of them for its 2 VMs; pending: "
     "a, b\n"},
    {"the host that is named has no such GPU", named_host_lacks, "slot3: left alone\na: pending\nb: pending\n",
     "error GP-E201 pool/vdi: kvm-a has no GPU for pool 'vdi'; GPUs here: slot3 NVIDIA A2\n"
     "warning GP-W306 pool/vdi: pool 'vdi' has 0 partitions on kvm-a, 0 of them for its 2 VMs; pending: "
     "a, b\n"},
    {"a host that a glob fits has no such GPU", glob_host_lacks,
     "slot3: left alone\na: pending\nb: pending\n",
     "warning GP-W306 pool/vdi: pool 'vdi' has 0 partitions on kvm-a, 0 of them for its 2 VMs; pending: "
     "a, b\n"},
    {"the pool is for another host", other_host, "slot3: left alone\na: pending\nb: pending\n",
     "warning GP-W306 pool/vdi: pool 'vdi' has 0 partitions on kvm-a, 0 of them for its 2 VMs; pending: "
     "a, b\n"},
    {"matched by all that can be said", match_all_ways,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/1\n", ""},
    {"another vendor", vendor_in_hex, "slot3: left alone\na: pending\nb: pending\n",
     "warning GP-W306 pool/vdi: pool 'vdi' has 0 partitions on kvm-a, 0 of them for its 2 VMs; pending: "
     "a, b\n"},
    {"one of two is selected", left_out,
     "slot3: partitioned 4 NVIDIA A2-4Q\nslot4: left alone\na: slot3/0\nb: slot3/1\n",
     "warning GP-W203 pool/vdi: pool 'vdi' leaves out GPUs of kvm-a that fit it: slot4\n"},
    {"two that differ", unlike,
     "slot3: GP-E205 the GPUs of pool 'vdi' differ: slot3 is NVIDIA A2 (16384 MiB), slot4 is NVIDIA A16 "
     "(16384 MiB)\n"
     "slot4: GP-E205 the GPUs of pool 'vdi' differ: slot3 is NVIDIA A2 (16384 MiB), slot4 is NVIDIA A16 "
     "(16384 MiB)\n"
     "a: GP-E205 the GPUs of pool 'vdi' differ: slot3 is NVIDIA A2 (16384 MiB), slot4 is NVIDIA A16 "
     "(16384 MiB)\n"
     "b: GP-E205 the GPUs of pool 'vdi' differ: slot3 is NVIDIA A2 (16384 MiB), slot4 is NVIDIA A16 "
     "(16384 MiB)\n",
     "error GP-E205 gpu/slot3: the GPUs of pool 'vdi' differ: slot3 is NVIDIA A2 (16384 MiB), slot4 is "
     "NVIDIA A16 (16384 MiB)\n"
     "error GP-E205 gpu/slot4: the GPUs of pool 'vdi' differ: slot3 is NVIDIA A2 (16384 MiB), slot4 is "
     "NVIDIA A16 (16384 MiB)\n"},
    {"a mode that its mechanism does not offer", passthrough,
     "slot3: GP-E110 mode passthrough is not offered by mechanism sim of slot3: no way to do it\n"
     "a: GP-E110 mode passthrough is not offered by mechanism sim of slot3: no way to do it\n"
     "b: GP-E110 mode passthrough is not offered by mechanism sim of slot3: no way to do it\n",
     "error GP-E110 gpu/slot3: mode passthrough is not offered by mechanism sim of slot3: no way to do "
     "it\n"},
    {"no mechanism", no_mechanism,
     "slot3: GP-E110 nothing on this host can make slot3 partitioned: the vGPU driver is not loaded\n"
     "a: GP-E110 nothing on this host can make slot3 partitioned: the vGPU driver is not loaded\n"
     "b: GP-E110 nothing on this host can make slot3 partitioned: the vGPU driver is not loaded\n",
     "error GP-E110 gpu/slot3: nothing on this host can make slot3 partitioned: the vGPU driver is not "
     "loaded\n"},
    {"half-way: its mechanism knows the way out", half_way,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/1\n", ""},
    {"no valid counts", no_counts,
     "slot3: GP-E202 it is not known how slot3 can be partitioned: neither its driver nor the catalogue "
     "tells a valid count\n"
     "a: GP-E202 it is not known how slot3 can be partitioned: neither its driver nor the catalogue tells a "
     "valid count\n"
     "b: GP-E202 it is not known how slot3 can be partitioned: neither its driver nor the catalogue tells a "
     "valid count\n",
     "error GP-E202 gpu/slot3: it is not known how slot3 can be partitioned: neither its driver nor the "
     "catalogue tells a valid count\n"},
    {"partitions stay when the pool goes", dropped_pool, "slot3: left alone\na: left alone\nb: left alone\n",
     ""},
    {"unless pruning them is asked for", dropped_pool_pruned, "slot3: none\na: left alone\nb: left alone\n",
     ""},

    {"count that is not valid", count_not_valid,
     "slot3: GP-E210 slot3 cannot be cut into 5 equal partitions; valid counts: 1, 2, 4, 8, 16; nearest: 4\n"
     "a: GP-E210 slot3 cannot be cut into 5 equal partitions; valid counts: 1, 2, 4, 8, 16; nearest: 4\n"
     "b: GP-E210 slot3 cannot be cut into 5 equal partitions; valid counts: 1, 2, 4, 8, 16; nearest: 4\n",
     "error GP-E210 gpu/slot3: slot3 cannot be cut into 5 equal partitions; valid counts: 1, 2, 4, 8, 16; "
     "nearest: 4\n"},
    {"profile by its last word", profile_alone,
     "slot3: partitioned 2 NVIDIA A2-8C\na: slot3/0\nb: slot3/1\n", ""},
    {"no such profile", profile_unknown,
     "slot3: GP-E211 slot3 has no profile 'A2-9Q'; it has: NVIDIA A2-1A, NVIDIA A2-1C, NVIDIA A2-1Q\n"
     "a: GP-E211 slot3 has no profile 'A2-9Q'; it has: NVIDIA A2-1A, NVIDIA A2-1C, NVIDIA A2-1Q\n"
     "b: GP-E211 slot3 has no profile 'A2-9Q'; it has: NVIDIA A2-1A, NVIDIA A2-1C, NVIDIA A2-1Q\n",
     "error GP-E211 gpu/slot3: slot3 has no profile 'A2-9Q'; it has: NVIDIA A2-1A, NVIDIA A2-1C, NVIDIA "
     "A2-1Q\n"},
    {"profile does not give the count", profile_against_count,
     "slot3: GP-E211 profile 'NVIDIA A2-8Q' gives 2 partitions of slot3, not 4; profiles that give 4: NVIDIA "
     "A2-4A, NVIDIA A2-4C, NVIDIA A2-4Q\n"
     "a: GP-E211 profile 'NVIDIA A2-8Q' gives 2 partitions of slot3, not 4; profiles that give 4: NVIDIA "
     "A2-4A, NVIDIA A2-4C, NVIDIA A2-4Q\n"
     "b: GP-E211 profile 'NVIDIA A2-8Q' gives 2 partitions of slot3, not 4; profiles that give 4: NVIDIA "
     "A2-4A, NVIDIA A2-4C, NVIDIA A2-4Q\n",
     "error GP-E211 gpu/slot3: profile 'NVIDIA A2-8Q' gives 2 partitions of slot3, not 4; profiles that give "
     "4: NVIDIA A2-4A, NVIDIA A2-4C, NVIDIA A2-4Q\n"},
    {"neither count nor profile", neither,
     "slot3: GP-E211 pool 'vdi' says neither 'count' nor 'profile'; valid counts of slot3: 1, 2, 4, 8, 16\n"
     "a: GP-E211 pool 'vdi' says neither 'count' nor 'profile'; valid counts of slot3: 1, 2, 4, 8, 16\n"
     "b: GP-E211 pool 'vdi' says neither 'count' nor 'profile'; valid counts of slot3: 1, 2, 4, 8, 16\n",
     "error GP-E211 gpu/slot3: pool 'vdi' says neither 'count' nor 'profile'; valid counts of slot3: 1, 2, "
     "4, 8, 16\n"},
    {"profile of two counts", profile_of_two_counts,
     "slot3: GP-E211 profile 'A2-8C' of slot3 gives 2 or 4 partitions; say which with 'count'\n"
     "a: GP-E211 profile 'A2-8C' of slot3 gives 2 or 4 partitions; say which with 'count'\n"
     "b: GP-E211 profile 'A2-8C' of slot3 gives 2 or 4 partitions; say which with 'count'\n",
     "error GP-E211 gpu/slot3: profile 'A2-8C' of slot3 gives 2 or 4 partitions; say which with 'count'\n"},
    {"plain VFs", plain_vfs, "slot3: partitioned 4\na: slot3/0\nb: slot3/1\n", ""},
    {"the series that is there", series_kept,
     "slot3: partitioned 4 NVIDIA A2-4C\na: slot3/0\nb: slot3/1\n", ""},
    {"the series that was applied", series_applied,
     "slot3: partitioned 4 NVIDIA A2-4C\na: slot3/0\nb: slot3/1\n", ""},
    {"partitioned by somebody else", cut_otherwise,
     "slot3: GP-E503 slot3 is 'partitioned 8 NVIDIA A2-2Q' already, not 'partitioned 4 NVIDIA A2-4Q': pool "
     "'vdi' needs 'takeover: true', or 'gpupart approve gpu/slot3 --for 1h --reason WHY'\n"
     "a: GP-E503 slot3 is 'partitioned 8 NVIDIA A2-2Q' already, not 'partitioned 4 NVIDIA A2-4Q': pool 'vdi' "
     "needs 'takeover: true', or 'gpupart approve gpu/slot3 --for 1h --reason WHY'\n"
     "b: GP-E503 slot3 is 'partitioned 8 NVIDIA A2-2Q' already, not 'partitioned 4 NVIDIA A2-4Q': pool 'vdi' "
     "needs 'takeover: true', or 'gpupart approve gpu/slot3 --for 1h --reason WHY'\n",
     "error GP-E503 gpu/slot3: slot3 is 'partitioned 8 NVIDIA A2-2Q' already, not 'partitioned 4 NVIDIA "
     "A2-4Q': pool 'vdi' needs 'takeover: true', or 'gpupart approve gpu/slot3 --for 1h --reason WHY'\n"},
    {"and taken over", cut_otherwise_taken_over,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/1\n", ""},
    {"and approved", cut_otherwise_approved,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/1\n", ""},
    {"partitioned by us", cut_otherwise_by_us,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/1\n", ""},

    {"a glob and what it leaves out", glob_with_except,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: left alone\nb: slot3/0\n", ""},
    {"a glob that fits nothing", glob_of_nothing,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: left alone\n",
     "note GP-W305 pool/vdi: 'z-*' matches no VM of kvm-a\n"},
    {"bound on another host", bound_on_other_host,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: left alone\n", ""},
    {"not defined on the host that is named", not_defined_here,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/1\n",
     "error GP-E303 vm/desk-1: VM 'desk-1' is not defined on kvm-a\n"},
    {"defined wherever", not_defined_anywhere,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/1\n", ""},
    {"a name that another VM bears", another_uuid,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: left alone\n",
     "error GP-D808 vm/b: 'b' has UUID UUID-B, not the pinned UUID-A"
     ", which is now named a: it is not bound\n"},
    {"bound twice", bound_twice,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\n"
     "b: GP-E301 'b' is bound by 'cad' and by 'desktops'; a VM has one partition\n",
     "error GP-E301 vm/b: 'b' is bound by 'cad' and by 'desktops'; a VM has one partition\n"},
    {"a VM never to be touched", never_vm,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: left alone\n",
     "note GP-E406 vm/b: 'b' is bound by 'desktops' but is in neverTouch of this host: it is left alone\n"},
    {"a transient VM", transient,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\n"
     "b: GP-E507 'b' is transient: it is gone once it is stopped, so nothing of it can be changed\n",
     "error GP-E507 vm/b: 'b' is transient: it is gone once it is stopped, so nothing of it can be "
     "changed\n"},
    {"marks of another VM", stray,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/1\n"
     "b: GP-D807 'b' carries marks that were made for VM 7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9e10: it was copied "
     "or reverted, and is not touched until they are removed from its definition\n",
     "error GP-D807 vm/b: 'b' carries marks that were made for VM 7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9e10: it "
     "was copied or reverted, and is not touched until they are removed from its definition\n"},
    {"marks of another VM, not bound", stray_unbound,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/1\nb: left alone\n",
     "warning GP-D807 vm/b: 'b' carries marks that were made for VM 7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9e10: it "
     "is not touched\n"},
    {"omission removes", unbound, "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/1\nb: -\n", ""},
    {"unless it does not", unbound_not_pruned,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/1\nb: left alone\n", ""},
    {"less VRAM than asked for", vram_too_small,
     "slot3: partitioned 4 NVIDIA A2-4Q\n"
     "a: GP-E307 binding 'desktops' asks for other VRAM than a VM gets of pool 'vdi' (4096 MiB)\n"
     "b: GP-E307 binding 'desktops' asks for other VRAM than a VM gets of pool 'vdi' (4096 MiB)\n",
     "error GP-E307 vm/a: binding 'desktops' asks for other VRAM than a VM gets of pool 'vdi' (4096 MiB)\n"
     "error GP-E307 vm/b: binding 'desktops' asks for other VRAM than a VM gets of pool 'vdi' (4096 MiB)\n"},
    {"no such pool", no_such_pool,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: GP-E212 cluster 'c' has no pool 'vid'\n"
     "b: GP-E212 cluster 'c' has no pool 'vid'\n",
     "error GP-E212 vm/a: cluster 'c' has no pool 'vid'\n"
     "error GP-E212 vm/b: cluster 'c' has no pool 'vid'\n"},

    {"made by hand, on other VFs, is accepted", hand_made,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/3\nb: slot3/5\n", ""},
    {"given another pool's by hand", by_hand_elsewhere,
     "slot3: partitioned 4 NVIDIA A2-4Q\nslot4: left alone\na: slot3/0\n"
     "b: GP-E301 'b' was given slot4/0 by hand; a VM has one partition: take it away, or the binding "
     "'desktops'\n",
     "error GP-E301 vm/b: 'b' was given slot4/0 by hand; a VM has one partition: take it away, or the "
     "binding 'desktops'\n"
     "warning GP-W203 pool/vdi: pool 'vdi' leaves out GPUs of kvm-a that fit it: slot4\n"},
    {"what it had is remembered", remembered,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/1\nb: slot3/0\n", ""},
    {"unless somebody else has it now", remembered_but_taken,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/1\nb: slot3/2\nc: left alone\n", ""},
    {"a mdev that is gone is known by its mark", after_a_reboot,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/2\n", ""},
    {"a VF that is gone is known by its address", vfs_gone,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/2\n", ""},
    {"quarantined counts as taken", quarantined,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/1\nb: slot3/2\n", ""},
    {"unknown counts as held", held, "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/1\nb: slot3/2\n", ""},
    {"held by a stranger where it is to be cut anew", held_on_the_way,
     "slot3: GP-E506 slot3 is not changed: slot3/7 is held by no VM that is known here (pid 812 "
     "(qemu-system-x86))\n"
     "a: GP-E506 slot3 is not changed: slot3/7 is held by no VM that is known here (pid 812 "
     "(qemu-system-x86))\n"
     "b: GP-E506 slot3 is not changed: slot3/7 is held by no VM that is known here (pid 812 "
     "(qemu-system-x86))\n",
     "error GP-E506 gpu/slot3: slot3 is not changed: slot3/7 is held by no VM that is known here (pid 812 "
     "(qemu-system-x86))\n"},
    {"a VM that no binding names where it is to be cut anew", stranger_on_the_way,
     "slot3: GP-E206 slot3 is not changed: slot3/7 belongs to VM 'c', which no binding names\n"
     "a: GP-E206 slot3 is not changed: slot3/7 belongs to VM 'c', which no binding names\n"
     "b: GP-E206 slot3 is not changed: slot3/7 belongs to VM 'c', which no binding names\n"
     "c: left alone\n",
     "error GP-E206 gpu/slot3: slot3 is not changed: slot3/7 belongs to VM 'c', which no binding names\n"},
    {"one GPU of two cannot be cut anew", one_of_two_on_the_way,
     "slot3: GP-E507 slot3 is not changed: slot3/7 belongs to VM 'b', which may not be stopped: a backup is "
     "running\n"
     "slot4: partitioned 4 NVIDIA A2-4Q\na: slot4/0\n"
     "b: GP-E507 slot3 is not changed: slot3/7 belongs to VM 'b', which may not be stopped: a backup is "
     "running\n",
     "error GP-E507 gpu/slot3: slot3 is not changed: slot3/7 belongs to VM 'b', which may not be stopped: a "
     "backup is running\n"},
    {"held by the VM itself", held_by_itself,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/1\nb: slot3/0\n", ""},
    {"spread", spread,
     "slot3: partitioned 4 NVIDIA A2-4Q\nslot4: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot4/0\n", ""},
    {"pack", pack,
     "slot3: partitioned 4 NVIDIA A2-4Q\nslot4: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/1\n", ""},
    {"near its memory", near,
     "slot3: partitioned 4 NVIDIA A2-4Q\nslot4: partitioned 4 NVIDIA A2-4Q\na: slot4/0\nb: slot4/1\n", ""},
    {"more VMs than partitions", surplus, "slot3: partitioned 1 NVIDIA A2-16Q\na: slot3/0\nb: pending\n",
     "warning GP-W306 pool/vdi: pool 'vdi' has 1 partitions on kvm-a, 1 of them for its 2 VMs; pending: b; "
     "valid counts of slot3: 1, 2, 4, 8, 16\n"},
    {"what somebody leaves is free", full_but_leaving,
     "slot3: partitioned 1 NVIDIA A2-16Q\na: slot3/0\nb: -\n", ""},
    {"unless he cannot leave", full_and_cannot_leave,
     "slot3: partitioned 1 NVIDIA A2-16Q\na: pending\nb: -\n",
     "warning GP-W306 pool/vdi: pool 'vdi' has 1 partitions on kvm-a, 0 of them for its 1 VMs; pending: a; "
     "valid counts of slot3: 1, 2, 4, 8, 16\n"},
    {"a copy does not take it from the one it belongs to", clone_of_ours,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/2\nb: slot3/0\nc: left alone\n",
     "error GP-E305 vm/c: 'c' is defined with slot3/2, which belongs to 'a'\n"},
    {"two by hand", shared_by_hand,
     "slot3: partitioned 4 NVIDIA A2-4Q\n"
     "a: GP-E305 'a' and 'b' are both defined with slot3/2\n"
     "b: GP-E305 'b' was given slot3/2 by hand, which another VM has too\n",
     "error GP-E305 vm/a: 'a' and 'b' are both defined with slot3/2\n"
     "error GP-E305 vm/b: 'b' was given slot3/2 by hand, which another VM has too\n"},
};

/* UUIDs are made from names; the rows say "UUID-A". */
static const char *with_uuids(struct gp_arena *mem, const char *text)
{
    static const struct {
        const char *word, *vm;
    } uuids[] = {{"UUID-A", "a"}, {"UUID-B", "b"}};

    for (size_t n = 0; n < sizeof uuids / sizeof *uuids; n++) {
        const char *at = strstr(text, uuids[n].word);

        if (at)
            text = gp_printf(mem, "%.*s%s%s", (int)(at - text), text,
                             gp_uuid5(mem, "vm", uuids[n].vm), at + strlen(uuids[n].word));
    }
    return text;
}

GP_ROWS(resolve, rows, rows)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct world *world = basic(mem);
    struct gp_goal *goal;

    rows[*i].change(world);
    goal = world_resolve(world);
    cr_assert(eq(str, (char *)world_text(mem, goal), (char *)rows[*i].goal), "%s", rows[*i].name);
    cr_assert(eq(str, (char *)world_findings(mem, goal), (char *)with_uuids(mem, rows[*i].findings)), "%s",
              rows[*i].name);
}

/* ---- what a text does not show ---- */

static const struct {
    const char *name;
    uint32_t owned, removed, allowed;
    bool prune, refused;
} removals[] = {
    {"three of three", 3, 3, 0, true, false},
    {"four of four", 4, 4, 0, true, true},
    {"four of sixteen", 16, 4, 0, true, false},
    {"four of fifteen", 15, 4, 0, true, true},
    {"four of fifteen, allowed", 15, 4, 4, true, false},
    {"five of fifteen, four allowed", 15, 5, 4, true, true},
    {"nothing is pruned", 8, 8, 0, false, false},
};

GP_ROWS(resolve, mass_removal, removals)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct world *world = world_new(mem);
    struct gp_gpu *gpu = world_gpu(world, 3);
    struct gp_binding_decl *binding = world_binding(world, "desktops", "vdi");
    struct gp_goal *goal;

    world_pool(world, "vdi", 16, NULL);
    world->allowed_removal = removals[*i].allowed;
    world->cluster.policy.prune_bindings = removals[*i].prune;
    for (uint32_t n = 0; n < removals[*i].owned; n++) {
        struct gp_vm *vm = world_vm(world, gp_printf(mem, "vm-%02u", (unsigned)n));

        world_give(world, vm, gpu, n, true);
        if (n >= removals[*i].removed)
            world_bind(world, binding, vm->name);
    }
    goal = world_resolve(world);
    cr_assert(eq(u32, goal->owned, removals[*i].owned));
    cr_assert(eq(u32, goal->removed, removals[*i].prune ? removals[*i].removed : 0));
    cr_assert(eq(int, goal->refused, removals[*i].refused), "%s", removals[*i].name);
    for (size_t n = 0; goal->refused && n < goal->vm_count; n++)
        cr_assert(eq(str, (char *)goal->vms[n].rule, "GP-E311"));
    if (goal->refused)
        cr_assert(eq(str, (char *)goal->findings[0].message,
                     gp_printf(mem,
                               "%u of the %u bindings of this host are gone from the declaration; if that is "
                               "meant, the commit's message says 'Gpupart-Allow-Removal: %u'",
                               (unsigned)removals[*i].removed, (unsigned)removals[*i].owned,
                               (unsigned)removals[*i].removed)));
}

static const struct {
    enum gp_power power;
    bool owed, stop_requested, want;
} powers[] = {
    {GP_POWER_OFF, false, false, false},    {GP_POWER_RUNNING, false, false, true},
    {GP_POWER_PAUSED, false, false, true},  {GP_POWER_OFF, true, false, true},
    {GP_POWER_OFF, true, true, true},       {GP_POWER_OTHER, true, true, false},
    {GP_POWER_RUNNING, true, true, true},   {GP_POWER_OTHER, false, false, false},
};

GP_ROWS(resolve, runs_what_ran_and_what_is_owed, powers)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct world *world = basic(mem);

    world->have.vms[0].power = powers[*i].power;
    if (powers[*i].owed)
        *gp_push(mem, world->memory.owed, world->memory.owed_count) = (struct gp_owed){
            .vm = world->have.vms[0].uuid, .stop_requested = powers[*i].stop_requested};
    cr_assert(eq(int, world_resolve(world)->vms[0].run, powers[*i].want));
}

Test(resolve, the_stricter_of_host_and_repository_holds)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct world *world = basic(mem);
    struct gp_policy *policy;

    world->cluster.policy.on_commit[GP_CLASS_VM] = GP_ALLOW_APPROVE;
    world->cluster.policy.on_commit[GP_CLASS_GPU] = GP_ALLOW_AUTO;
    world->cluster.policy.max_vms_stopped = 9;
    world->agent.ceiling_on_commit[GP_CLASS_VM] = GP_ALLOW_AUTO;
    world->agent.ceiling_on_commit[GP_CLASS_GPU] = GP_ALLOW_WINDOW;
    world->agent.ceiling_on_drift[GP_CLASS_NONE] = GP_ALLOW_REPORT;
    world->agent.ceiling_vms_stopped = 12;
    world->agent.ceiling_gpus_changed = 2;
    policy = &world_resolve(world)->policy;
    cr_assert(eq(int, policy->on_commit[GP_CLASS_NONE], GP_ALLOW_AUTO));
    cr_assert(eq(int, policy->on_commit[GP_CLASS_VM], GP_ALLOW_APPROVE));
    cr_assert(eq(int, policy->on_commit[GP_CLASS_GPU], GP_ALLOW_WINDOW));
    cr_assert(eq(int, policy->on_commit[GP_CLASS_HOST], GP_ALLOW_APPROVE));
    cr_assert(eq(int, policy->on_drift[GP_CLASS_NONE], GP_ALLOW_REPORT));
    cr_assert(eq(int, policy->on_drift[GP_CLASS_VM], GP_ALLOW_REPORT));
    cr_assert(eq(u32, policy->max_vms_stopped, 9));
    cr_assert(eq(u32, policy->max_gpus_changed, 2));
}

Test(resolve, how_a_vm_is_stopped_is_the_binding_s_then_the_cluster_s_then_ours)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct world *world = basic(mem);
    const struct gp_stop_policy *stop;

    world->cluster.policy.stop.timeout_ms = 1000;
    world->cluster.policy.stop.force = world->cluster.policy.stop.on_timeout_given = true;
    world->declaration.bindings[0]->stop.method[0] = GP_STOP_ACPI;
    stop = &world_resolve(world)->vms[0].stop;
    cr_assert(eq(u32, stop->timeout_ms, 1000));
    cr_assert(eq(int, stop->method[0], GP_STOP_ACPI));
    cr_assert(eq(int, stop->method[1], GP_STOP_NONE));
    cr_assert(stop->force);
    cr_assert(eq(u32, stop->late_within_ms, 3600 * 1000));
    world->declaration.bindings[0]->stop.on_timeout_given = true;
    cr_assert(not(world_resolve(world)->vms[0].stop.force));
}

Test(resolve, findings_come_by_place)
{
    static const struct gp_source first = {"a.yaml", "", 0}, second = {"b.yaml", "", 0};
    struct gp_finding findings[] = {
        {"GP-E301", GP_LEVEL_ERROR, {&second, 1, 1}, NULL, "x"},
        {"GP-E302", GP_LEVEL_ERROR, {&first, 9, 1}, NULL, "x"},
        {"GP-E301", GP_LEVEL_ERROR, {&first, 9, 1}, NULL, "x"},
        {"GP-E301", GP_LEVEL_ERROR, {&second, 1, 1}, NULL, "x"},
        {"GP-E404", GP_LEVEL_ERROR, {NULL, 0, 0}, NULL, "x"},
    };
    size_t count = sizeof findings / sizeof *findings;

    gp_findings_sort(findings, &count);
    cr_assert(eq(sz, count, 4));
    cr_assert(eq(str, (char *)findings[0].rule, "GP-E404"));
    cr_assert(eq(str, (char *)findings[1].rule, "GP-E301"));
    cr_assert(eq(str, (char *)findings[2].rule, "GP-E302"));
    cr_assert(eq(ptr, (void *)findings[3].at.source, (void *)&second));
}
