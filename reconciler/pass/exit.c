#include "pass.h"

int gp_exit_worse(int a, int b)
{
    static const int worst_first[] = {
        GP_EXIT_NOT_RESTORED, GP_EXIT_RESTORED, GP_EXIT_FAILURE, GP_EXIT_CONFIG,     GP_EXIT_PERMISSION,
        GP_EXIT_USAGE,        GP_EXIT_REBOOT,   GP_EXIT_INVALID, GP_EXIT_REFUSED,    GP_EXIT_INCOMPLETE,
        GP_EXIT_LOCKED,       GP_EXIT_DIFFERENCES,
    };

    for (size_t i = 0; i < sizeof worst_first / sizeof *worst_first; i++)
        if (a == worst_first[i] || b == worst_first[i])
            return worst_first[i];
    return GP_EXIT_OK;
}

int gp_exit_of(enum gp_errc code)
{
    switch (code) {
    case GP_E_INVALID:
        return GP_EXIT_INVALID;
    case GP_E_REFUSED:
        return GP_EXIT_REFUSED;
    case GP_E_LOCKED:
        return GP_EXIT_LOCKED;
    case GP_E_HUNG:
        return GP_EXIT_REBOOT;
    case GP_E_PERM:
        return GP_EXIT_PERMISSION;
    case GP_E_CONFIG:
        return GP_EXIT_CONFIG;
    default:
        return GP_EXIT_FAILURE;
    }
}

bool gp_pass_incomplete(const struct gp_pass *pass)
{
    const struct gp_have *have = pass->have;

    for (size_t i = 0; i < have->gpu_count; i++)
        if (have->gpus[i].status == GP_GPU_UNKNOWN && (!pass->goal || pass->goal->gpus[i].managed))
            return true;
    return have->vms_unknown;
}
