/* Examples of gp_resolve(): what is risky, or odd about GPUs and guests that stand side by side, and the words it is
 * told in. */
#include "rows.h"
#include "resolve_rows.h"

#include "text.h"

/* ---- risks ---- */

static void console(struct world *world)
{
    world->cluster.pools[0].mode = GP_MODE_PASSTHROUGH;
    world->have.gpus[0].boot_vga = true;
}

static void group_of_two(struct world *world)
{
    world->cluster.pools[0].mode = GP_MODE_PASSTHROUGH;
    world->have.gpus[0].shares_group = "0000:04:00.0";
}

static void vfs_in_one_group(struct world *world)
{
    world->have.gpus[0].partitions[2].group = world->have.gpus[0].partitions[1].group;
}

static void vf_in_another_gpus_group(struct world *world)
{
    world_gpu(world, 4)->model = "NVIDIA L4";
    world->cluster.pools[0].match.model = "NVIDIA A2";
    world->have.gpus[0].partitions[0].group = world->have.gpus[1].group;
}

static void vfs_in_one_group_accepted(struct world *world)
{
    vfs_in_one_group(world);
    world->cluster.accept_risk = GP_RISK_SHARED_GROUP;
}

static void in_no_group(struct world *world)
{
    for (size_t n = 0; n < world->have.gpus[0].partition_count; n++)
        world->have.gpus[0].partitions[n].group = -1;
}

static void unreadable(struct world *world)
{
    world_gpu(world, 4);
    world->have.gpus[0].status = GP_GPU_UNKNOWN;
    world->have.gpus[0].mechanism = NULL;
    world->have.gpus[0].reason = "reading sys/x: Input/output error";
}

/* ---- paravirtual ---- */

static void no_render_node(struct world *world)
{
    world->cluster.pools[0].mode = GP_MODE_PARAVIRTUAL;
    world->have.gpus[0].driver = "vfio-pci";
}

static void render_node(struct world *world)
{
    world->cluster.pools[0].mode = GP_MODE_PARAVIRTUAL;
    world->have.gpus[0].render_node = "renderD128";
}

/* ---- side by side ---- */

/* A second pool "cad" of the GPU in slot 4. */
static struct gp_gpu *second_pool(struct world *world)
{
    struct gp_gpu *gpu = world_gpu(world, 4);

    world_pool(world, "cad", 4, "4");
    *gp_push(world->mem, world->cluster.pools[0].select.slots.items, world->cluster.pools[0].select.slots.count) = "3";
    world->cluster.pools[0].match.model = "NVIDIA A2";
    gpu->model = "NVIDIA P40";
    world->cluster.homogeneity = GP_HOMOGENEITY_WARN;
    return gpu;
}

static void two_vendors(struct world *world)
{
    struct gp_gpu *gpu = second_pool(world);

    gpu->vendor = 0x8086;
    gpu->model = "Intel Arc Pro B50";
}

static void two_vendors_enforced(struct world *world)
{
    two_vendors(world);
    world->cluster.homogeneity = GP_HOMOGENEITY_ENFORCE;
}

static void two_families(struct world *world)
{
    second_pool(world)->family = "pascal";
    world->have.gpus[0].family = "ampere";
}

static void two_families_enforced(struct world *world)
{
    two_families(world);
    world->cluster.homogeneity = GP_HOMOGENEITY_ENFORCE;
}

static void two_families_ignored(struct world *world)
{
    two_families(world);
    world->cluster.homogeneity = GP_HOMOGENEITY_IGNORE;
}

static void other_vendor_whole(struct world *world)
{
    two_vendors(world);
    world->cluster.pools[1].mode = GP_MODE_PARAVIRTUAL;
    world->have.gpus[1].render_node = "renderD128";
}

static void alike_and_cut_otherwise(struct world *world)
{
    world_pool(world, "vdi", 4, "3");
    world->cluster.pools[0] = world->cluster.pools[1];
    world->cluster.pool_count = 1;
    world->cluster.pools[0].match.model = "NVIDIA A2";
    world_cut(world, world_gpu(world, 4), 2, 0);
}

static void unknown_model(struct world *world)
{
    world->have.gpus[0].model = NULL;
}

static void mdevctl(struct world *world)
{
    world->have.gpus[0].other_tool = "mdevctl (etc/mdevctl.d/0000:03:00.0)";
}

/* ---- guests ---- */

static void old_guest(struct world *world)
{
    world->have.vms[0].guest_os = "http://microsoft.com/win/7";
    world->have.vms[1].guest_os = "http://microsoft.com/win/11";
}

static void unknown_guest(struct world *world)
{
    world->have.vms[0].guest_os = "http://openbsd.org/openbsd/7.5";
    world->have.vms[1].guest_os = "http://ubuntu.com/ubuntu/24.04";
}

