#include "records.h"

#include "text.h"

static bool has_gpu(const struct gp_record *record, const char *id)
{
    for (size_t i = 0; i < record->snapshot->gpu_count; i++)
        if (gp_streq(record->snapshot->gpus[i].id, id))
            return true;
    return false;
}

static bool has_vm(const struct gp_record *record, const char *uuid)
{
    for (size_t i = 0; i < record->snapshot->vm_count; i++)
        if (gp_streq(record->snapshot->vms[i].uuid, uuid))
            return true;
    return false;
}

bool gp_record_touches(const struct gp_record *record, const struct gp_set *set)
{
    for (size_t i = 0; i < set->gpus.count; i++)
        if (has_gpu(record, set->gpus.items[i]))
            return true;
    for (size_t i = 0; i < set->vms.count; i++)
        if (has_vm(record, set->vms.items[i]))
            return true;
    return false;
}

const struct gp_record *gp_record_of(const struct gp_pass *pass, const struct gp_set *set)
{
    for (size_t i = 0; i < pass->record_count; i++)
        if (gp_record_touches(&pass->records[i], set))
            return &pass->records[i];
    return NULL;
}

bool gp_record_any(const struct gp_pass *pass, const char *gpu_or_vm)
{
    for (size_t i = 0; i < pass->record_count; i++)
        if (has_gpu(&pass->records[i], gpu_or_vm) || has_vm(&pass->records[i], gpu_or_vm))
            return true;
    return false;
}

bool gp_record_tells_of(const struct gp_record *record, const struct gp_plan *plan, const struct gp_set *set)
{
    for (size_t i = 0; i < set->gpus.count; i++)
        if (!has_gpu(record, set->gpus.items[i]) && gp_plan_changes_gpu(plan, set->gpus.items[i]))
            return false;
    for (size_t i = 0; i < set->vms.count; i++)
        if (!has_vm(record, set->vms.items[i]))
            return false;
    return true;
}

struct gp_set gp_set_of_record(struct gp_arena *mem, const struct gp_record *record)
{
    struct gp_set set = {.id = record->set, .units = record->snapshot->units};

    for (size_t i = 0; i < record->snapshot->gpu_count; i++)
        *gp_push(mem, set.gpus.items, set.gpus.count) = record->snapshot->gpus[i].id;
    for (size_t i = 0; i < record->snapshot->vm_count; i++)
        *gp_push(mem, set.vms.items, set.vms.count) = record->snapshot->vms[i].uuid;
    return set;
}

/* What @goal wants of the objects of @set, one "key value" a line. */
static const char *goal_values(struct gp_arena *mem, const struct gp_goal *goal, const struct gp_set *set)
{
    struct gp_text text = {.mem = mem};

    for (size_t i = 0; i < goal->gpu_count; i++)
        if (gp_strings_have(&set->gpus, goal->gpus[i].id))
            gp_text_addf(&text, "gpu/%s %s\n", goal->gpus[i].id,
                         goal->gpus[i].managed ? gp_layout_value(mem, &goal->gpus[i].want) : "-");
    for (size_t i = 0; i < goal->vm_count; i++)
        if (gp_strings_have(&set->vms, goal->vms[i].uuid))
            gp_text_addf(&text, "vm/%s %s\n", goal->vms[i].uuid,
                         goal->vms[i].gpu ? gp_partition_symbol(mem, goal->vms[i].gpu, goal->vms[i].partition)
                                          : "-");
    return gp_text_get(&text);
}

const char *gp_record_goal_values(struct gp_arena *mem, const struct gp_pass *pass, const struct gp_record *record)
{
    const struct gp_set set = gp_set_of_record(mem, record);

    return goal_values(mem, pass->goal, &set);
}

bool gp_record_is_wanted(const struct gp_pass *pass, const struct gp_record *record)
{
    return pass->goal->declared && !pass->goal->refused &&
           gp_streq(record->goal_values, gp_record_goal_values(pass->mem, pass, record));
}
