/* Domain XML: reading what matters of it, and the one edit that gpupart makes. Pure: text in, text
 * out.
 *
 * Fact: a guest's owner may write parts of what libvirt stores (descriptions, metadata), so the
 * text is parsed as hostile: no document type, no entities of its own, no network, bounded depth
 * and size. */
#pragma once

#include "model.h"
#include "redact.h"
#include "virt.h"

/* An alias of ours is the prefix and a decimal number. Fact: libvirt docs/formatdomain.rst,
 * "Devices": aliases that users give begin with "ua-" and hold letters, digits, '_' and '-' only;
 * others are dropped. */
#define GP_ALIAS_PREFIX "ua-gpupart-"
/* The mark, in the domain's <metadata>, where libvirt keeps one element of each namespace:
 *
 *   <gpupart:binding xmlns:gpupart="https://gpupart.org/xmlns/mark/1"
 *       host="MACHINE-ID" vm="DOMAIN-UUID" binding="desktops" pool="vdi">
 *     <gpupart:device source="0000:08:00.4" partition="slot3/2"/>
 *   </gpupart:binding>
 *
 * It has one device for each hostdev of ours, so that several GPUs of one domain are told apart. */
#define GP_MARK_URI "https://gpupart.org/xmlns/mark/1"

/* What one definition says. */
struct gp_domain_facts {
    const char *name, *uuid; /* uuid lower case */
    bool running;            /* the definition of a running domain: it has an id */
    uint64_t memory_kib;     /* the maximum, which VFIO pins whole */
    bool agent_channel, agent_connected;
    const char *on_poweroff; /* "destroy" unless the definition says otherwise */
    bool on_poweroff_destroy;
    bool block_job;            /* a disk is being mirrored */
    const char *guest_os;      /* the id that libosinfo's metadata has of it, or NULL */
    const char *other_manager; /* "OpenStack Nova (http://…)", or NULL */
    struct gp_mark *mark;      /* of the first device if it has several; NULL: none */
    bool mark_fits;            /* the mark names @machine_id and this domain, and is the only one */
    uint64_t numa_nodes;           /* bit n: its memory is bound to node n of the host; 0: not bound */
    const struct gp_numbers *cpus; /* CPUs of the host that its own are pinned to; NULL: not pinned */
    struct gp_hostdev *devs; /* PCI and mdev, in document order; also those given to QEMU by hand */
    size_t dev_count;
};

/* Reads @xml. hostdev.ours is judged with @machine_id (NULL: nothing is ours). GP_E_INVALID for
 * what is no domain. */
struct gp_error *gp_domain_read(struct gp_arena *mem, const char *xml, size_t size,
                                const char *machine_id, struct gp_domain_facts *ret) GP_MUST_CHECK;

/* @xml with @edit done, in @mem; the text is @xml's own, byte for byte as libxml2 prints it, where
 * nothing changes. An edit that is done already gives the same definition. GP_E_REFUSED if the
 * hostdev that should leave is not ours, or QEMU's arguments give its device, GP_E_CHANGED if the one
 * that should be there is not, one is there that should not, or is there twice, GP_E_INVALID for what
 * is no domain. */
struct gp_error *gp_domain_edit(struct gp_arena *mem, const char *xml, const struct gp_edit *edit,
                                const char **ret) GP_MUST_CHECK;

/* NULL if @xml is as @edit should have left it, else GP_E_CHANGED saying what is not. */
struct gp_error *gp_domain_check(struct gp_arena *mem, const char *xml,
                                 const struct gp_edit *edit) GP_MUST_CHECK;

/* The canonical form (C14N, blanks between elements dropped) without what an edit may change:
 * hostdevs with an alias of ours, the mark, and PCI Express ports that nothing else sits in, which
 * libvirt adds with a hostdev and leaves behind; controllers, whose order libvirt changes, come
 * last and sorted. Two definitions that differ in nothing else have the same one. */
struct gp_error *gp_domain_canonical(struct gp_arena *mem, const char *xml,
                                     const char **ret) GP_MUST_CHECK;

/* What gpupart looks at and nothing else of it, for captures: no passwords, no paths, no
 * descriptions, no arguments, whatever the definition holds. Reading it gives the same facts as
 * reading @xml. With @redact (NULL: without) with stand-ins, and the same facts but for those. */
struct gp_error *gp_domain_outline(struct gp_arena *mem, const char *xml, struct gp_redact *redact,
                                   const char **ret) GP_MUST_CHECK;
