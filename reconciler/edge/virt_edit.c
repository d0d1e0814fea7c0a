/* One edit of a persistent definition, from libvirt and back to it.
 *
 * libvirt has no "define if it is still that": what another program defines between our last look
 * and our define is lost to ours. So the look comes right before the define, with nothing but a
 * comparison in between; some tens of microseconds on a local socket remain. What is defined after
 * ours is seen by reading back. */
#include "virt_private.h"

#include "cleanup.h"
#include "domain.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

struct edit_job {
    struct gp_job job;
    struct gp_arena *mem; /* its own: it may outlive the caller's */
    struct gp_edit edit;
    const char *name; /* NULL while unknown */
};

static struct gp_device copy_device(struct gp_arena *mem, struct gp_device device)
{
    device.uuid = gp_strdup(mem, device.uuid);
    return device;
}

static struct gp_edit copy_edit(struct gp_arena *mem, const struct gp_edit *edit)
{
    return (struct gp_edit){
        .kind = edit->kind,
        .uuid = gp_strdup(mem, edit->uuid),
        .before = copy_device(mem, edit->before),
        .after = copy_device(mem, edit->after),
        .mark =
            {
                .host = gp_strdup(mem, edit->mark.host),
                .vm = gp_strdup(mem, edit->mark.vm),
                .binding = gp_strdup(mem, edit->mark.binding),
                .pool = gp_strdup(mem, edit->mark.pool),
                .partition = gp_strdup(mem, edit->mark.partition),
                .device = copy_device(mem, edit->mark.device),
            },
    };
}

static void edit_free(struct gp_job *job)
{
    struct edit_job *edit = (struct edit_job *)job;

    gp_arena_free(edit->mem);
    free(edit);
}

/* Secure: without it passwords would be missing, and defining what is missing removes them. */
static struct gp_error *read_definition(virDomainPtr domain, char **ret)
{
    *ret = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE);
    return *ret ? NULL : gp_virt_error();
}

/* Validates against libvirt's schema where the driver can. A definition from an older libvirt may
 * not fit today's schema in parts that are none of our business: it is defined all the same, and
 * what we changed is read back anyway. The same where the schema itself cannot be read.
 * Fact, seen with libvirt 9.0 and libxml2 2.9: of the first two definitions that a libvirtd is asked to validate at the same
 * time one may fail with "Unable to parse RNG ... is not exported by type library", an internal error, since libxml2 makes its
 * table of types when it first needs it, without a lock. */
static bool not_validated(void)
{
    const int code = virGetLastErrorCode();

    return gp_virt_unsupported() || code == VIR_ERR_XML_INVALID_SCHEMA || code == VIR_ERR_INTERNAL_ERROR;
}

/* No lock of ours around it: what waited for one would have compared the definition too long ago. */
static struct gp_error *define(virConnectPtr conn, const char *xml)
{
    virDomainPtr domain = virDomainDefineXMLFlags(conn, xml, VIR_DOMAIN_DEFINE_VALIDATE);

    if (!domain && not_validated())
        domain = virDomainDefineXMLFlags(conn, xml, 0);
    if (!domain)
        return gp_virt_error();
    (void)virDomainFree(domain);
    return NULL;
}

static struct gp_error *edit_one(struct edit_job *edit, virDomainPtr domain)
{
    gp_cleanup(gp_free_p) char *before = NULL, *again = NULL, *now = NULL;
    const char *after;
    struct gp_error *err;

    if (virDomainIsPersistent(domain) == 0)
        return gp_error_new(GP_E_UNSUPPORTED, "it is transient: it has no definition to edit");
    err = read_definition(domain, &before);
    if (err)
        return err;
    err = gp_domain_edit(edit->mem, before, &edit->edit, &after);
    if (err)
        return err;
    err = read_definition(domain, &again);
    if (err)
        return err;
    if (!gp_streq(before, again))
        return gp_error_new(GP_E_CHANGED, "somebody else edited it just now");
    if (atomic_load(&edit->job.given_up))
        return gp_error_new(GP_E_TIMEOUT, "nobody waits for it any more");
    err = define(edit->job.virt->conn, after);
    if (err)
        return err;
    err = read_definition(domain, &now);
    if (err)
        return err;
    return gp_domain_check(edit->mem, now, &edit->edit);
}

static void edit_run(struct gp_job *job)
{
    gp_cleanup(gp_virt_domain_free_p) virDomainPtr domain = NULL;
    struct edit_job *edit = (struct edit_job *)job;

    job->err = gp_virt_lookup(job->virt->conn, edit->edit.uuid, &domain);
    if (job->err)
        return;
    edit->name = gp_strdup(edit->mem, virDomainGetName(domain));
    job->err = edit_one(edit, domain);
}

struct gp_error *gp_virt_edit(struct gp_virt *virt, const struct gp_edit *edit)
{
    struct gp_error *err = gp_virt_usable(virt, true);
    struct edit_job *job;

    if (err)
        return err;
    job = calloc(1, sizeof *job);
    if (!job)
        abort();
    job->mem = gp_arena_new();
    job->edit = copy_edit(job->mem, edit);
    job->job.run = edit_run;
    job->job.free = edit_free;
    if (gp_job_do(&job->job, virt, GP_VIRT_CALL_MS, "editing a definition; it may still be defined",
                  &err)) {
        err = gp_steal(job->job.err);
        if (err)
            err = gp_error_wrap(err, "vm %s was not edited", job->name ? job->name : edit->uuid);
    } else {
        err = gp_error_wrap(err, "vm %s was not edited", edit->uuid);
    }
    gp_job_put(&job->job);
    return err;
}
