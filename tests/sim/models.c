/* The GPUs that can be simulated. Ids, VF layout and types: facts/nvidia-vgpu.md sections 2 and 9,
 * facts/intel-sriov.md section 5, facts/real-world-samples.md; a type whose id is not public is
 * left out, unless it is said that its id is made up. */
#include "sim.h"

#include <string.h>

#define NVIDIA_BAR "0x0000039000000000 0x00000393ffffffff 0x000000000014220c"

/* nvidia-vgpu.md section 9. The A2 host was recorded with its compute types. */
static const struct vgpu_type a2[] = {
    {742, 1, 16, "1B", 0}, {743, 2, 8, "2B", 0}, {744, 1, 16, "1Q", 0},  {745, 2, 8, "2Q", 0},
    {746, 4, 4, "4Q", 0},  {747, 8, 2, "8Q", 0}, {748, 16, 1, "16Q", 0}, {749, 1, 16, "1A", 0},
    {750, 2, 8, "2A", 0},  {751, 4, 4, "4A", 0}, {752, 8, 2, "8A", 0},   {753, 16, 1, "16A", 0},
    {754, 4, 4, "4C", 0},  {755, 8, 2, "8C", 0}, {756, 16, 1, "16C", 0}, {0},
};

static const struct vgpu_type a16[] = {
    {709, 1, 16, "1B", 0},
    {710, 2, 8, "2B", 0},
    {711, 1, 16, "1Q", 0},
    {712, 2, 8, "2Q", 0},
    {713, 4, 4, "4Q", 0},
    {714, 8, 2, "8Q", 0},
    {715, 16, 1, "16Q", 0},
    {716, 1, 16, "1A", 0},
    {717, 2, 8, "2A", 0},
    {718, 4, 4, "4A", 0},
    {719, 8, 2, "8A", 0},
    {720, 16, 1, "16A", 0},
    {0},
};

/* As listed by a recorded A10 host: no compute types. */
static const struct vgpu_type a10[] = {
    {588, 1, 24, "1B", 0},
    {589, 2, 12, "2B", 0},
    {590, 1, 24, "1Q", 0},
    {591, 2, 12, "2Q", 0},
    {592, 3, 8, "3Q", 0},
    {593, 4, 6, "4Q", 0},
    {594, 6, 4, "6Q", 0},
    {595, 8, 3, "8Q", 0},
    {596, 12, 2, "12Q", 0},
    {597, 24, 1, "24Q", 0},
    {598, 1, 24, "1A", 0},
    {599, 2, 12, "2A", 0},
    {600, 3, 8, "3A", 0},
    {601, 4, 6, "4A", 0},
    {602, 6, 4, "6A", 0},
    {603, 8, 3, "8A", 0},
    {604, 12, 2, "12A", 0},
    {605, 24, 1, "24A", 0},
    {0},
};

/* A host with the other driver product, which has the compute types. Their ids are not public: these are made up. */
static const struct vgpu_type a10_compute[] = {
    {9101, 4, 6, "4C", 0},  {9102, 6, 4, "6C", 0},  {9103, 8, 3, "8C", 0},
    {9104, 12, 2, "12C", 0}, {9105, 24, 1, "24C", 0}, {0},
};

static const struct vgpu_type l4[] = {
    {908, 1, 24, "1B", 0},
    {909, 2, 12, "2B", 0},
    {910, 1, 24, "1Q", 0},
    {911, 2, 12, "2Q", 0},
    {912, 3, 8, "3Q", 0},
    {913, 4, 6, "4Q", 0},
    {914, 6, 4, "6Q", 0},
    {915, 8, 3, "8Q", 0},
    {916, 12, 2, "12Q", 0},
    {917, 24, 1, "24Q", 0},
    {918, 1, 24, "1A", 0},
    {919, 2, 12, "2A", 0},
    {920, 3, 8, "3A", 0},
    {921, 4, 6, "4A", 0},
    {922, 6, 4, "6A", 0},
    {923, 8, 3, "8A", 0},
    {924, 12, 2, "12A", 0},
    {925, 24, 1, "24A", 0},
    {0},
};

