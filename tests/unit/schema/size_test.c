/* Memory against size: 10 times as many VMs take about 10 times as much, however many hosts there are. Time is measured by
 * tests/bench. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "cleanup.h"
#include "schema.h"
#include "text.h"

#include <string.h>

enum { HOSTS = 300 };

static void add_cluster(struct gp_text *text, unsigned hosts)
{
    gp_text_add(text, "apiVersion: gpupart/v1\nkind: GpuCluster\nmetadata: {name: c}\nspec:\n  hosts:\n");
    for (unsigned n = 0; n < hosts; n++)
        gp_text_addf(text, "    - {name: kvm-%03u}\n", n);
    gp_text_add(text, "  pools:\n    - name: p\n      mode: partitioned\n      match: {model: NVIDIA A2}\n"
                      "      partitions: {count: 4}\n");
}

static void add_binding(struct gp_text *text, unsigned number)
{
    gp_text_addf(text, "---\napiVersion: gpupart/v1\nkind: GpuBinding\nmetadata: {name: b-%u, cluster: c}\n"
                       "spec:\n  pool: p\n  vms:\n", number);
}

static void add_vm(struct gp_text *text, unsigned number, unsigned hosts)
{
    gp_text_addf(text, "    - {name: vm-%06u, host: kvm-%03u}\n", number, number % hosts);
}

/* All @vms in one document. */
static const char *in_one(struct gp_arena *mem, unsigned vms, unsigned hosts)
{
    struct gp_text text = {.mem = mem};

    add_cluster(&text, hosts);
    add_binding(&text, 0);
    for (unsigned n = 0; n < vms; n++)
        add_vm(&text, n, hosts);
    return gp_text_get(&text);
}

/* A document for each of @vms. */
static const char *in_many(struct gp_arena *mem, unsigned vms, unsigned hosts)
{
    struct gp_text text = {.mem = mem};

    add_cluster(&text, hosts);
    for (unsigned n = 0; n < vms; n++) {
        add_binding(&text, n);
        add_vm(&text, n, hosts);
    }
    return gp_text_get(&text);
}

static size_t bytes_of(const char *text)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_load load;

    gp_load_init(&load, mem, false, true);
    gp_load_file(&load, "fleet.yaml", text, strlen(text));
    gp_load_finish(&load);
    cr_assert(eq(sz, load.finding_count, 0));
    return gp_arena_used(mem);
}

Test(size, memory_is_linear)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const size_t small = bytes_of(in_one(mem, 10000, HOSTS)), large = bytes_of(in_one(mem, 100000, HOSTS));

    cr_assert(lt(sz, large, 11 * small));
    cr_assert(lt(sz, large, (size_t)64 << 20));
}

Test(size, memory_of_a_binding_is_the_same_on_few_hosts_and_on_many)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const size_t few = bytes_of(in_many(mem, 9000, 1)), many = bytes_of(in_many(mem, 9000, HOSTS));

    cr_assert(lt(sz, many, few + ((size_t)1 << 20)));
}
