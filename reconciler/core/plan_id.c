/* One short name for what a plan does: the same for everybody who computes it, whenever. */
#include "planner.h"

#include "text.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    return gp_strcmp(*(const char *const *)a, *(const char *const *)b);
}

static const char *uuid_of(const struct gp_have *have, const char *name)
{
    for (size_t n = 0; n < have->vm_count; n++)
        if (gp_streq(have->vms[n].name, name))
            return have->vms[n].uuid;
    return name;
}

static void add_step(struct gp_text *text, const struct gp_step *step, const struct gp_have *have)
{
    const char **uuids = gp_new_array(text->mem, const char *, step->vms.count + 1);
    const char *symbol = step->vm     ? step->vm
                         : step->unit ? step->unit
                         : step->gpu  ? step->gpu
                                      : "host";

    gp_text_add(text, symbol);
    if (!step->vm && step->partition >= 0)
        gp_text_addf(text, "/%lld", (long long)step->partition);
    gp_text_addf(text, "\t%s\t%s\t%s\t%s", gp_step_kind_name(step->kind),
                 step->before ? step->before : "-", step->after ? step->after : "-",
                 gp_class_name(step->class));
    for (size_t n = 0; n < step->vms.count; n++)
        uuids[n] = uuid_of(have, step->vms.items[n]);
    qsort(uuids, step->vms.count, sizeof *uuids, compare);
    for (size_t n = 0; n < step->vms.count; n++)
        gp_text_addf(text, "\t%s", uuids[n]);
    gp_text_add(text, "\n");
}

const char *gp_plan_id(struct gp_arena *mem, const struct gp_plan *plan, const struct gp_have *have)
{
    struct gp_text text = {.mem = mem};

    gp_text_add(&text, "gpupart plan\n");
    for (size_t n = 0; n < plan->step_count; n++)
        add_step(&text, &plan->steps[n], have);
    return gp_sha256_hex(mem, gp_text_get(&text), text.size, 12);
}
