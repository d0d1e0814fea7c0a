#include "model.h"

#include "text.h"

#include <string.h>

bool gp_strings_have(const struct gp_strings *strings, const char *text)
{
    for (size_t i = 0; i < strings->count; i++)
        if (gp_streq(strings->items[i], text))
            return true;
    return false;
}

int gp_pci_compare(struct gp_pci a, struct gp_pci b)
{
    if (a.domain != b.domain)
        return a.domain < b.domain ? -1 : 1;
    if (a.bus != b.bus)
        return a.bus < b.bus ? -1 : 1;
    if (a.device != b.device)
        return a.device < b.device ? -1 : 1;
    return a.function < b.function ? -1 : a.function > b.function;
}

const char *gp_pci_text(struct gp_arena *mem, struct gp_pci address)
{
    return gp_printf(mem, "%04x:%02x:%02x.%x", (unsigned)address.domain, (unsigned)address.bus,
                     (unsigned)address.device, (unsigned)address.function);
}

/* Reads @digits lower-case hex digits; false if there are fewer. */
static bool read_hex(const char **text, size_t digits, uint32_t *ret)
{
    uint32_t value = 0;

    for (; digits > 0; digits--, (*text)++) {
        char c = **text;

        if (c >= '0' && c <= '9')
            value = value << 4 | (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            value = value << 4 | (uint32_t)(c - 'a' + 10);
        else
            return false;
    }
    *ret = value;
    return true;
}

bool gp_pci_parse(const char *text, struct gp_pci *ret)
{
    size_t domain_digits = strcspn(text, ":");
    uint32_t domain, bus, device, function;

    if (domain_digits < 4 || domain_digits > 8 || (domain_digits > 4 && text[0] == '0'))
        return false;
    if (!read_hex(&text, domain_digits, &domain) || *text++ != ':' || !read_hex(&text, 2, &bus) ||
        *text++ != ':' || !read_hex(&text, 2, &device) || *text++ != '.' ||
        !read_hex(&text, 1, &function) || *text || device > 31 || function > 7)
        return false;
    *ret = (struct gp_pci){domain, (uint8_t)bus, (uint8_t)device, (uint8_t)function};
    return true;
}

struct gp_pci gp_pci_vf(struct gp_pci pf, uint32_t offset, uint32_t stride, uint32_t index)
{
    uint32_t routing_id = ((uint32_t)pf.bus << 8 | (uint32_t)pf.device << 3 | pf.function) + offset +
                          stride * index;

    return (struct gp_pci){pf.domain, (uint8_t)(routing_id >> 8), routing_id >> 3 & 31,
                           routing_id & 7};
}

bool gp_device_eq(struct gp_device a, struct gp_device b)
{
    if (a.kind != b.kind)
        return false;
    switch (a.kind) {
    case GP_DEVICE_PCI:
        return gp_pci_compare(a.pci, b.pci) == 0;
    case GP_DEVICE_MDEV:
        return gp_streq(a.uuid, b.uuid);
    case GP_DEVICE_NONE:
        break;
    }
    return false;
}

const char *gp_device_text(struct gp_arena *mem, struct gp_device device)
{
    switch (device.kind) {
    case GP_DEVICE_PCI:
        return gp_pci_text(mem, device.pci);
    case GP_DEVICE_MDEV:
        return device.uuid;
    case GP_DEVICE_NONE:
        break;
    }
    return "none";
}

static bool is_uuid(const char *text)
{
    static const uint8_t groups[] = {8, 4, 4, 4, 12};
    uint32_t ignored;

    for (size_t n = 0; n < sizeof groups; n++) {
        if (n > 0 && *text++ != '-')
            return false;
        if (!read_hex(&text, groups[n], &ignored))
            return false;
    }
    return !*text;
}

bool gp_device_parse(const char *text, struct gp_device *ret)
{
    struct gp_pci pci;

    if (gp_streq(text, "none")) {
        *ret = (struct gp_device){.kind = GP_DEVICE_NONE};
        return true;
    }
    if (gp_pci_parse(text, &pci)) {
        *ret = (struct gp_device){.kind = GP_DEVICE_PCI, .pci = pci};
        return true;
    }
    if (is_uuid(text)) {
        *ret = (struct gp_device){.kind = GP_DEVICE_MDEV, .uuid = text};
        return true;
    }
    return false;
}

struct gp_gpu *gp_have_gpu(const struct gp_have *have, const char *id)
{
    for (size_t n = 0; n < have->gpu_count; n++)
        if (gp_streq(have->gpus[n].id, id))
            return &have->gpus[n];
    return NULL;
}

struct gp_vm *gp_have_vm(const struct gp_have *have, const char *uuid)
{
    for (size_t n = 0; n < have->vm_count; n++)
        if (gp_streq(have->vms[n].uuid, uuid))
            return &have->vms[n];
    return NULL;
}

struct gp_partition *gp_gpu_partition(const struct gp_gpu *gpu, uint32_t index)
{
    for (size_t n = 0; n < gpu->partition_count; n++)
        if (gpu->partitions[n].index == index)
            return &gpu->partitions[n];
    return NULL;
}

struct gp_unit *gp_have_unit(const struct gp_have *have, const char *name)
{
    for (size_t n = 0; n < have->unit_count; n++)
        if (gp_streq(have->units[n].name, name))
            return &have->units[n];
    return NULL;
}

/* gp_device_eq() where it is asked a hundred times for each VM: most devices differ in the function or the slot. */
static bool is_device(const struct gp_device *have, const struct gp_device *device)
{
    if (device->kind == GP_DEVICE_PCI &&
        (have->pci.function != device->pci.function || have->pci.device != device->pci.device))
        return false;
    return gp_device_eq(*have, *device);
}

bool gp_have_find(const struct gp_have *have, struct gp_device device, struct gp_gpu **ret_gpu,
                  struct gp_partition **ret_partition)
{
    for (size_t n = 0; n < have->gpu_count; n++) {
        struct gp_gpu *gpu = &have->gpus[n];

        if (device.kind == GP_DEVICE_PCI && gp_pci_compare(device.pci, gpu->address) == 0) {
            *ret_gpu = gpu;
            *ret_partition = NULL;
            return true;
        }
        for (size_t p = 0; p < gpu->partition_count; p++)
            if (is_device(&gpu->partitions[p].device, &device)) {
                *ret_gpu = gpu;
                *ret_partition = &gpu->partitions[p];
                return true;
            }
    }
    return false;
}

const char *gp_partition_symbol(struct gp_arena *mem, const char *gpu_id, uint32_t index)
{
    return gp_printf(mem, "%s/%u", gpu_id, (unsigned)index);
}

bool gp_partition_symbol_parse(struct gp_arena *mem, const char *symbol, const char **ret_gpu_id,
                               uint32_t *ret_index)
{
    const char *slash = strrchr(symbol, '/');
    const char *digits = slash ? slash + 1 : "";
    uint64_t index = 0;

    if (!*digits || slash == symbol || (digits[0] == '0' && digits[1]))
        return false;
    for (; *digits; digits++) {
        if (*digits < '0' || *digits > '9')
            return false;
        index = index * 10 + (uint64_t)(*digits - '0');
        if (index > UINT32_MAX)
            return false;
    }
    *ret_gpu_id = gp_strndup(mem, symbol, (size_t)(slash - symbol));
    *ret_index = (uint32_t)index;
    return true;
}

/* With the room that gp_grow() takes for granted: copies are pushed to. */
static void *copy_array(struct gp_arena *mem, const void *items, size_t count, size_t size)
{
    size_t room = 8;
    void *copy;

    if (!count)
        return NULL;
    while (room < count)
        room *= 2;
    copy = gp_arena_alloc(mem, room * size);
    memcpy(copy, items, count * size);
    return copy;
}

#define COPY_ARRAY(mem, items, count) copy_array((mem), (items), (count), sizeof *(items))

struct gp_have *gp_have_copy(struct gp_arena *mem, const struct gp_have *have)
{
    struct gp_have *copy = gp_memdup(mem, have, sizeof *have);

    copy->gpus = COPY_ARRAY(mem, have->gpus, have->gpu_count);
    for (size_t n = 0; n < copy->gpu_count; n++) {
        struct gp_gpu *gpu = &copy->gpus[n];

        gpu->partitions = COPY_ARRAY(mem, gpu->partitions, gpu->partition_count);
        gpu->valid = COPY_ARRAY(mem, gpu->valid, gpu->valid_count);
    }
    copy->vms = COPY_ARRAY(mem, have->vms, have->vm_count);
    for (size_t n = 0; n < copy->vm_count; n++) {
        struct gp_vm *vm = &copy->vms[n];

        vm->live = COPY_ARRAY(mem, vm->live, vm->live_count);
        vm->persistent_devs = COPY_ARRAY(mem, vm->persistent_devs, vm->persistent_count);
        if (vm->mark)
            vm->mark = gp_memdup(mem, vm->mark, sizeof *vm->mark);
    }
    copy->units = COPY_ARRAY(mem, have->units, have->unit_count);
    return copy;
}
