#include "rows.h"

#include "cleanup.h"
#include "mdev/types.h"
#include "nvidia/types.h"
#include "settle.h"
#include "text.h"

static const struct {
    const char *text;
    int count; /* -1: an error */
    uint32_t last_id;
    const char *last_name;
} lists[] = {
    {"ID    : vGPU Name\n1145  : NVIDIA L40S-1B\n2164  : NVIDIA L40S-3B\n\n", 2, 2164, "NVIDIA L40S-3B"},
    {"ID    : vGPU Name\n", 0, 0, NULL},
    {"", 0, 0, NULL},
    {"ID    : vGPU Name\n12345678: NVIDIA RTX Pro 6000 Blackwell DC-1-24Q\n", 1, 12345678,
     "NVIDIA RTX Pro 6000 Blackwell DC-1-24Q"},
    {"ID    : vGPU Name\n746:NVIDIA A2-4Q  ", 1, 746, "NVIDIA A2-4Q"},
    {"ID    : vGPU Name\nno type\n", -1, 0, NULL},
    {"ID    : vGPU Name\n0     : nothing\n", -1, 0, NULL},
    {"ID    : vGPU Name\n746 \n", -1, 0, NULL},
    {"ID    : vGPU Name\n746x : NVIDIA\n", -1, 0, NULL},
    {"ID    : vGPU Name\n746   : \n", -1, 0, NULL},
    {"ID    : vGPU Name\n4294967296 : NVIDIA\n", -1, 0, NULL},
};

GP_ROWS(types, creatable_lists, lists)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_nvidia_type *types = NULL;
    size_t count = 0;
    struct gp_error *err = gp_nvidia_types_parse(mem, lists[*i].text, &types, &count);

    cr_assert(eq(int, err ? -1 : (int)count, lists[*i].count), "%s", err ? err->message : "no error");
    gp_error_free(err);
    if (lists[*i].count > 0) {
        cr_assert(eq(u32, types[count - 1].id, lists[*i].last_id));
        cr_assert(eq(str, (char *)types[count - 1].name, (char *)lists[*i].last_name));
    }
}

static const struct {
    const char *name;
    uint32_t vram_mib, count;
} counts[] = {
    {"NVIDIA L40S-3B", 49152, 16},
    {"NVIDIA L40S-1Q", 49152, 32}, /* not 48: 32 at most */
    {"NVIDIA A2-16C", 16384, 1},
    {"GRID A100-40C", 40960, 1},
    {"NVIDIA A30-2-12CME", 24576, 0}, /* MIG */
    {"NVIDIA RTX Pro 6000 Blackwell DC-1-24Q", 98304, 0},
    {"NVIDIA RTX6000-24Q", 24576, 1},
    {"NVIDIA A2-32Q", 16384, 0},
    {"NVIDIA A2", 16384, 0},
    {"NVIDIA A2-4", 16384, 0},
    {"NVIDIA A2-Q", 16384, 0},
    {"NVIDIA A2-0Q", 16384, 0},
    {"NVIDIA A2-99999Q", 16384, 0},
    {"-4Q", 16384, 4},
    {"", 16384, 0},
    {"NVIDIA A2-4Q", 0, 0},
};

GP_ROWS(types, counts_from_names, counts)
{
    cr_assert(eq(u32, gp_nvidia_type_count(counts[*i].name, counts[*i].vram_mib), counts[*i].count), "%s",
              counts[*i].name);
}

static const struct {
    const char *text;
    uint32_t max_instance, framebuffer_mib;
} descriptions[] = {
    {"num_heads=4, frl_config=60, framebuffer=4096M, max_resolution=7680x4320, max_instance=4", 4, 4096},
    {"low_gm_size: 128MB\nhigh_gm_size: 512MB\nfence: 4", 0, 0},
    {"", 0, 0},
    {"max_instance=", 0, 0},
    {"xmax_instance=7", 0, 0},
    {"xmax_instance=7, max_instance=3", 3, 0},
    {"max_instance=99999999999", 0, 0},
};

GP_ROWS(types, descriptions_of_mdev_types, descriptions)
{
    struct gp_mdev_type type = {0};

    gp_mdev_description_parse(descriptions[*i].text, &type);
    cr_assert(eq(u32, type.max_instance, descriptions[*i].max_instance), "%s", descriptions[*i].text);
    cr_assert(eq(u32, type.framebuffer_mib, descriptions[*i].framebuffer_mib));
}

static const struct {
    const char *a;
    uint32_t a_type;
    const char *b;
    uint32_t b_type;
    bool same;
} profiles[] = {
    {"NVIDIA A2-4Q", 746, "NVIDIA A2-4Q", 746, true}, {"GRID A2-4Q", 0, "NVIDIA A2-4Q", 746, true},
    {"NVIDIA A2-4Q", 746, "NVIDIA A2-4Q", 747, false}, {"NVIDIA A2-4Q", 0, "NVIDIA A2-4C", 0, false},
    {"NVIDIA A2-4Q", 0, NULL, 0, false},              {NULL, 0, NULL, 0, true},
    {"other", 5, "name", 5, true},
};

GP_ROWS(types, profiles_are_the_same_by_number_or_last_word, profiles)
{
    cr_assert(eq(int, gp_profile_eq(profiles[*i].a, profiles[*i].a_type, profiles[*i].b, profiles[*i].b_type),
                 profiles[*i].same));
}
