#include "sysfs.h"

#include "cleanup.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CLASS_BRIDGE 0x06

const char *gp_sysfs_pci(struct gp_arena *mem, struct gp_pci address, const char *leaf)
{
    return gp_printf(mem, "sys/bus/pci/devices/%s%s%s", gp_pci_text(mem, address), leaf ? "/" : "",
                     leaf ? leaf : "");
}

struct gp_error *gp_sysfs_group(struct gp_host *host, struct gp_arena *mem, const char *path,
                                int32_t *ret)
{
    const char *name;
    struct gp_error *err = gp_host_readlink(host, mem, path, &name);

    if (err)
        return err;
    *ret = name && *name && strspn(name, "0123456789") == strlen(name) && strlen(name) < 10
               ? (int32_t)strtol(name, NULL, 10)
               : -1;
    return NULL;
}

bool gp_sysfs_is_vf_link(const char *name)
{
    const char *number = name + strlen("virtfn");
    size_t digits;

    if (!gp_starts_with(name, "virtfn"))
        return false;
    digits = strspn(number, "0123456789");
    return digits && !number[digits] && digits <= strlen("65535") && (number[0] != '0' || digits == 1);
}

struct gp_error *gp_sysfs_vfs(struct gp_host *host, struct gp_arena *mem, struct gp_pci pf,
                              struct gp_sysfs_vf **ret, size_t *ret_count)
{
    const char *dir = gp_sysfs_pci(mem, pf, NULL);
    struct gp_sysfs_vf *vfs = NULL;
    struct gp_strings names;
    size_t count = 0;
    struct gp_error *err = gp_host_list(host, mem, dir, &names);

    if (err)
        return err;
    for (size_t i = 0; i < names.count; i++) {
        const char *number = names.items[i] + strlen("virtfn"), *target;
        struct gp_sysfs_vf vf = {0};

        if (!gp_sysfs_is_vf_link(names.items[i]))
            continue;
        err = gp_host_readlink(host, mem, gp_printf(mem, "%s/%s", dir, names.items[i]), &target);
        if (err)
            return err;
        if (!target) /* gone since the listing */
            continue;
        vf.index = (uint32_t)strtoul(number, NULL, 10);
        if (!gp_pci_parse(target, &vf.address))
            return gp_error_new(GP_E_IO, "%s/%s leads to '%s', which is no PCI address", dir,
                                names.items[i], target);
        *gp_push(mem, vfs, count) = vf;
    }
    *ret = vfs;
    *ret_count = count;
    return NULL;
}

bool gp_sysfs_driver_yields(const char *driver)
{
    return !driver || gp_streq(driver, "vfio-pci") || gp_streq(driver, "pci-stub") ||
           gp_streq(driver, "pci-pf-stub");
}

/* With @any, whatever the driver. */
static struct gp_error *find_other(struct gp_host *host, struct gp_arena *mem, int32_t group, bool any,
                                   bool (*own)(const void *closure, struct gp_pci address), const void *closure,
                                   const char **ret)
{
    struct gp_strings names;
    struct gp_error *err;

    *ret = NULL;
    if (group < 0)
        return NULL;
    err = gp_host_list(host, mem, gp_printf(mem, "sys/kernel/iommu_groups/%d/devices", group), &names);
    for (size_t i = 0; !err && i < names.count; i++) {
        struct gp_pci address;
        const char *driver;
        uint64_t class;

        if (!gp_pci_parse(names.items[i], &address) || own(closure, address))
            continue;
        err = gp_host_readlink(host, mem, gp_sysfs_pci(mem, address, "driver"), &driver);
        if (err || (!any && gp_sysfs_driver_yields(driver)))
            continue;
        err = gp_host_read_u64(host, gp_sysfs_pci(mem, address, "class"), &class);
        if (!err && class >> 16 != CLASS_BRIDGE) {
            *ret = any ? names.items[i] : gp_printf(mem, "%s (driver %s)", names.items[i], driver);
            return NULL;
        }
    }
    return err;
}

struct gp_error *gp_sysfs_foreigner(struct gp_host *host, struct gp_arena *mem, int32_t group,
                                    bool (*own)(const void *closure, struct gp_pci address),
                                    const void *closure, const char **ret)
{
    return find_other(host, mem, group, false, own, closure, ret);
}

struct gp_error *gp_sysfs_group_mate(struct gp_host *host, struct gp_arena *mem, int32_t group,
                                     bool (*own)(const void *closure, struct gp_pci address),
                                     const void *closure, const char **ret)
{
    return find_other(host, mem, group, true, own, closure, ret);
}
