// SPDX-License-Identifier: GPL-2.0-or-later
/* The vGPU types of an A2, as one was recorded, and which of them can be created. */
#include "labgpu.h"

const struct lab_profile lab_profiles[LAB_PROFILES] = {
    {742, 1, 4, 45, "NVIDIA A2-1B", "5120x2880"},   {743, 2, 4, 45, "NVIDIA A2-2B", "5120x2880"},
    {744, 1, 4, 60, "NVIDIA A2-1Q", "5120x2880"},   {745, 2, 4, 60, "NVIDIA A2-2Q", "7680x4320"},
    {746, 4, 4, 60, "NVIDIA A2-4Q", "7680x4320"},   {747, 8, 4, 60, "NVIDIA A2-8Q", "7680x4320"},
    {748, 16, 4, 60, "NVIDIA A2-16Q", "7680x4320"}, {749, 1, 1, 60, "NVIDIA A2-1A", "1280x1024"},
    {750, 2, 1, 60, "NVIDIA A2-2A", "1280x1024"},   {751, 4, 1, 60, "NVIDIA A2-4A", "1280x1024"},
    {752, 8, 1, 60, "NVIDIA A2-8A", "1280x1024"},   {753, 16, 1, 60, "NVIDIA A2-16A", "1280x1024"},
    {754, 4, 1, 60, "NVIDIA A2-4C", "4096x2400"},   {755, 8, 1, 60, "NVIDIA A2-8C", "4096x2400"},
    {756, 16, 1, 60, "NVIDIA A2-16C", "4096x2400"},
};

const struct lab_profile *lab_profile_find(u32 id)
{
    for (int i = 0; i < LAB_PROFILES; i++) {
        if (lab_profiles[i].id == id)
            return &lab_profiles[i];
    }
    return NULL;
}

/* As soon as there is one, only those of its size can be created, of any series, until the memory is gone. */
bool lab_profile_fits(const struct lab_gpu *gpu, const struct lab_profile *profile)
{
    if (gpu->profiles_in_use && gpu->profile_gib != profile->gib)
        return false;
    return (gpu->profiles_in_use + 1) * profile->gib <= gpu->model->gib;
}

void lab_profile_take(struct lab_gpu *gpu, const struct lab_profile *profile)
{
    gpu->profile_gib = profile->gib;
    gpu->profiles_in_use++;
}

void lab_profile_give_back(struct lab_gpu *gpu)
{
    gpu->profiles_in_use--;
}
