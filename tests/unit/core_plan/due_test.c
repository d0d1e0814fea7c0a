/* A step is due once its turn has come in what was planned, whatever is left of that by then. */
#include "rows.h"

#include "arena.h"
#include "cleanup.h"
#include "plan.h"

#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

enum { STEPS_MAX = 8 };

/* "stop:a start:a,1": steps with the VM that they are for and, after a comma, their wave. */
static struct gp_plan plan_of(struct gp_arena *mem, const char *text)
{
    static const struct {
        const char *name;
        enum gp_step_kind kind;
    } kinds[] = {
        {"stop", GP_STEP_STOP_VM}, {"rebind", GP_STEP_REBIND}, {"mark", GP_STEP_MARK}, {"start", GP_STEP_START_VM}};
    struct gp_plan plan = {.steps = gp_new_array(mem, struct gp_step, STEPS_MAX)};
    char kind[16], vm[16];
    unsigned wave;

    for (int length; *text; text += length + (text[length] == ' ')) {
        struct gp_step *step = &plan.steps[plan.step_count++];

        cr_assert(sscanf(text, "%15[a-z]:%15[a-z],%u%n", kind, vm, &wave, &length) == 3, "%s", text);
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
            if (!strcmp(kinds[i].name, kind))
                step->kind = kinds[i].kind;
        step->vm = gp_strdup(mem, vm);
        step->wave = wave;
        step->partition = -1;
    }
    return plan;
}

static const struct {
    const char *name, *planned;
    uint32_t wave;
    const char *fresh, *due; /* a digit for each of fresh */
    bool any;
} rows[] = {
    {"the first wave", "stop:a,0 start:a,1", 0, "stop:a,0 start:a,1", "10", true},
    {"a later one, in which it is the first that is left", "stop:a,0 start:a,1", 1, "start:a,0", "1", true},
    {"what is left comes first but has its turn later", "stop:a,0 stop:b,1 start:a,2", 1, "start:a,0 stop:b,0", "01", true},
    {"nothing has its turn", "stop:a,0 start:a,2", 1, "start:a,0", "0", false},
    {"what was planned earlier and is needed again", "stop:a,0 start:a,1", 1, "stop:a,0 start:a,1", "11", true},
    {"a mark where the device stayed what it was", "rebind:a,1 start:a,2", 1, "mark:a,0", "1", true},
    {"but no new device where there was a mark", "mark:a,1", 1, "rebind:a,0", "0", false},
    {"of another VM", "stop:a,0", 0, "stop:b,0", "0", false},
    /* On the way back this came again in each wave until "the plan did not end": the start was due and could not be done. */
    {"what is due stands behind what turned up new", "stop:a,0 start:a,1", 1, "stop:b,0 start:a,1", "01", false},
};

GP_ROWS(due, step, rows)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const struct gp_plan planned = plan_of(mem, rows[*i].planned), fresh = plan_of(mem, rows[*i].fresh);
    char text[STEPS_MAX + 1] = "";
    bool any;
    const bool *due = gp_plan_due(mem, &planned, rows[*i].wave, &fresh, &any);

    for (size_t n = 0; n < fresh.step_count; n++)
        strcat(text, due[n] ? "1" : "0");
    cr_assert(eq(str, text, (char *)rows[*i].due), "%s", rows[*i].name);
    cr_assert(eq(int, any, rows[*i].any), "%s", rows[*i].name);
}
