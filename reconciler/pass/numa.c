#include "numa.h"

#include "numbers.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

enum { NODES = 64 }; /* as many as gp_vm.numa_nodes has bits */

struct node {
    unsigned number;
    struct gp_numbers cpus;
};

/* "node1" in sys/devices/system/node. */
static bool node_number(const char *name, unsigned *ret)
{
    char *end;
    unsigned long number;

    if (!gp_starts_with(name, "node") || name[4] < '0' || name[4] > '9')
        return false;
    number = strtoul(name + 4, &end, 10);
    *ret = (unsigned)number;
    return !*end && number < NODES;
}

static size_t read_nodes(struct gp_host *host, struct gp_arena *mem, struct node **ret)
{
    static const char dir[] = "sys/devices/system/node";
    struct gp_strings names = {0};
    size_t count = 0;
    struct gp_error *err = gp_host_list(host, mem, dir, &names);

    for (size_t i = 0; !err && i < names.count; i++) {
        struct node node = {0};
        const char *cpus = NULL;
        struct gp_error *unread;

        if (!node_number(names.items[i], &node.number))
            continue;
        unread = gp_host_read(host, mem, gp_printf(mem, "%s/%s/cpulist", dir, names.items[i]), &cpus);
        if (!unread && gp_numbers_add(&node.cpus, cpus))
            *gp_push(mem, *ret, count) = node;
        gp_error_free(unread);
    }
    gp_error_free(err); /* a host without NUMA: placement does without */
    return count;
}

void gp_pass_place_guests(struct gp_host *host, struct gp_arena *mem, struct gp_have *have)
{
    struct node *nodes = NULL;
    const size_t count = read_nodes(host, mem, &nodes);

    for (size_t i = 0; i < have->vm_count; i++) {
        struct gp_vm *vm = &have->vms[i];
        const bool memory_tells = vm->numa_nodes != 0;

        for (size_t n = 0; vm->cpus && !memory_tells && n < count; n++)
            if (gp_numbers_meet(vm->cpus, &nodes[n].cpus))
                vm->numa_nodes |= (uint64_t)1 << nodes[n].number;
    }
}
