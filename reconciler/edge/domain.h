/* Domain XML: reading what matters of it, and the one edit that gpupart makes. Pure: text in, text out. */
#pragma once

#include "model.h"
#include "virt.h"

#define GP_ALIAS_PREFIX "ua-gpupart-"
#define GP_MARK_URI     "https://gpupart.org/xmlns/mark/1"

/* What one definition says: hostdevs (PCI and mdev), mark, memory, on_poweroff, on_reboot, other managers'
 * metadata, agent channel. hostdev.ours is judged with @machine_id. GP_E_INVALID for XML that is none. */
struct gp_domain_facts {
    const char *name, *uuid;
    uint64_t memory_kib;
    bool agent_channel, agent_connected, on_poweroff_destroy;
    const char *other_manager; /* "another manager: https://…" namespace URI, or NULL */
    struct gp_mark *mark;
    bool mark_fits;
    struct gp_hostdev *devs;
    size_t dev_count;
};
struct gp_error *gp_domain_read(struct gp_arena *mem, const char *xml, size_t size,
                                const char *machine_id, struct gp_domain_facts *ret) GP_MUST_CHECK;

/* @xml with @edit done, in @mem. */
struct gp_error *gp_domain_edit(struct gp_arena *mem, const char *xml, const struct gp_edit *edit,
                                const char **ret) GP_MUST_CHECK;

/* A canonical form (C14N, without our hostdev, our mark and the controllers that libvirt adds for it), for
 * tests that nothing else changed and for captures. */
struct gp_error *gp_domain_canonical(struct gp_arena *mem, const char *xml, const char **ret) GP_MUST_CHECK;
