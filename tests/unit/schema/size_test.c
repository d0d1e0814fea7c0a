/* Cost against size: what is told about 10 times as many VMs costs about 10 times as much. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "cleanup.h"
#include "schema.h"
#include "text.h"

#include <string.h>
#include <time.h>
#include <yaml.h>

static double seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static char *fleet(struct gp_arena *mem, unsigned vms)
{
    struct gp_text text = {.mem = mem};

    gp_text_add(&text,
                "apiVersion: gpupart/v1\nkind: GpuCluster\nmetadata: {name: c}\nspec:\n  hosts:\n");
    for (unsigned n = 0; n < 300; n++)
        gp_text_addf(&text, "    - {name: kvm-%03u}\n", n);
    gp_text_add(
        &text, "  pools:\n    - name: p\n      mode: partitioned\n      match: {model: NVIDIA A2}\n"
               "      partitions: {count: 4}\n---\napiVersion: gpupart/v1\nkind: GpuBinding\n"
               "metadata: {name: b, cluster: c}\nspec:\n  pool: p\n  vms:\n");
    for (unsigned n = 0; n < vms; n++)
        gp_text_addf(&text, "    - {name: vm-%06u, host: kvm-%03u}\n", n, n % 300);
    return text.chars;
}

static double load(const char *text, size_t *ret_bytes)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_load load;
    double begin = seconds();

    gp_load_init(&load, mem, false, true);
    gp_load_file(&load, "fleet.yaml", text, strlen(text));
    gp_load_finish(&load);
    begin = seconds() - begin;
    cr_assert(eq(sz, load.finding_count, 0));
    *ret_bytes = gp_arena_used(mem);
    return begin;
}

/* The floor: libyaml reads the same text, and nothing is done with it. */
static double scan(const char *text)
{
    const double begin = seconds();
    yaml_parser_t parser;
    bool done = false;

    yaml_parser_initialize(&parser);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, strlen(text));
    while (!done) {
        yaml_event_t event;

        cr_assert(yaml_parser_parse(&parser, &event));
        done = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return seconds() - begin;
}

Test(size, memory_is_linear_and_time_near_the_floor)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    char *small = fleet(mem, 10000), *large = fleet(mem, 100000);
    size_t small_bytes, large_bytes;
    double floor, time;

    (void)load(small, &small_bytes);
    time = load(large, &large_bytes);
    floor = scan(large);
    (void)fprintf(stderr, "100,000 VMs: %.0f ms, bare scan %.0f ms, ratio %.2f; %zu KiB kept\n",
                  time * 1e3, floor * 1e3, time / floor, large_bytes >> 10);
    cr_assert(lt(sz, large_bytes, 11 * small_bytes));
    cr_assert(lt(sz, large_bytes, (size_t)64 << 20));
#ifndef GP_SANITIZE
    cr_assert(lt(dbl, time, 3 * floor));
#endif
}
