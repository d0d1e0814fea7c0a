/* Stands between the providers and the effects they may have (linked with --wrap). */
#include "laws.h"

static struct {
    enum fault fault;
    unsigned left;
    bool struck;
} armed;

void fault_arm(enum fault fault, unsigned n)
{
    armed.fault = fault;
    armed.left = n;
    armed.struck = false;
}

bool fault_disarm(void)
{
    armed.fault = FAULT_NONE;
    return armed.struck;
}

static bool is_now(void)
{
    return armed.fault != FAULT_NONE && armed.left && --armed.left == 0;
}

/* @done is what really happened, or NULL if nothing was tried. */
static struct gp_error *strike(struct gp_error *done)
{
    gp_error_free(done);
    armed.struck = true;
    return gp_error_new(GP_E_IO, "made to fail");
}

#define WRAPPED(name, parameters, arguments)                                                       \
    struct gp_error *__real_##name parameters;                                                     \
    struct gp_error *__wrap_##name parameters;                                                     \
    struct gp_error *__wrap_##name parameters                                                      \
    {                                                                                              \
        if (!is_now())                                                                             \
            return __real_##name arguments;                                                        \
        return strike(armed.fault == FAULT_REFUSED ? NULL : __real_##name arguments);              \
    }

WRAPPED(gp_host_write, (struct gp_host * host, const char *path, const char *text), (host, path, text))
WRAPPED(gp_host_write_within,
        (struct gp_host * host, const char *path, const char *text, uint32_t timeout_ms),
        (host, path, text, timeout_ms))
WRAPPED(gp_host_run, (struct gp_host * host, const char *const *argv, uint32_t timeout_ms),
        (host, argv, timeout_ms))
