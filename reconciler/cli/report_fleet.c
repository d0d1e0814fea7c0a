#include "report_fleet.h"

#include "cleanup.h"
#include "clock.h"
#include "text.h"

#include <jansson.h>
#include <time.h>

/* A host is looked at about every minute, and captured by people or jobs that run every day. */
enum { OLD_HOURS = 24 };

struct fleet {
    struct gp_pass *const *passes;
    size_t count;
};

static void find(struct gp_pass *pass, const char *rule, enum gp_level level, struct gp_span at, const char *object,
                 const char *message)
{
    *gp_push(pass->mem, pass->plan->findings, pass->plan->finding_count) =
        (struct gp_finding){rule, level, at, object, message};
}

/* ---- captures ---- */

/* When @pass's capture was made, in seconds; 0: nothing tells. */
static time_t taken_at(struct gp_pass *pass)
{
    json_auto_t *manifest = json_load_file(gp_printf(pass->mem, "%s/capture.json", pass->options.root), 0, NULL);
    const char *at = json_string_value(json_object_get(manifest, "at"));
    struct tm tm = {0};
    const char *end = at ? strptime(at, "%Y-%m-%dT%H:%M:%SZ", &tm) : NULL;

    return end && !*end ? timegm(&tm) : 0;
}

static void check_age(struct gp_pass *pass)
{
    const time_t at = taken_at(pass);

    if (at && gp_realtime_us() / 1000000 > (uint64_t)at + OLD_HOURS * 3600)
        find(pass, "GP-W701", GP_LEVEL_WARNING, (struct gp_span){0}, "host",
             gp_printf(pass->mem, "what is known of %s is of %s, more than %d hours ago: capture it again (gpupart capture)",
                       pass->host_name, gp_time_text(pass->mem, (uint64_t)at * 1000000), OLD_HOURS));
}

static struct gp_pass *pass_of(const struct fleet *fleet, const char *host)
{
    for (size_t i = 0; i < fleet->count; i++)
        if (gp_streq(fleet->passes[i]->host_name, host))
            return fleet->passes[i];
    return NULL;
}

static const struct gp_cluster_decl *cluster_of(const struct gp_pass *pass)
{
    const struct gp_declaration *declaration = &pass->load.declaration;

    for (size_t i = 0; i < declaration->cluster_count; i++)
        if (gp_streq(declaration->clusters[i]->name, pass->goal->cluster))
            return declaration->clusters[i];
    return NULL;
}

static void check_missing(const struct fleet *fleet, const struct gp_cluster_decl *cluster)
{
    struct gp_pass *first = fleet->passes[0];

    for (size_t i = 0; i < cluster->host_count; i++) {
        const struct gp_host_decl *host = &cluster->hosts[i];

        if (!pass_of(fleet, host->name))
            find(first, "GP-W702", GP_LEVEL_WARNING, host->at, gp_printf(first->mem, "host/%s", host->name),
                 gp_printf(first->mem, "nothing is known of host %s of cluster '%s': no capture of it was given",
                           host->name, cluster->name));
    }
}

/* ---- VMs ---- */

static const struct gp_vm *vm_named(const struct gp_pass *pass, const char *name)
{
    for (size_t i = 0; i < pass->have->vm_count; i++)
        if (gp_streq(pass->have->vms[i].name, name))
            return &pass->have->vms[i];
    return NULL;
}

/* "VM 'x' is not defined on kvm-a" becomes more than that where another capture has it. */
static void tell_where(const struct fleet *fleet, struct gp_pass *pass, struct gp_finding *finding)
{
    const char *name = finding->object ? finding->object + sizeof "vm/" - 1 : "";

    if (!gp_streq(finding->rule, "GP-E303"))
        return;
    for (size_t i = 0; i < fleet->count; i++)
        if (fleet->passes[i] != pass && vm_named(fleet->passes[i], name)) {
            finding->message = gp_printf(pass->mem, "VM '%s' is not defined on %s, but on %s", name, pass->host_name,
                                         fleet->passes[i]->host_name);
            return;
        }
}

/* The line of a binding that @goal comes from. */
static const struct gp_vm_decl *line_of(const struct gp_pass *pass, const struct gp_goal_vm *goal)
{
    const struct gp_declaration *declaration = &pass->load.declaration;

    for (size_t b = 0; goal->binding && b < declaration->binding_count; b++) {
        const struct gp_binding_decl *binding = declaration->bindings[b];

        for (size_t v = 0; gp_streq(binding->name, goal->binding) && v < binding->vm_count; v++)
            if (binding->vms[v].at.line == goal->cause.line && binding->vms[v].at.column == goal->cause.column)
                return &binding->vms[v];
    }
    return NULL;
}

static const struct gp_goal_vm *goal_named(const struct gp_pass *pass, const char *name)
{
    for (size_t i = 0; i < pass->goal->vm_count; i++)
        if (gp_streq(pass->goal->vms[i].name, name))
            return &pass->goal->vms[i];
    return NULL;
}

