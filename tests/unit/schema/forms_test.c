/* How the value of a form is kept: compared as text later, so there is one way to write it. */
#include "rows.h"

#include "cleanup.h"
#include "schema.h"
#include "text.h"

#include <string.h>

static const struct {
    const char *written, *kept;
} addresses[] = {
    {"0000:08:00.0", "0000:08:00.0"},
    {"00000000:08:00.0", "0000:08:00.0"}, /* as nvidia-smi prints it */
    {"00000:0A:1F.7", "0000:0a:1f.7"},
    {"0001ABCD:08:00.0", "1abcd:08:00.0"},
    {"10000:E1:00.0", "10000:e1:00.0"}, /* VMD's domains */
    {"00100000:e1:00.0", "100000:e1:00.0"},
};

GP_ROWS(forms, pci_address, addresses)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const char *agent = gp_printf(mem,
                                  "apiVersion: gpupart/v1\nkind: GpuAgent\nmetadata: {name: a}\nspec:\n"
                                  "  cluster: c\n  neverTouch: {gpus: [\"%s\"]}\n",
                                  addresses[*i].written);
    const char *cluster = gp_printf(mem,
                                    "apiVersion: gpupart/v1\nkind: GpuCluster\nmetadata: {name: c}\nspec:\n"
                                    "  hosts: [{name: a}]\n"
                                    "  pools: [{name: p, mode: passthrough, match: {vendor: nvidia}, select: {addresses: [\"%s\"]}}]\n",
                                    addresses[*i].written);
    struct gp_load load;

    gp_load_init(&load, mem, true, true);
    gp_load_file(&load, "agent.yaml", agent, strlen(agent));
    gp_load_file(&load, "cluster.yaml", cluster, strlen(cluster));
    gp_load_finish(&load);
    cr_assert(not(load.failed), "%s", load.finding_count ? load.findings[0].message : "");
    cr_assert(eq(sz, load.agent->never_touch_gpus.count, 1));
    cr_expect(eq(str, (char *)load.agent->never_touch_gpus.items[0], (char *)addresses[*i].kept));
    cr_expect(eq(str, (char *)load.declaration.clusters[0]->pools[0].select.addresses.items[0], (char *)addresses[*i].kept));
}
