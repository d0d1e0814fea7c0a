/* Where a device is, and who names or holds it. */
#include "resolve.h"

#include "text.h"

#include <string.h>

bool gp_spot_of_device(const struct gp_have *have, struct gp_device device, struct gp_spot *ret)
{
    struct gp_gpu *gpu;
    struct gp_partition *partition;

    if (gp_have_find(have, device, &gpu, &partition)) {
        *ret = (struct gp_spot){(size_t)(gpu - have->gpus), partition ? partition->index : 0,
                                !partition};
        return true;
    }
    for (size_t n = 0; device.kind == GP_DEVICE_PCI && n < have->gpu_count; n++) {
        gpu = &have->gpus[n];
        for (uint32_t v = 0; gpu->vf_offset && v < gpu->vf_total; v++)
            if (gp_pci_compare(gp_pci_vf(gpu->address, gpu->vf_offset, gpu->vf_stride, v),
                               device.pci) == 0) {
                *ret = (struct gp_spot){n, v, false};
                return true;
            }
    }
    return false;
}

bool gp_spot_of_symbol(const struct gp_have *have, const char *symbol, struct gp_spot *ret)
{
    for (size_t n = 0; n < have->gpu_count; n++) {
        size_t size = strlen(have->gpus[n].id);
        const char *digits;
        uint64_t index = 0;

        if (strncmp(symbol, have->gpus[n].id, size) != 0)
            continue;
        if (!symbol[size]) {
            *ret = (struct gp_spot){.gpu = n, .whole = true};
            return true;
        }
        digits = symbol + size + 1;
        if (symbol[size] != '/' || !*digits)
            continue;
        for (; *digits >= '0' && *digits <= '9' && index <= UINT32_MAX; digits++)
            index = index * 10 + (uint64_t)(*digits - '0');
        if (*digits || index > UINT32_MAX)
            continue;
        *ret = (struct gp_spot){n, (uint32_t)index, false};
        return true;
    }
    return false;
}

bool gp_spot_of_hostdev(const struct gp_have *have, const struct gp_vm *vm,
                        const struct gp_hostdev *dev, struct gp_spot *ret)
{
    if (gp_spot_of_device(have, dev->device, ret))
        return true;
    return dev->ours && vm->mark && vm->mark_fits && vm->mark->partition &&
           gp_device_eq(vm->mark->device, dev->device) &&
           gp_spot_of_symbol(have, vm->mark->partition, ret);
}

bool gp_spot_eq(struct gp_spot a, struct gp_spot b)
{
    return a.gpu == b.gpu && a.whole == b.whole && (a.whole || a.index == b.index);
}

const char *gp_spot_text(struct gp_resolve *r, struct gp_spot spot)
{
    const char *id = r->have->gpus[spot.gpu].id;

    return spot.whole ? id : gp_partition_symbol(r->mem, id, spot.index);
}

static bool any_names(const struct gp_have *have, const struct gp_vm *vm,
                      const struct gp_hostdev *devs, size_t count, struct gp_spot spot)
{
    for (size_t n = 0; n < count; n++) {
        struct gp_spot named;

        if (gp_spot_of_hostdev(have, vm, &devs[n], &named) && gp_spot_eq(named, spot))
            return true;
    }
    return false;
}

bool gp_vm_names(const struct gp_have *have, const struct gp_vm *vm, struct gp_spot spot)
{
    return any_names(have, vm, vm->persistent_devs, vm->persistent_count, spot) ||
           any_names(have, vm, vm->live, vm->live_count, spot);
}

static int32_t group_of(const struct gp_have *have, struct gp_spot spot)
{
    const struct gp_gpu *gpu = &have->gpus[spot.gpu];
    const struct gp_partition *partition = spot.whole ? NULL : gp_gpu_partition(gpu, spot.index);

    return spot.whole ? gpu->group : partition ? partition->group : -1;
}

bool gp_spots_meet(const struct gp_have *have, struct gp_spot a, struct gp_spot b)
{
    const int32_t group = group_of(have, a);

    return gp_spot_eq(a, b) || (group >= 0 && group_of(have, b) == group);
}

static bool any_meets(const struct gp_have *have, const struct gp_vm *vm, const struct gp_hostdev *devs, size_t count,
                      struct gp_spot spot)
{
    for (size_t n = 0; n < count; n++) {
        struct gp_spot named;

        if (gp_spot_of_hostdev(have, vm, &devs[n], &named) && gp_spots_meet(have, named, spot))
            return true;
    }
    return false;
}

bool gp_vm_meets(const struct gp_have *have, const struct gp_vm *vm, struct gp_spot spot)
{
    return any_meets(have, vm, vm->persistent_devs, vm->persistent_count, spot) ||
           any_meets(have, vm, vm->live, vm->live_count, spot);
}

bool gp_spot_held_by_stranger(const struct gp_have *have, struct gp_spot spot)
{
    const struct gp_gpu *gpu = &have->gpus[spot.gpu];
    const struct gp_partition *partition = spot.whole ? NULL : gp_gpu_partition(gpu, spot.index);
    enum gp_held held = spot.whole ? gpu->held : partition ? partition->held : GP_HELD_NO;

    if (held == GP_HELD_NO)
        return false;
    for (size_t n = 0; n < have->vm_count; n++)
        if (have->vms[n].power != GP_POWER_OFF &&
            any_meets(have, &have->vms[n], have->vms[n].live, have->vms[n].live_count, spot))
            return false;
    return true;
}

bool gp_claim_makes_anew(const struct gp_claim *claim, uint32_t index)
{
    for (size_t n = 0; n < claim->anew_count; n++)
        if (claim->anew[n] == index)
            return true;
    return false;
}

bool gp_claim_is_of(const struct gp_claim *claim, const struct gp_pool_decl *pool)
{
    for (size_t n = 0; n < claim->pool_count; n++)
        if (claim->pools[n] == pool)
            return true;
    return false;
}

struct gp_place_slot *gp_claim_slot(const struct gp_claim *claim, uint32_t index)
{
    for (size_t n = 0; n < claim->slot_count; n++)
        if (claim->slots[n].index == index)
            return &claim->slots[n];
    return NULL;
}

bool gp_claim_fits(const struct gp_claim *claim, const struct gp_binding_decl *binding)
{
    uint64_t vram = (uint64_t)claim->vram_mib << 20;

    return !vram || (vram >= binding->vram.min && (!binding->vram.max || vram <= binding->vram.max));
}