/* real-world-samples.md section 2, in its order. */
static const struct vgpu_type l40s[] = {
    {1145, 1, 32, "1B", 0},  {1146, 2, 24, "2B", 0},  {1147, 1, 32, "1Q", 0},
    {1148, 2, 24, "2Q", 0},  {1149, 3, 16, "3Q", 0},  {1150, 4, 12, "4Q", 0},
    {1151, 6, 8, "6Q", 0},   {1152, 8, 6, "8Q", 0},   {1153, 12, 4, "12Q", 0},
    {1154, 16, 3, "16Q", 0}, {1155, 24, 2, "24Q", 0}, {1156, 48, 1, "48Q", 0},
    {1157, 1, 32, "1A", 0},  {1158, 2, 24, "2A", 0},  {1159, 3, 16, "3A", 0},
    {1160, 4, 12, "4A", 0},  {1161, 6, 8, "6A", 0},   {1162, 8, 6, "8A", 0},
    {1163, 12, 4, "12A", 0}, {1164, 16, 3, "16A", 0}, {1165, 24, 2, "24A", 0},
    {1166, 48, 1, "48A", 0}, {2164, 3, 16, "3B", 0},  {0},
};

/* MIG-backed only: the ids of the time-sliced types are not public. */
static const struct vgpu_type rtx_pro_6000[] = {
    {1546, 2, 48, "1-2Q", 1},  {1549, 3, 32, "1-3Q", 1},  {1551, 4, 24, "1-4Q", 1},
    {1553, 6, 16, "1-6Q", 1},  {1555, 8, 12, "1-8Q", 1},  {1557, 8, 12, "1-8C", 1},
    {1558, 12, 8, "1-12Q", 1}, {1560, 12, 8, "1-12C", 1}, {1561, 24, 4, "1-24Q", 1},
    {1563, 24, 4, "1-24C", 1}, {1564, 12, 8, "2-12Q", 2}, {1566, 12, 8, "2-12C", 2},
    {1567, 16, 6, "2-16Q", 2}, {1569, 16, 6, "2-16C", 2}, {1570, 24, 4, "2-24Q", 2},
    {1572, 24, 4, "2-24C", 2}, {1573, 48, 2, "2-48Q", 2}, {1575, 48, 2, "2-48C", 2},
    {1576, 24, 4, "4-24Q", 4}, {1578, 24, 4, "4-24C", 4}, {1579, 32, 3, "4-32Q", 4},
    {1581, 32, 3, "4-32C", 4}, {1582, 48, 2, "4-48Q", 4}, {1584, 48, 2, "4-48C", 4},
    {1585, 96, 1, "4-96Q", 4}, {1587, 96, 1, "4-96C", 4}, {0},
};

/* Pre-Ampere: real-world-samples.md section 5 and catalog.yaml. */
static const struct vgpu_type p40[] = {
    {46, 1, 24, "1Q", 0},   {47, 2, 12, "2Q", 0},
    {48, 3, 8, "3Q", 0},    {49, 4, 6, "4Q", 0},
    {50, 6, 4, "6Q", 0},    {51, 8, 3, "8Q", 0},
    {52, 12, 2, "12Q", 0},  {53, 24, 1, "24Q", 0},
    {54, 1, 24, "1A", 0},   {55, 2, 12, "2A", 0},
    {56, 3, 8, "3A", 0},    {57, 4, 6, "4A", 0},
    {58, 6, 4, "6A", 0},    {59, 8, 3, "8A", 0},
    {60, 12, 2, "12A", 0},  {61, 24, 1, "24A", 0},
    {62, 1, 24, "1B", 0},   {156, 2, 12, "2B", 0},
    {215, 2, 12, "2B4", 0}, {241, 1, 24, "1B4", 0},
    {283, 4, 6, "4C", 0},   {0},
};