/* Whether the VM of that name on @other is meant too: it is the same one, or the line names one VM and no host. */
static bool is_twice(const struct gp_goal_vm *goal, const struct gp_vm_decl *line, const struct gp_pass *other)
{
    const struct gp_goal_vm *twin = goal_named(other, goal->name);

    return twin && (gp_streq(twin->uuid, goal->uuid) ||
                    (twin->binding && line && !line->host && gp_streq(line->name, goal->name)));
}

/* Told once for each VM, by the first host that has it. */
static void check_twice(const struct fleet *fleet, size_t at, const struct gp_goal_vm *goal)
{
    struct gp_pass *pass = fleet->passes[at];
    const struct gp_vm_decl *line = line_of(pass, goal);
    const char *where = NULL;
    size_t more = 0;

    for (size_t i = 0; i < fleet->count; i++) {
        if (i == at || !is_twice(goal, line, fleet->passes[i]))
            continue;
        if (i < at)
            return;
        more += where != NULL;
        where = where ? where : fleet->passes[i]->host_name;
    }
    if (where)
        find(pass, "GP-E304", GP_LEVEL_ERROR, goal->cause, gp_printf(pass->mem, "vm/%s", goal->name),
             gp_printf(pass->mem, "VM '%s' is defined on %s and on %s%s: say which with 'host', and undefine it elsewhere",
                       goal->name, pass->host_name, where,
                       more ? gp_printf(pass->mem, " (and %zu more)", more) : ""));
}

/* ---- places for the VMs of a host that fails ---- */

struct room {
    size_t places, free, movable; /* of one pool on one host; movable: VMs that may be anywhere */
};

static struct room room_on(const struct gp_pass *pass, const char *pool)
{
    struct room room = {0};
    size_t used = 0;

    for (size_t i = 0; i < pass->goal->gpu_count; i++) {
        const struct gp_goal_gpu *gpu = &pass->goal->gpus[i];

        if (gpu->pool && !gpu->blocked && gp_streq(gpu->pool->name, pool))
            room.places += gpu->want.mode == GP_MODE_PASSTHROUGH ? 1 : gpu->want.count;
    }
    for (size_t i = 0; i < pass->goal->vm_count; i++) {
        const struct gp_goal_vm *vm = &pass->goal->vms[i];
        const struct gp_vm_decl *line = line_of(pass, vm);

        if (!vm->gpu || vm->blocked || !gp_streq(vm->pool, pool))
            continue;
        used++;
        room.movable += line && !line->host;
    }
    room.free = room.places > used ? room.places - used : 0;
    return room;
}

/* The host that would hurt most is told of; those bound to their host by name are not expected elsewhere. */
static void check_headroom(const struct fleet *fleet, const struct gp_pool_decl *pool)
{
    struct gp_pass *first = fleet->passes[0];
    struct room *rooms = gp_new_array(first->mem, struct room, fleet->count);
    size_t free = 0, worst = 0, worst_free = 0, lacking = 0, hosts = 0;

    for (size_t i = 0; i < fleet->count; i++) {
        rooms[i] = room_on(fleet->passes[i], pool->name);
        free += rooms[i].free;
        hosts += rooms[i].places > 0;
    }
    for (size_t i = 0; hosts > 1 && i < fleet->count; i++) {
        const size_t elsewhere = free - rooms[i].free;

        if (rooms[i].movable > elsewhere && rooms[i].movable - elsewhere > lacking) {
            lacking = rooms[i].movable - elsewhere;
            worst = i;
            worst_free = elsewhere;
        }
    }
    if (lacking)
        find(first, "GP-W322", GP_LEVEL_WARNING, pool->at, gp_printf(first->mem, "pool/%s", pool->name),
             gp_printf(first->mem, "if %s fails, %zu of its VMs find no place in pool '%s': %zu free on the other hosts",
                       fleet->passes[worst]->host_name, lacking, pool->name, worst_free));
}

void gp_report_fleet(struct gp_pass *const *passes, size_t count)
{
    const struct fleet fleet = {passes, count};
    const struct gp_cluster_decl *cluster = cluster_of(passes[0]);

    for (size_t i = 0; i < count; i++) {
        check_age(passes[i]);
        for (size_t n = 0; n < passes[i]->plan->finding_count; n++)
            tell_where(&fleet, passes[i], &passes[i]->plan->findings[n]);
        for (size_t n = 0; n < passes[i]->goal->vm_count; n++)
            if (passes[i]->goal->vms[n].binding)
                check_twice(&fleet, i, &passes[i]->goal->vms[n]);
    }
    if (cluster) {
        check_missing(&fleet, cluster);
        for (size_t n = 0; n < cluster->pool_count; n++)
            check_headroom(&fleet, &cluster->pools[n]);
    }
    for (size_t i = 0; i < count; i++)
        gp_findings_sort(passes[i]->plan->findings, &passes[i]->plan->finding_count);
}