static void asks_for_encode(struct world *world)
{
    world->declaration.bindings[0]->encode.min = 2;
    world->declaration.bindings[0]->compute.max = 50;
}

static void guests_are_saved(struct world *world)
{
    world->have.guests_saved = "/etc/default/libvirt-guests";
}

static void guests_are_saved_but_have_no_gpu(struct world *world)
{
    guests_are_saved(world);
    world->declaration.binding_count = 0;
}

#define AS_DECLARED "slot3: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/1\n"
/* A GPU that is blocked, and the two VMs with it. */
#define BLOCKED(rule, why) "slot3: " rule " " why "\na: " rule " " why "\nb: " rule " " why "\n"

static const struct resolve_row rows[] = {
    {"the console goes with it", console,
     BLOCKED("GP-E120", "slot3 shows this host's console; if it is to go, the cluster says 'acceptRisk: "
                        "[boot-display]'"),
     "error GP-E120 gpu/slot3: slot3 shows this host's console; if it is to go, the cluster says 'acceptRisk: "
     "[boot-display]'\n"},
    {"another device in its group", group_of_two,
     BLOCKED("GP-E120", "slot3 shares IOMMU group 127 with 0000:04:00.0, so that a guest could reach what is not its "
                        "own; if that is meant, the cluster says 'acceptRisk: [shared-iommu-group]'"),
     "error GP-E120 gpu/slot3: slot3 shares IOMMU group 127 with 0000:04:00.0, so that a guest could reach what is not "
     "its own; if that is meant, the cluster says 'acceptRisk: [shared-iommu-group]'\n"},
    {"two partitions in one group", vfs_in_one_group,
     BLOCKED("GP-E120", "slot3/1 shares IOMMU group 97 with slot3/2, so that a guest could reach what is not its own; "
                        "if that is meant, the cluster says 'acceptRisk: [shared-iommu-group]'"),
     "error GP-E120 gpu/slot3: slot3/1 shares IOMMU group 97 with slot3/2, so that a guest could reach what is not its "
     "own; if that is meant, the cluster says 'acceptRisk: [shared-iommu-group]'\n"},
    {"a partition in another GPU's group", vf_in_another_gpus_group,
     "slot3: GP-E120 slot3/0 shares IOMMU group 159 with slot4, so that a guest could reach what is not its own; if that "
     "is meant, the cluster says 'acceptRisk: [shared-iommu-group]'\n"
     "slot4: left alone\n"
     "a: GP-E120 slot3/0 shares IOMMU group 159 with slot4, so that a guest could reach what is not its own; if that is "
     "meant, the cluster says 'acceptRisk: [shared-iommu-group]'\n"
     "b: GP-E120 slot3/0 shares IOMMU group 159 with slot4, so that a guest could reach what is not its own; if that is "
     "meant, the cluster says 'acceptRisk: [shared-iommu-group]'\n",
     "error GP-E120 gpu/slot3: slot3/0 shares IOMMU group 159 with slot4, so that a guest could reach what is not its "
     "own; if that is meant, the cluster says 'acceptRisk: [shared-iommu-group]'\n"},
    {"two partitions in one group, accepted", vfs_in_one_group_accepted, AS_DECLARED, ""},
    {"what cannot be read is left alone, and its neighbour is not", unreadable,
     "slot3: GP-E506 slot3 cannot be read, so any may hold it: reading sys/x: Input/output error\n"
     "slot4: partitioned 4 NVIDIA A2-4Q\na: slot4/0\nb: slot4/1\n",
     "error GP-E506 gpu/slot3: slot3 cannot be read, so any may hold it: reading sys/x: Input/output error\n"},
    {"no groups at all", in_no_group, AS_DECLARED, ""},

    {"paravirtual without a render node", no_render_node,
     BLOCKED("GP-E113", "slot3 has no render node, which sharing it needs: driver vfio-pci makes none; it has to be on a "
                        "graphics driver of this host (such as xe, i915, amdgpu or nvidia-drm)"),
     "error GP-E113 gpu/slot3: slot3 has no render node, which sharing it needs: driver vfio-pci makes none; it has to "
     "be on a graphics driver of this host (such as xe, i915, amdgpu or nvidia-drm)\n"},
    {"paravirtual with a render node", render_node,
     BLOCKED("GP-E113", "slot3 could be shared through /dev/dri/renderD128, but this version of gpupart writes no "
                        "virtio-gpu into definitions: its VMs are left as they are"),
     "error GP-E113 gpu/slot3: slot3 could be shared through /dev/dri/renderD128, but this version of gpupart writes no "
     "virtio-gpu into definitions: its VMs are left as they are\n"},

    {"two vendors", two_vendors,
     "slot3: partitioned 4 NVIDIA A2-4Q\nslot4: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/1\n",
     "warning GP-E207 pool/cad: pools 'vdi' and 'cad' partition GPUs of different vendors\n"},
    {"two vendors, enforced", two_vendors_enforced,
     "slot3: partitioned 4 NVIDIA A2-4Q\n"
     "slot4: GP-E207 pools 'vdi' and 'cad' partition GPUs of different vendors\na: slot3/0\nb: slot3/1\n",
     "error GP-E207 gpu/slot4: pools 'vdi' and 'cad' partition GPUs of different vendors\n"},
    {"two families", two_families,
     "slot3: partitioned 4 NVIDIA A2-4Q\nslot4: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/1\n",
     "warning GP-E208 pool/cad: pools 'vdi' and 'cad' partition GPUs of different families\n"},
    {"two families, enforced", two_families_enforced,
     "slot3: partitioned 4 NVIDIA A2-4Q\n"
     "slot4: GP-E208 pools 'vdi' and 'cad' partition GPUs of different families\na: slot3/0\nb: slot3/1\n",
     "error GP-E208 gpu/slot4: pools 'vdi' and 'cad' partition GPUs of different families\n"},
    {"two families, ignored", two_families_ignored,
     "slot3: partitioned 4 NVIDIA A2-4Q\nslot4: partitioned 4 NVIDIA A2-4Q\na: slot3/0\nb: slot3/1\n", ""},
    {"another vendor's GPU beside them, undivided", other_vendor_whole,
     "slot3: partitioned 4 NVIDIA A2-4Q\n"
     "slot4: GP-E113 slot4 could be shared through /dev/dri/renderD128, but this version of gpupart writes no virtio-gpu "
     "into definitions: its VMs are left as they are\na: slot3/0\nb: slot3/1\n",
     "error GP-E113 gpu/slot4: slot4 could be shared through /dev/dri/renderD128, but this version of gpupart writes no "
     "virtio-gpu into definitions: its VMs are left as they are\n"
     "warning GP-W209 pool/cad: slot4 of pool 'cad' is of another vendor than the partitioned GPUs (slot3)\n"},
    {"a GPU like those of the pool, cut otherwise", alike_and_cut_otherwise,
     "slot3: partitioned 4 NVIDIA A2-4Q\nslot4: left alone\na: slot3/0\nb: slot3/1\n",
     "warning GP-W203 pool/vdi: pool 'vdi' leaves out GPUs of kvm-a that fit it: slot4\n"
     "warning GP-W204 gpu/slot4: slot4 is like slot3 of pool 'vdi' and in no pool: it stays 'partitioned 2 NVIDIA "
     "A2-8Q', and the pool's are 'partitioned 4 NVIDIA A2-4Q'\n"},
    {"not in the catalogue", unknown_model, AS_DECLARED,
     "warning GP-W111 gpu/slot3: slot3 (10de:25b6) is not in the catalogue: only what its driver tells is known of "
     "it\n"},
    {"set up by mdevctl too", mdevctl, AS_DECLARED,
     "warning GP-W310 gpu/slot3: slot3 of pool 'vdi' is set up by mdevctl (etc/mdevctl.d/0000:03:00.0) too: take it out "
     "there, or the GPU out of the pool\n"},

    {"a guest that is too old", old_guest, AS_DECLARED,
     "warning GP-W312 vm/a: 'a' runs http://microsoft.com/win/7, for which there is no driver of a partition: it will "
     "see a device that it cannot use\n"},
    {"a guest that nobody knows", unknown_guest, AS_DECLARED,
     "note GP-W311 vm/a: 'a' runs http://openbsd.org/openbsd/7.5, of which it is not known here whether it has a driver "
     "of a partition\n"},
    {"what no driver tells is asked for", asks_for_encode, AS_DECLARED,
     "warning GP-E308 pool/vdi: binding 'desktops' asks for 'compute', of which no driver on kvm-a tells a range: it is "
     "neither checked nor set\n"
     "warning GP-E308 pool/vdi: binding 'desktops' asks for 'encode', of which no driver on kvm-a tells a range: it is "
     "neither checked nor set\n"},
    {"guests are saved at shutdown", guests_are_saved, AS_DECLARED,
     "warning GP-E320 host: libvirt-guests saves guests when kvm-a shuts down, which the 2 with a GPU cannot be: write "
     "ON_SHUTDOWN=shutdown into /etc/default/libvirt-guests\n"},
    {"guests are saved at shutdown, but have no GPU", guests_are_saved_but_have_no_gpu,
     "slot3: partitioned 4 NVIDIA A2-4Q\na: left alone\nb: left alone\n", ""},
};

GP_ROWS(resolve, odd, rows)
{
    resolve_row_check(&rows[*i]);
}
