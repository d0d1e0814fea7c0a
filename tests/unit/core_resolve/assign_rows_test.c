/* Examples of gp_resolve(): which partition a VM gets, and the words it is told in. */
#include "rows.h"
#include "resolve_rows.h"

#include "text.h"

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

/* Both are defined with what the second was given; the first was reverted to an earlier definition. */
static void reverted(struct world *world)
{
    world_cut(world, &world->have.gpus[0], 4, 0);
    world_give(world, &world->have.vms[0], &world->have.gpus[0], 2, true);
    world_give(world, &world->have.vms[1], &world->have.gpus[0], 2, true);
    world_applied(world, gp_printf(world->mem, "vm/%s", world->have.vms[0].uuid), "slot3/1");
    world_applied(world, gp_printf(world->mem, "vm/%s", world->have.vms[1].uuid), "slot3/2");
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

/* Of a GPU that is not there; the one that is has one partition. */
static void gpu_gone(struct world *world)
{
    struct gp_vm *vm = &world->have.vms[1];

    after_a_reboot(world);
    vm->mark->partition = "slot9/2";
    world->cluster.pools[0].count = 1;
}

static void gpu_gone_and_may_do_without(struct world *world)
{
    gpu_gone(world);
    world->declaration.bindings[0]->without_gpu = true;
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

static void cut_otherwise_by_us(struct world *world)
{
    world_cut(world, &world->have.gpus[0], 8, 0);
    world_applied(world, "gpu/slot3", "partitioned 8 NVIDIA A2-2Q");
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

/* VFs @first to @last of slot3 are in one IOMMU group, and that is accepted. */
static void share_group(struct world *world, uint32_t first, uint32_t last)
{
    for (uint32_t n = first; n <= last; n++)
        gp_gpu_partition(&world->have.gpus[0], n)->group = 1000 + (int32_t)first;
    world->cluster.accept_risk = GP_RISK_SHARED_GROUP;
}

static void neighbour_runs(struct world *world)
{
    struct gp_gpu *gpu = &world->have.gpus[0];

    world_cut(world, gpu, 4, 0);
    share_group(world, 0, 3);
    world_give(world, &world->have.vms[0], gpu, 0, true);
    world_run(world, &world->have.vms[0]);
    for (uint32_t n = 0; n < 4; n++)
        gp_gpu_partition(gpu, n)->held = GP_HELD_YES; /* so the kernel has it */
}

static void neighbour_is_defined(struct world *world)
{
    world_cut(world, &world->have.gpus[0], 4, 0);
    share_group(world, 0, 2);
    world_give(world, &world->have.vms[1], &world->have.gpus[0], 2, true);
}

static void neighbour_leaves(struct world *world)
{
    neighbour_is_defined(world);
    world->declaration.bindings[0]->vm_count = 1;
    share_group(world, 0, 3);
}

static void neighbour_remembered(struct world *world)
{
    remembered(world);
    world_cut(world, &world->have.gpus[0], 4, 0);
    share_group(world, 0, 1);
    world_give(world, &world->have.vms[0], &world->have.gpus[0], 1, true);
}

static void pairs(struct world *world)
{
    share_group(world, 0, 1);
    share_group(world, 2, 3);
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

static const struct resolve_row rows[] = {
    {"made by hand, on other VFs, is accepted", hand_made,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/3\nb: slot3/5\n", ""},
    {"given another pool's by hand", by_hand_elsewhere,
     "slot3: partitioned 4 NVIDIA A2-4Q\nslot4: left alone\na: slot3/0\n"
     "b: GP-E301 'b' was given slot4/0 by hand; a VM has one partition: take it away, or the binding "
     "'desktops'\n",
     "error GP-E301 vm/b: 'b' was given slot4/0 by hand; a VM has one partition: take it away, or the "
     "binding 'desktops'\n"
     "warning GP-W203 pool/vdi: pool 'vdi' leaves out GPUs of kvm-a that fit it: slot4\n"
     "warning GP-W204 gpu/slot4: slot4 is like slot3 of pool 'vdi' and in no pool: it stays 'partitioned 2 "
     "NVIDIA A2-8Q', and the pool's are 'partitioned 4 NVIDIA A2-4Q'\n"},
    {"what it had is remembered", remembered,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/1\nb: slot3/0\n", ""},
    {"who was reverted moves nobody", reverted,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/1\nb: slot3/2\n", ""},
    {"unless somebody else has it now", remembered_but_taken,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/1\nb: slot3/2\nc: left alone\n", ""},
    {"a mdev that is gone is known by its mark", after_a_reboot,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/2\n", ""},
    {"the device of a GPU that is gone stays, so that nobody starts without one", gpu_gone,
     "slot3: partitioned 1 NVIDIA A2-16Q\na: slot3/0\n"
     "b: GP-E201 the GPU of 'b' is gone, and there is no other for it: 3deab9a4-0000-5000-8000-000000000001 stays in its "
     "definition, so that it does not start without a GPU (ifUnrestorable of binding 'desktops': stay-down)\n",
     "error GP-E201 vm/b: the GPU of 'b' is gone, and there is no other for it: 3deab9a4-0000-5000-8000-000000000001 "
     "stays in its definition, so that it does not start without a GPU (ifUnrestorable of binding 'desktops': "
     "stay-down)\n"},
    {"unless it may", gpu_gone_and_may_do_without, "slot3: partitioned 1 NVIDIA A2-16Q\na: slot3/0\nb: pending\n",
     "warning GP-W306 pool/vdi: pool 'vdi' has 1 partitions on kvm-a, 1 of them for its 2 VMs; pending: b; "
     "valid counts of slot3: 1, 2, 4, 8, 16\n"},
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
     "slot3: GP-E206 slot3 is not changed: slot3/7 belongs to VM 'c', which no binding names: "
     "take that out of its definition, or leave the GPU as it is\n"
     "a: GP-E206 slot3 is not changed: slot3/7 belongs to VM 'c', which no binding names: "
     "take that out of its definition, or leave the GPU as it is\n"
     "b: GP-E206 slot3 is not changed: slot3/7 belongs to VM 'c', which no binding names: "
     "take that out of its definition, or leave the GPU as it is\n"
     "c: left alone\n",
     "error GP-E206 gpu/slot3: slot3 is not changed: slot3/7 belongs to VM 'c', which no binding names: "
     "take that out of its definition, or leave the GPU as it is\n"},
    {"one GPU of two cannot be cut anew", one_of_two_on_the_way,
     "slot3: GP-E507 slot3 is not changed: slot3/7 belongs to VM 'b', which may not be stopped: a backup is "
     "running\n"
     "slot4: partitioned 4 NVIDIA A2-4Q\na: slot4/0\n"
     "b: GP-E507 slot3 is not changed: slot3/7 belongs to VM 'b', which may not be stopped: a backup is "
     "running\n",
     "error GP-E507 gpu/slot3: slot3 is not changed: slot3/7 belongs to VM 'b', which may not be stopped: a "
     "backup is running\n"},
    /* It was given slot3/1, and stopped for it; then it could not start: the group was busy. */
    {"one VM has an IOMMU group", neighbour_runs, "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: pending\n",
     "warning GP-W306 pool/vdi: pool 'vdi' has 4 partitions on kvm-a, 1 of them for its 2 VMs; pending: b; "
     "valid counts of slot3: 1, 2, 4, 8, 16; slot3/0 and slot3/1 are in one IOMMU group, and such partitions go to "
     "one VM\n"},
    {"also while it is off", neighbour_is_defined, "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/3\nb: slot3/2\n", ""},
    {"until it leaves", neighbour_leaves, "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: -\n", ""},
    {"what is remembered is another's by now", neighbour_remembered,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/1\nb: slot3/2\n", ""},
    {"each of two gets a group", pairs, "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/2\n", ""},
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

GP_ROWS(resolve, assignment, rows)
{
    resolve_row_check(&rows[*i]);
}
