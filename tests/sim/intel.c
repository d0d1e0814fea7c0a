#include "sim.h"

void sim_intel_bound(struct device *dev)
{
    (void)dev;
}

void sim_intel_unbound(struct device *dev)
{
    (void)dev;
}

void sim_intel_vf(struct device *vf, bool present)
{
    (void)vf;
    (void)present;
}
