#include "plan.h"

#include <assert.h>

/* A name for every value, or the build fails: one missing at the end shortens the table. */
#define NAME_TABLE(table, names)                                                                   \
    static_assert(sizeof(table) / sizeof *(table) == (names), #table " names every value")

static const char *const modes[] = {
    [GP_MODE_NONE] = "none",
    [GP_MODE_PARTITIONED] = "partitioned",
    [GP_MODE_PASSTHROUGH] = "passthrough",
    [GP_MODE_PARAVIRTUAL] = "paravirtual",
};
NAME_TABLE(modes, GP_MODE_COUNT);

const char *gp_mode_name(enum gp_mode mode)
{
    return modes[mode];
}

static const char *const classes[] = {
    [GP_CLASS_NONE] = "none",
    [GP_CLASS_VM] = "vm",
    [GP_CLASS_GPU] = "gpu",
    [GP_CLASS_HOST] = "host",
};
NAME_TABLE(classes, GP_CLASS_COUNT);

const char *gp_class_name(enum gp_class class)
{
    return classes[class];
}

static const char *const allows[] = {
    [GP_ALLOW_UNSET] = "unset",     [GP_ALLOW_REPORT] = "report", [GP_ALLOW_APPROVE] = "approve",
    [GP_ALLOW_WINDOW] = "window",   [GP_ALLOW_AUTO] = "auto",
};
NAME_TABLE(allows, GP_ALLOW_COUNT);

const char *gp_allow_name(enum gp_allow allow)
{
    return allows[allow];
}

static const char *const gpu_statuses[] = {
    [GP_GPU_PARTITIONABLE] = "Partitionable",
    [GP_GPU_PARTITIONED] = "Partitioned",
    [GP_GPU_READY_FOR_PASSTHROUGH] = "ReadyForPassthrough",
    [GP_GPU_PARAVIRTUAL] = "Paravirtual",
    [GP_GPU_NOT_ASSIGNABLE] = "NotAssignable",
    [GP_GPU_UNSUPPORTED] = "Unsupported",
    [GP_GPU_UNHEALTHY] = "Unhealthy",
    [GP_GPU_UNKNOWN] = "Unknown",
};
NAME_TABLE(gpu_statuses, GP_GPU_STATUS_COUNT);

const char *gp_gpu_status_name(enum gp_gpu_status status)
{
    return gpu_statuses[status];
}

static const char *const powers[] = {
    [GP_POWER_OFF] = "off",
    [GP_POWER_RUNNING] = "running",
    [GP_POWER_PAUSED] = "paused",
    [GP_POWER_OTHER] = "other",
};
NAME_TABLE(powers, GP_POWER_OTHER + 1);

const char *gp_holder_text(enum gp_held held, const char *holder)
{
    if (held == GP_HELD_UNKNOWN)
        return "whether anybody holds it cannot be told";
    return holder ? holder : "somebody who cannot be named";
}

const char *gp_power_name(enum gp_power power)
{
    return powers[power];
}

static const char *const unit_states[] = {
    [GP_UNIT_INACTIVE] = "inactive",
    [GP_UNIT_ACTIVE] = "active",
    [GP_UNIT_UNKNOWN] = "unknown",
};
NAME_TABLE(unit_states, GP_UNIT_UNKNOWN + 1);

const char *gp_unit_state_name(enum gp_unit_state state)
{
    return unit_states[state];
}

static const char *const levels[] = {
    [GP_LEVEL_NOTE] = "note",
    [GP_LEVEL_WARNING] = "warning",
    [GP_LEVEL_ERROR] = "error",
};
NAME_TABLE(levels, GP_LEVEL_ERROR + 1);

const char *gp_level_name(enum gp_level level)
{
    return levels[level];
}

static const char *const step_kinds[] = {
    [GP_STEP_STOP_VM] = "stop-vm",
    [GP_STEP_DETACH] = "detach",
    [GP_STEP_STOP_UNIT] = "stop-unit",
    [GP_STEP_RELEASE_PARTITION] = "release-partition",
    [GP_STEP_SET_VF_COUNT] = "set-vf-count",
    [GP_STEP_SET_MODE] = "set-mode",
    [GP_STEP_BIND_DRIVER] = "bind-driver",
    [GP_STEP_PROVISION] = "provision",
    [GP_STEP_CREATE_PARTITION] = "create-partition",
    [GP_STEP_ATTACH] = "attach",
    [GP_STEP_REBIND] = "rebind",
    [GP_STEP_MARK] = "mark",
    [GP_STEP_START_UNIT] = "start-unit",
    [GP_STEP_START_VM] = "start-vm",
};
NAME_TABLE(step_kinds, GP_STEP_COUNT);

const char *gp_step_kind_name(enum gp_step_kind kind)
{
    return step_kinds[kind];
}
