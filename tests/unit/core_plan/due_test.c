/* A step is due once its turn has come in what was planned, whatever is left of that by then. */
#include "rows.h"

#include "arena.h"
#include "cleanup.h"
#include "plan.h"

#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

enum { STEPS_MAX = 8 };

/* Its place in plan->sets, which it gets if it is new. */
static uint32_t set_of(struct gp_arena *mem, struct gp_plan *plan, const char *id)
{
    for (uint32_t n = 0; n < plan->set_count; n++)
        if (!strcmp(plan->sets[n].id, id))
            return n;
    gp_push(mem, plan->sets, plan->set_count)->id = gp_strdup(mem, id);
    return (uint32_t)plan->set_count - 1;
}

/* "stop:a,0 start:a,1 up:x,0@u": steps with the VM or unit that they are for, after a comma their wave, and after an @
 * their set, if it is not that of most. */
static struct gp_plan plan_of(struct gp_arena *mem, const char *text)
{
    static const struct {
        const char *name;
        enum gp_step_kind kind;
        bool unit;
    } kinds[] = {
        {"stop", GP_STEP_STOP_VM, false}, {"rebind", GP_STEP_REBIND, false},
        {"mark", GP_STEP_MARK, false},    {"start", GP_STEP_START_VM, false},
        {"down", GP_STEP_STOP_UNIT, true}, {"up", GP_STEP_START_UNIT, true},
    };
    struct gp_plan plan = {.steps = gp_new_array(mem, struct gp_step, STEPS_MAX)};
    char kind[16], object[16], set[16];
    unsigned wave;

    for (int length, more; *text; text += length + (text[length] == ' ')) {
        struct gp_step *step = &plan.steps[plan.step_count++];

        cr_assert(sscanf(text, "%15[a-z]:%15[a-z],%u%n", kind, object, &wave, &length) == 3, "%s", text);
        strcpy(set, "most");
        if (sscanf(text + length, "@%15[a-z]%n", set, &more) == 1)
            length += more;
        step->set = set_of(mem, &plan, set);
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
            if (!strcmp(kinds[i].name, kind)) {
                step->kind = kinds[i].kind;
                *(kinds[i].unit ? &step->unit : &step->vm) = gp_strdup(mem, object);
            }
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
    {"a unit's start has its turn", "up:x,0@u down:x,0 up:x,1", 1, "up:x,0", "1", true},
    /* It ran in the middle of a set that needs it off, which then found it in its way and was taken back. */
    {"that it has in another set", "up:x,0@u stop:a,0 down:x,0 start:a,2 up:x,2", 0, "stop:a,0 down:x,0 start:a,2 up:x,2", "1100", true},
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