static const struct model models[] = {
    {"a2", "NVIDIA A2-", 0x10de, 0x25b6, 0x10de, 0x157e, 0x030200, 16, 4, 1, 16, 0, "nvidia",
     "nvidia", MECH_DEFAULT, NVIDIA_BAR, a2},
    {"a16", "NVIDIA A16-", 0x10de, 0x25b6, 0x10de, 0x14a9, 0x030200, 16, 4, 1, 16, 0, "nvidia",
     "nvidia", MECH_DEFAULT, NVIDIA_BAR, a16},
    {"a10", "NVIDIA A10-", 0x10de, 0x2236, 0x10de, 0x1482, 0x030200, 32, 4, 1, 24, 0, "nvidia",
     "nvidia", MECH_DEFAULT, NVIDIA_BAR, a10},
    {"a10-compute", "NVIDIA A10-", 0x10de, 0x2236, 0x10de, 0x1482, 0x030200, 32, 4, 1, 24, 0, "nvidia",
     "nvidia", MECH_DEFAULT, NVIDIA_BAR, a10_compute},
    {"l4", "NVIDIA L4-", 0x10de, 0x27b8, 0x10de, 0x16ca, 0x030200, 32, 4, 1, 24, 0, "nvidia",
     "nvidia", MECH_DEFAULT, NVIDIA_BAR, l4},
    {"l40s", "NVIDIA L40S-", 0x10de, 0x26b9, 0x10de, 0x1851, 0x030200, 32, 4, 1, 48, 0, "nvidia",
     "nvidia", MECH_DEFAULT, NVIDIA_BAR, l40s},
    {"rtx-pro-6000", "NVIDIA RTX Pro 6000 Blackwell DC-", 0x10de, 0x2bb5, 0x10de, 0x204e, 0x030200,
     32, 2, 1, 96, 4, "nvidia", "nvidia", MECH_DEFAULT, NVIDIA_BAR, rtx_pro_6000},
    {"p40", "GRID P40-", 0x10de, 0x1b38, 0x10de, 0x11d9, 0x030200, 0, 0, 0, 24, 0, "nvidia", NULL,
     MECH_MDEV_PF, NVIDIA_BAR, p40},
    /* How many VFs these two have is not public: the vendor's splits go to 16, and 12 is a guess.
     * Offset and stride are those of Intel's integrated GPUs. */
    {"flex-170", "", 0x8086, 0x56c0, 0x8086, 0x4905, 0x038000, 16, 1, 1, 16, 0, "i915", "i915",
     MECH_SRIOV, "0x0000039800000000 0x0000039bffffffff 0x000000000014220c", NULL},
    {"arc-pro-b50", "", 0x8086, 0xe212, 0x8086, 0x1114, 0x030000, 12, 1, 1, 16, 0, "xe", "xe",
     MECH_SRIOV, "0x0000039800000000 0x0000039bffffffff 0x000000000014220c", NULL},
    {"igpu", "", 0x8086, 0xa7a8, 0x8086, 0x2212, 0x030000, 7, 1, 1, 0, 0, "i915", "i915",
     MECH_SRIOV, "0x0000006000000000 0x000000600fffffff 0x000000000014220c", NULL},
    {"mi300x", "", 0x1002, 0x74a1, 0x1002, 0x74a1, 0x120000, 8, 16, 1, 192, 0, "gim", NULL,
     MECH_SRIOV, "0x0000040000000000 0x0000043fffffffff 0x000000000014220c", NULL},
    /* No such product: an SR-IOV GPU of which nothing else is known. */
    {"generic", "", 0x1d0f, 0xfe01, 0x1d0f, 0x0001, 0x030200, 8, 1, 1, 8, 0, "sriovgpu", NULL,
     MECH_SRIOV, "0x0000048000000000 0x00000481ffffffff 0x000000000014220c", NULL},
    /* Whole only: no SR-IOV, no types, a companion audio function. */
    {"rtx-4000", "", 0x10de, 0x1eb1, 0x10de, 0x12a0, 0x030000, 0, 0, 0, 8, 0, "nvidia", NULL,
     MECH_NONE, NVIDIA_BAR, NULL},
};

const struct model *sim_model(const char *name)
{
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        if (!strcmp(models[i].name, name))
            return &models[i];
    return NULL;
}

uint16_t sim_vf_device(const struct model *model)
{
    return model->device == 0x74a1 ? 0x74b5 : model->device; /* facts/amd-sriov.md section 5 */
}

void sim_models_print(FILE *out)
{
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        fprintf(out, "  %-14s %04x:%04x  %2u VFs, offset %u\n", models[i].name, models[i].vendor,
                models[i].device, models[i].totalvfs, models[i].offset);
}

const struct vgpu_type *sim_type(const struct model *model, unsigned id)
{
    for (const struct vgpu_type *type = model ? model->types : NULL; type && type->id; type++)
        if (type->id == id)
            return type;
    return NULL;
}
