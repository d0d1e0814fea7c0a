/* Examples of gp_resolve(): which VMs are bound, and the words it is told in. */
#include "rows.h"
#include "resolve_rows.h"

#include "text.h"

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

/* "b" was named "desk" when it was given its partition. */
static void renamed(struct world *world)
{
    struct gp_vm *vm = &world->have.vms[1];

    world_give(world, vm, &world->have.gpus[0], 2, true);
    world_applied(world, gp_printf(world->mem, "vm/%s", vm->uuid), "slot3/2");
    for (size_t n = 0; n < world->memory.applied_count; n++)
        world->memory.applied[n].who = "desk";
    world->declaration.bindings[0]->vms[1].name = "desk";
}

static void renamed_and_given_up(struct world *world)
{
    renamed(world);
    world->declaration.bindings[0]->vm_count = 1;
}

static void renamed_but_pinned(struct world *world)
{
    renamed(world);
    world->memory.applied_count = 0;
    world->declaration.bindings[0]->vms[1].uuid = world->have.vms[1].uuid;
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

/* Another manager's, which is off; the second time it is right already. */
static void untouchable(struct world *world)
{
    world->have.vms[1].untouchable = world->have.vms[1].unstoppable = "is managed by OpenStack Nova";
}

static void untouchable_but_right(struct world *world)
{
    untouchable(world);
    world_cut(world, &world->have.gpus[0], 4, 0);
    world_give(world, &world->have.vms[1], &world->have.gpus[0], 2, true);
}

static void untouchable_and_unbound(struct world *world)
{
    untouchable_but_right(world);
    world->declaration.bindings[0]->vm_count = 1;
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

/* Somebody took the metadata away: the alias is left, and with it nothing that says whose it is. */
static void mark_lost(struct world *world)
{
    struct gp_vm *vm = &world->have.vms[1];

    world_cut(world, &world->have.gpus[0], 4, 0);
    world_give(world, vm, &world->have.gpus[0], 0, false)->stray_mark = true;
    world_run(world, vm);
}

static void mark_lost_but_remembered(struct world *world)
{
    mark_lost(world);
    world_applied(world, gp_printf(world->mem, "vm/%s", world->have.vms[1].uuid), "slot3/0");
}

static void mark_lost_and_moved(struct world *world)
{
    mark_lost(world);
    world_applied(world, gp_printf(world->mem, "vm/%s", world->have.vms[1].uuid), "slot3/3");
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

/* ---- a GPU that is to be cut in four, and has eight; "b" has one of them and is left alone ---- */

/* Partition 0 will be there again, 7 will not. */
static struct gp_vm *left_alone(struct world *world, uint32_t index, bool runs)
{
    struct gp_vm *vm = &world->have.vms[1];

    world_cut(world, &world->have.gpus[0], 8, 0);
    world_applied(world, "gpu/slot3", "partitioned 8 NVIDIA A2-2Q");
    world_give(world, vm, &world->have.gpus[0], index, true);
    if (runs)
        world_run(world, vm);
    return vm;
}

static void never_vm_on_the_way(struct world *world)
{
    left_alone(world, 0, true);
    never_vm(world);
}

static void never_vm_unbound_on_the_way(struct world *world)
{
    never_vm_on_the_way(world);
    world->declaration.bindings[0]->vm_count = 1;
}

static void never_vm_off_on_the_way(struct world *world)
{
    left_alone(world, 7, false);
    never_vm(world);
}

static void never_vm_off_and_back(struct world *world)
{
    left_alone(world, 0, false);
    never_vm(world);
}

static void not_pruned_on_the_way(struct world *world)
{
    left_alone(world, 0, true);
    world->declaration.bindings[0]->vm_count = 1;
    world->cluster.policy.prune_bindings = false;
}

static void not_pruned_off_on_the_way(struct world *world)
{
    left_alone(world, 7, false);
    world->declaration.bindings[0]->vm_count = 1;
    world->cluster.policy.prune_bindings = false;
}

static void rename_b(struct world *world)
{
    world_applied(world, gp_printf(world->mem, "vm/%s", world->have.vms[1].uuid), "slot3/0");
    for (size_t n = 0; n < world->memory.applied_count; n++)
        world->memory.applied[n].who = gp_starts_with(world->memory.applied[n].key, "vm/") ? "desk" : NULL;
    world->declaration.bindings[0]->vms[1].name = "desk";
    world->cluster.pools[0].takeover = true;
}

static void renamed_on_the_way(struct world *world)
{
    left_alone(world, 0, true);
    rename_b(world);
}

static void renamed_off_on_the_way(struct world *world)
{
    left_alone(world, 7, false);
    rename_b(world);
}

static void another_uuid_on_the_way(struct world *world)
{
    left_alone(world, 0, true);
    world->declaration.bindings[0]->vms[1].uuid = world->have.vms[0].uuid;
}

static void another_uuid_off_on_the_way(struct world *world)
{
    left_alone(world, 7, false);
    world->declaration.bindings[0]->vms[1].uuid = world->have.vms[0].uuid;
}

static void vram_too_small(struct world *world)
{
    world->declaration.bindings[0]->vram.min = 8ULL << 30;
}

static void no_such_pool(struct world *world)
{
    world->declaration.bindings[0]->pool = "vid";
}

/* The GPU and who shall get a part of it wait; "b" is left alone. */
#define HELD_UP(why) \
    "slot3: GP-E206 slot3 is not changed: " why "\na: GP-E206 slot3 is not changed: " why "\nb: left alone\n"

static const struct resolve_row rows[] = {
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
    {"renamed", renamed, "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: left alone\n",
     "error GP-D808 vm/b: 'b' was renamed, and is bound as 'desk': it keeps what it has, and is not touched until "
     "a binding names it so, or none names 'desk' any more\n"},
    {"renamed, and its old name is given up", renamed_and_given_up,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: -\n", ""},
    {"renamed, and known by its UUID", renamed_but_pinned,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: left alone\n",
     "error GP-D808 vm/b: 'b' was renamed, and is bound as 'desk': it keeps what it has, and is not touched until "
     "a binding names it so, or none names 'desk' any more\n"},
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
    {"another manager's VM", untouchable,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\n"
     "b: GP-E507 the definition of 'b' may not be changed: it is managed by OpenStack Nova\n",
     "error GP-E507 vm/b: the definition of 'b' may not be changed: it is managed by OpenStack Nova\n"},
    {"which is right already", untouchable_but_right,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/2\n", ""},
    {"which is bound no more", untouchable_and_unbound,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\n"
     "b: GP-E507 the definition of 'b' may not be changed: it is managed by OpenStack Nova\n",
     "error GP-E507 vm/b: the definition of 'b' may not be changed: it is managed by OpenStack Nova\n"},
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
    {"a mark that somebody took away", mark_lost,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/1\n"
     "b: GP-D807 'b' has a hostdev with an alias of gpupart's, but no mark that says which and whose it is: it "
     "was copied or reverted, and is not touched until they are removed from its definition\n",
     "error GP-D807 vm/b: 'b' has a hostdev with an alias of gpupart's, but no mark that says which and whose "
     "it is: it was copied or reverted, and is not touched until they are removed from its definition\n"},
    {"is made up for by the record", mark_lost_but_remembered,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/1\nb: slot3/0\n", ""},
    {"if that names the same partition", mark_lost_and_moved,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/1\n"
     "b: GP-D807 'b' has a hostdev with an alias of gpupart's, but no mark that says which and whose it is: it "
     "was copied or reverted, and is not touched until they are removed from its definition\n",
     "error GP-D807 vm/b: 'b' has a hostdev with an alias of gpupart's, but no mark that says which and whose "
     "it is: it was copied or reverted, and is not touched until they are removed from its definition\n"},
    {"omission removes", unbound, "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/1\nb: -\n", ""},
    {"unless it does not", unbound_not_pruned,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/1\nb: left alone\n", ""},
    {"never to be touched, and runs where it is to be cut anew", never_vm_on_the_way,
     HELD_UP("slot3/0 belongs to VM 'b', which is in neverTouch of this host"
             ": shut it down yourself, or leave the GPU as it is"),
     "error GP-E206 gpu/slot3: slot3 is not changed: slot3/0 belongs to VM 'b', which is in neverTouch of this host"
     ": shut it down yourself, or leave the GPU as it is\n"
     "note GP-E406 vm/b: 'b' is bound by 'desktops' but is in neverTouch of this host: it is left alone\n"},
    {"never to be touched, and no binding names it", never_vm_unbound_on_the_way,
     HELD_UP("slot3/0 belongs to VM 'b', which is in neverTouch of this host"
             ": shut it down yourself, or leave the GPU as it is"),
     "error GP-E206 gpu/slot3: slot3 is not changed: slot3/0 belongs to VM 'b', which is in neverTouch of this host"
     ": shut it down yourself, or leave the GPU as it is\n"},
    {"never to be touched, and off", never_vm_off_on_the_way,
     HELD_UP("slot3/7 belongs to VM 'b', which is in neverTouch of this host"
             ": take that out of its definition, or leave the GPU as it is"),
     "error GP-E206 gpu/slot3: slot3 is not changed: slot3/7 belongs to VM 'b', which is in neverTouch of this host"
     ": take that out of its definition, or leave the GPU as it is\n"
     "note GP-E406 vm/b: 'b' is bound by 'desktops' but is in neverTouch of this host: it is left alone\n"},
    {"not pruned, and runs", not_pruned_on_the_way,
     HELD_UP("slot3/0 belongs to VM 'b', which no binding names"
             ": shut it down yourself, or leave the GPU as it is"),
     "error GP-E206 gpu/slot3: slot3 is not changed: slot3/0 belongs to VM 'b', which no binding names"
     ": shut it down yourself, or leave the GPU as it is\n"},
    {"not pruned, and off", not_pruned_off_on_the_way,
     HELD_UP("slot3/7 belongs to VM 'b', which no binding names"
             ": take that out of its definition, or leave the GPU as it is"),
     "error GP-E206 gpu/slot3: slot3 is not changed: slot3/7 belongs to VM 'b', which no binding names"
     ": take that out of its definition, or leave the GPU as it is\n"},
    {"renamed, and runs", renamed_on_the_way,
     HELD_UP("slot3/0 belongs to VM 'b', which was renamed"
             ": shut it down yourself, or leave the GPU as it is"),
     "error GP-D808 vm/b: 'b' was renamed, and is bound as 'desk': it keeps what it has, and is not touched until "
     "a binding names it so, or none names 'desk' any more\n"
     "error GP-E206 gpu/slot3: slot3 is not changed: slot3/0 belongs to VM 'b', which was renamed"
     ": shut it down yourself, or leave the GPU as it is\n"},
    {"renamed, and off", renamed_off_on_the_way,
     HELD_UP("slot3/7 belongs to VM 'b', which was renamed"
             ": take that out of its definition, or leave the GPU as it is"),
     "error GP-D808 vm/b: 'b' was renamed, and is bound as 'desk': it keeps what it has, and is not touched until "
     "a binding names it so, or none names 'desk' any more\n"
     "error GP-E206 gpu/slot3: slot3 is not changed: slot3/7 belongs to VM 'b', which was renamed"
     ": take that out of its definition, or leave the GPU as it is\n"},
    {"another UUID, and runs", another_uuid_on_the_way,
     HELD_UP("slot3/0 belongs to VM 'b', which has another UUID than its binding pins"
             ": shut it down yourself, or leave the GPU as it is"),
     "error GP-D808 vm/b: 'b' has UUID UUID-B, not the pinned UUID-A, which is now named a: it is not bound\n"
     "error GP-E206 gpu/slot3: slot3 is not changed: slot3/0 belongs to VM 'b', which has another UUID than its binding pins"
     ": shut it down yourself, or leave the GPU as it is\n"},
    {"another UUID, and off", another_uuid_off_on_the_way,
     HELD_UP("slot3/7 belongs to VM 'b', which has another UUID than its binding pins"
             ": take that out of its definition, or leave the GPU as it is"),
     "error GP-D808 vm/b: 'b' has UUID UUID-B, not the pinned UUID-A, which is now named a: it is not bound\n"
     "error GP-E206 gpu/slot3: slot3 is not changed: slot3/7 belongs to VM 'b', which has another UUID than its binding pins"
     ": take that out of its definition, or leave the GPU as it is\n"},
    {"never to be touched, and off, and what it has will be there again", never_vm_off_and_back,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/1\nb: left alone\n",
     "note GP-E406 vm/b: 'b' is bound by 'desktops' but is in neverTouch of this host: it is left alone\n"},
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
};

GP_ROWS(resolve, bindings, rows)
{
    resolve_row_check(&rows[*i]);
}
