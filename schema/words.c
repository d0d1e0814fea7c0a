#include "words.h"

#include "model.h"

const char *const gp_allow_words[] = {
    [GP_ALLOW_UNSET] = "",        [GP_ALLOW_REPORT] = "report", [GP_ALLOW_APPROVE] = "approve",
    [GP_ALLOW_WINDOW] = "window", [GP_ALLOW_AUTO] = "auto",     NULL};
_Static_assert(sizeof gp_allow_words / sizeof *gp_allow_words == GP_ALLOW_COUNT + 1,
               "a word for each");

const char *const gp_stop_words[] = {
    [GP_STOP_NONE] = "", [GP_STOP_AGENT] = "agent", [GP_STOP_ACPI] = "acpi", NULL};

const char *const gp_timeout_words[] = {"fail", "force", NULL};
