#include "objects.h"

#include "discover.h"
#include "text.h"

#include <string.h>

bool gp_cli_is_object(const char *what)
{
    return gp_streq(what, "host") || (gp_starts_with(what, "vm/") && what[strlen("vm/")]) ||
           (gp_starts_with(what, "gpu/") && what[strlen("gpu/")]);
}

struct gp_error *gp_cli_gpu(struct gp_pass *pass, const char *name, const char **ret)
{
    struct gp_text known = {.mem = pass->mem};
    struct gp_gpu *gpus = NULL;
    size_t count = 0;
    struct gp_error *err = gp_discover(&pass->host, pass->mem, &gpus, &count);

    if (err)
        return err;
    for (size_t i = 0; i < count; i++) {
        if (gp_streq(gpus[i].id, name) || gp_streq(gp_pci_text(pass->mem, gpus[i].address), name)) {
            *ret = gp_printf(pass->mem, "gpu/%s", gpus[i].id);
            return NULL;
        }
        gp_text_addf(&known, "%sgpu/%s", i ? ", " : "", gpus[i].id);
    }
    return gp_error_new(GP_E_GONE, "there is no GPU '%s' on this host; there is %s", name,
                        count ? gp_text_get(&known) : "none at all");
}

static struct gp_error *find_vm(struct gp_pass *pass, const char *name, const char **ret)
{
    const char **names;
    const char *nearest;
    struct gp_error *err = gp_pass_observe(pass, &pass->host, pass->mem, &pass->have);

    if (err)
        return err;
    *ret = gp_printf(pass->mem, "vm/%s", name);
    if (pass->have->vms_unknown) {
        (void)fprintf(stderr, "gpupart: warning: whether there is a VM '%s' cannot be told: %s\n", name,
                      pass->have->vms_reason);
        return NULL;
    }
    names = gp_new_array(pass->mem, const char *, pass->have->vm_count + 1);
    for (size_t i = 0; i < pass->have->vm_count; i++) {
        names[i] = pass->have->vms[i].name;
        if (gp_streq(names[i], name))
            return NULL;
    }
    nearest = gp_nearest(name, names);
    return gp_error_new(GP_E_GONE, "there is no VM '%s' on this host%s%s%s", name, nearest ? "; did you mean '" : "",
                        nearest ? nearest : "", nearest ? "'?" : "");
}

struct gp_error *gp_cli_object(struct gp_pass *pass, const char *what, const char **ret)
{
    if (gp_streq(what, "host")) {
        *ret = "host";
        return NULL;
    }
    if (gp_starts_with(what, "gpu/"))
        return gp_cli_gpu(pass, what + strlen("gpu/"), ret);
    if (gp_starts_with(what, "vm/"))
        return find_vm(pass, what + strlen("vm/"), ret);
    return gp_error_new(GP_E_INVALID, "'%s' is not host, vm/NAME or gpu/ADDRESS", what);
}
