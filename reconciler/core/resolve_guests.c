/* What is known of bound guests, and of the host, that could spoil what they get; nothing here blocks anything. */
#include "resolve.h"

#include "text.h"

#include <string.h>

/* Ids as osinfo-db has them. What an id begins with decides; a longer beginning stands before a shorter one.
 * Fact: partitions need a guest driver, which vendors build for systems that their own makers still support. */
static const struct {
    const char *begins;
    bool works;
} systems[] = {
    {"http://microsoft.com/win/10", true},    {"http://microsoft.com/win/11", true},
    {"http://microsoft.com/win/2k16", true},  {"http://microsoft.com/win/2k19", true},
    {"http://microsoft.com/win/2k22", true},  {"http://microsoft.com/win/2k25", true},
    {"http://microsoft.com/", false},         {"http://ubuntu.com/ubuntu/18.04", true},
    {"http://ubuntu.com/ubuntu/2", true},     {"http://ubuntu.com/", false},
    {"http://debian.org/debian/10", true},    {"http://debian.org/debian/11", true},
    {"http://debian.org/debian/12", true},    {"http://debian.org/debian/13", true},
    {"http://redhat.com/rhel/8", true},       {"http://redhat.com/rhel/9", true},
    {"http://redhat.com/rhel/10", true},      {"http://redhat.com/rhel/", false},
    {"http://centos.org/centos-stream/", true}, {"http://rockylinux.org/rocky/", true},
    {"http://almalinux.org/almalinux/", true}, {"http://suse.com/sles/15", true},
    {"http://suse.com/sles/", false},
};

enum support { NOT_TOLD, WORKS, TOO_OLD, UNKNOWN };

/* @id NULL: the definition names no system, as most that were written by hand. */
static enum support support_of(const char *id)
{
    if (!id)
        return NOT_TOLD;
    for (size_t n = 0; n < sizeof systems / sizeof *systems; n++)
        if (gp_starts_with(id, systems[n].begins))
            return systems[n].works ? WORKS : TOO_OLD;
    return UNKNOWN;
}

static bool has_partition(struct gp_resolve *r, size_t n)
{
    const struct gp_pool_decl *pool = r->wishes[n].pool;

    return pool && pool->mode == GP_MODE_PARTITIONED && r->goal->vms[n].gpu && !r->goal->vms[n].blocked;
}

static void check_systems(struct gp_resolve *r)
{
    for (size_t n = 0; n < r->have->vm_count; n++) {
        const struct gp_vm *vm = &r->have->vms[n];
        const enum support support = support_of(vm->guest_os);

        if (!has_partition(r, n))
            continue;
        if (support == TOO_OLD)
            gp_resolve_find(r, "GP-W312", GP_LEVEL_WARNING, r->goal->vms[n].cause, gp_printf(r->mem, "vm/%s", vm->name),
                            "'%s' runs %s, for which there is no driver of a partition: it will see a device that it "
                            "cannot use",
                            vm->name, vm->guest_os);
        else if (support == UNKNOWN)
            gp_resolve_find(r, "GP-W311", GP_LEVEL_NOTE, r->goal->vms[n].cause, gp_printf(r->mem, "vm/%s", vm->name),
                            "'%s' runs %s, of which it is not known here whether it has a driver of a partition",
                            vm->name, vm->guest_os);
    }
}

/* No driver here tells how much of these a partition has. */
static void check_resources(struct gp_resolve *r)
{
    const struct gp_declaration *declaration = r->input->declaration;

    for (size_t b = 0; b < declaration->binding_count; b++) {
        const struct gp_binding_decl *binding = declaration->bindings[b];
        const struct {
            const char *name;
            struct gp_range range;
        } asked[] = {{"encode", binding->encode}, {"decode", binding->decode}, {"compute", binding->compute}};

        if (!gp_streq(binding->cluster, r->cluster->name))
            continue;
        for (size_t n = 0; n < sizeof asked / sizeof *asked; n++)
            if (asked[n].range.min || asked[n].range.optimal || asked[n].range.max)
                gp_resolve_find(r, "GP-E308", GP_LEVEL_WARNING, binding->at,
                                gp_printf(r->mem, "pool/%s", binding->pool),
                                "binding '%s' asks for '%s', of which no driver on %s tells a range: it is neither "
                                "checked nor set",
                                binding->name, asked[n].name, r->input->agent->name);
    }
}

/* A guest with a device of the host cannot be saved: at shutdown it would be left running, and then killed.
 * Fact: libvirt tools/libvirt-guests.sh.in; QEMU refuses to save a VM with a VFIO device that cannot migrate. */
static void check_shutdown(struct gp_resolve *r)
{
    size_t bound = 0;

    for (size_t n = 0; n < r->have->vm_count; n++)
        bound += r->goal->vms[n].gpu && r->goal->vms[n].managed && !r->goal->vms[n].blocked;
    if (r->have->guests_saved && bound)
        gp_resolve_find(r, "GP-E320", GP_LEVEL_WARNING, (struct gp_span){0}, "host",
                        "libvirt-guests saves guests when %s shuts down, which the %zu with a GPU cannot be: write "
                        "ON_SHUTDOWN=shutdown into %s",
                        r->input->agent->name, bound, r->have->guests_saved);
}

void gp_resolve_guests(struct gp_resolve *r)
{
    check_systems(r);
    check_resources(r);
    check_shutdown(r);
}
