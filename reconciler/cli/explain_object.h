/* Why a VM or a GPU is as it is: every fact that led there, in the order in which one leads to the next. */
#pragma once

#include "command.h"

/* @what: "vm/NAME", "gpu/ID" or "gpu/ADDRESS". Prints the facts, as text or JSON, and returns the exit status. */
int gp_explain_object(struct gp_cli *cli, const char *what);
