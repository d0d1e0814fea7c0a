/* The host's GPUs as sysfs lists them. */
#pragma once

#include "host.h"
#include "model.h"

/* One display-class function (base class 03, and 1200) that is not a VF. */
struct gp_scan_item {
    struct gp_pci address;
    uint16_t vendor, device, subsystem_vendor, subsystem_device;
    uint32_t class_code; /* 24 bits */
    const char *failure; /* why the rest could not be read, NULL: it was */
};

/* By address. Ids come from sysfs attributes, never from configuration space, which reads FFFF on VFs. A
 * function that vanishes while it is read is left out. GP_E_IO if the bus cannot be listed at all. */
struct gp_error *gp_scan(struct gp_host *host, struct gp_arena *mem, struct gp_scan_item **ret,
                         size_t *ret_count) GP_MUST_CHECK;
/* Where a capture has the names of its GPUs, in the form of pci.ids. */
#define GP_SCAN_NAMES "usr/share/misc/pci.ids"

enum gp_scan_name { GP_SCAN_NAME_VENDOR, GP_SCAN_NAME_DEVICE, GP_SCAN_NAME_BOTH };
/* What pci.ids calls it, the capture's own if @host is one; NULL: it does not. From @mem. */
const char *gp_scan_name(struct gp_host *host, struct gp_arena *mem, enum gp_scan_name which, uint32_t vendor,
                         uint32_t device);
/* Frees what was read of pci.ids. */
void gp_scan_forget(struct gp_host *host);
