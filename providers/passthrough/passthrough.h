/* A GPU that nothing here can cut: it goes to one VM as a whole, or stays with the host. */
#pragma once

#include "provider.h"

extern const struct gp_provider gp_provider_passthrough;
