/* What needs more than one object: names that refer to each other, and names that stand twice. */
#include "check.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

/* A name and where it stands; sorted, equal ones are neighbours. */
struct entry {
    const char *scope, *name, *more;
    struct gp_span at;
    size_t order;
    const void *object;
};

static int by_name(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = gp_strcmp(x->scope, y->scope);

    if (!order)
        order = gp_strcmp(x->name, y->name);
    if (!order)
        order = gp_strcmp(x->more, y->more);
    return order ? order : (x->order > y->order) - (x->order < y->order);
}

static bool same(const struct entry *a, const struct entry *b)
{
    return gp_streq(a->scope, b->scope) && gp_streq(a->name, b->name) && gp_streq(a->more, b->more);
}

/* "line 3", or "FILE line 3" if that is another file. */
static const char *place(struct gp_arena *mem, struct gp_span first, struct gp_span here)
{
    if (first.source == here.source)
        return gp_printf(mem, "line %u", first.line);
    return gp_printf(mem, "%s line %u", first.source->name, first.line);
}

/* Sorts @entries and tells each that stood before in the same scope. */
static void tell_twice(struct gp_mistakes *m, struct entry *entries, size_t count, const char *what)
{
    if (count)
        qsort(entries, count, sizeof *entries, by_name);
    for (size_t i = 1, first = 0; i < count; i++) {
        if (!same(&entries[first], &entries[i]))
            first = i;
        else if (entries[i].name)
            gp_mistake(m, "GP-E010", entries[i].at, "a second %s %s; the first is in %s", what,
                       gp_quote(m->mem, entries[i].name),
                       place(m->mem, entries[first].at, entries[i].at));
    }
}

/* ---- clusters ---- */

static void check_names(struct gp_mistakes *m, const struct gp_declaration *all)
{
    struct entry *entries;
    size_t n = 0;

    entries = gp_new_array(m->mem, struct entry, all->cluster_count + all->binding_count + 1);
    for (size_t i = 0; i < all->cluster_count; i++)
        entries[n++] =
            (struct entry){.name = all->clusters[i]->name, .at = all->clusters[i]->at, .order = i};
    tell_twice(m, entries, n, "GpuCluster");
    n = 0;
    for (size_t i = 0; i < all->binding_count; i++)
        entries[n++] = (struct entry){.scope = all->bindings[i]->cluster,
                                      .name = all->bindings[i]->name,
                                      .at = all->bindings[i]->at,
                                      .order = i};
    tell_twice(m, entries, n, "GpuBinding");
}

static void check_cluster_names(struct gp_mistakes *m, const struct gp_cluster_decl *cluster)
{
    const size_t room = cluster->host_count + cluster->pool_count + 1;
    struct entry *entries = gp_new_array(m->mem, struct entry, room);
    size_t n = 0;

    for (size_t i = 0; i < cluster->host_count; i++)
        entries[n++] =
            (struct entry){.name = cluster->hosts[i].name, .at = cluster->hosts[i].at, .order = i};
    tell_twice(m, entries, n, "host");
    n = 0;
    for (size_t i = 0; i < cluster->pool_count; i++)
        entries[n++] =
            (struct entry){.name = cluster->pools[i].name, .at = cluster->pools[i].at, .order = i};
    tell_twice(m, entries, n, "pool");
}

/* A host in two clusters observes only, which is seldom what was meant. */
static void check_host_clusters(struct gp_mistakes *m, const struct gp_declaration *all)
{
    struct entry *entries;
    size_t room = 1, n = 0;

    for (size_t i = 0; i < all->cluster_count; i++)
        room += all->clusters[i]->host_count;
    entries = gp_new_array(m->mem, struct entry, room);
    for (size_t i = 0; i < all->cluster_count; i++)
        for (size_t h = 0; h < all->clusters[i]->host_count; h++) {
            entries[n] = (struct entry){.name = all->clusters[i]->hosts[h].name,
                                        .at = all->clusters[i]->hosts[h].at,
                                        .order = n,
                                        .object = all->clusters[i]};
            n++;
        }
    if (n)
        qsort(entries, n, sizeof *entries, by_name);
    for (size_t i = 1, first = 0; i < n; i++) {
        const struct gp_cluster_decl *one = entries[first].object, *two = entries[i].object;

        if (!same(&entries[first], &entries[i]))
            first = i;
        else if (entries[i].name && one->name && two->name && !gp_streq(one->name, two->name))
            gp_mistake_level(
                m, "GP-E407", GP_LEVEL_WARNING, entries[i].at,
                "host %s is in cluster %s as well (%s); a host in two clusters is only "
                "looked at",
                gp_quote(m->mem, entries[i].name), gp_quote(m->mem, one->name),
                place(m->mem, entries[first].at, entries[i].at));
    }
}

static const char *const *host_names(struct gp_arena *mem, const struct gp_cluster_decl *cluster)
{
    const char **names = gp_new_array(mem, const char *, cluster->host_count + 1);
    size_t n = 0;

    for (size_t i = 0; i < cluster->host_count; i++)
        if (cluster->hosts[i].name)
            names[n++] = cluster->hosts[i].name;
    return names;
}

static bool any_host(const struct gp_cluster_decl *cluster, const char *glob)
{
    for (size_t i = 0; i < cluster->host_count; i++)
        if (cluster->hosts[i].name && gp_glob_match(glob, cluster->hosts[i].name))
            return true;
    return false;
}

static void check_pool_hosts(struct gp_mistakes *m, const struct gp_cluster_decl *cluster,
                             const struct gp_pool_decl *pool)
{
    for (size_t i = 0; i < pool->hosts.count; i++)
        if (!any_host(cluster, pool->hosts.items[i]))
            gp_mistake(m, "GP-E216", pool->hosts_at, "%s fits no host of cluster %s%s",
                       gp_quote(m->mem, pool->hosts.items[i]), gp_quote(m->mem, cluster->name),
                       gp_did_you_mean(m->mem, pool->hosts.items[i], host_names(m->mem, cluster)));
}

/* ---- bindings ---- */

/* What bindings are looked up in, sorted once: a hundred thousand bindings may name hundreds of hosts and pools. Of equal
 * names the first one that was written counts. */
struct index {
    const struct gp_cluster_decl *cluster;
    const char *const *host_names; /* as written, for the nearest */
    struct entry *hosts, *pools;
    size_t host_count, pool_count;
};

static const struct entry *find(const struct entry *entries, size_t count, const char *name)
{
    size_t low = 0, high = count;

    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (gp_strcmp(entries[middle].name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < count && gp_streq(entries[low].name, name) ? &entries[low] : NULL;
}

static void sort(struct entry *entries, size_t count)
{
    if (count)
        qsort(entries, count, sizeof *entries, by_name);
}

static void index_cluster(struct gp_arena *mem, const struct gp_cluster_decl *cluster, struct index *ret)
{
    *ret = (struct index){
        .cluster = cluster,
        .host_names = host_names(mem, cluster),
        .hosts = gp_new_array(mem, struct entry, cluster->host_count + 1),
        .pools = gp_new_array(mem, struct entry, cluster->pool_count + 1),
        .host_count = cluster->host_count,
        .pool_count = cluster->pool_count,
    };
    for (size_t i = 0; i < cluster->host_count; i++)
        ret->hosts[i] = (struct entry){.name = cluster->hosts[i].name, .order = i};
    for (size_t i = 0; i < cluster->pool_count; i++)
        ret->pools[i] = (struct entry){.name = cluster->pools[i].name, .order = i, .object = &cluster->pools[i]};
    sort(ret->hosts, ret->host_count);
    sort(ret->pools, ret->pool_count);
}

/* One entry a cluster, by name; its object is the struct index. */
static struct entry *index_all(struct gp_arena *mem, const struct gp_declaration *all)
{
    struct index *indexes = gp_new_array(mem, struct index, all->cluster_count + 1);
    struct entry *entries = gp_new_array(mem, struct entry, all->cluster_count + 1);

    for (size_t i = 0; i < all->cluster_count; i++) {
        index_cluster(mem, all->clusters[i], &indexes[i]);
        entries[i] = (struct entry){.name = all->clusters[i]->name, .order = i, .object = &indexes[i]};
    }
    sort(entries, all->cluster_count);
    return entries;
}

static void tell_no_pool(struct gp_mistakes *m, const struct gp_binding_decl *binding,
                         const struct gp_cluster_decl *cluster)
{
    const char **names = gp_new_array(m->mem, const char *, cluster->pool_count + 1);
    const char *hint;
    size_t n = 0;

    for (size_t i = 0; i < cluster->pool_count; i++)
        if (cluster->pools[i].name)
            names[n++] = cluster->pools[i].name;
    hint = gp_did_you_mean(m->mem, binding->pool, names);
    if (!*hint)
        hint = n ? gp_printf(m->mem, "; it has %s", gp_list_or(m->mem, names)) : "; it has none";
    gp_mistake(m, "GP-E212", binding->pool_at, "cluster %s has no pool %s%s",
               gp_quote(m->mem, cluster->name), gp_quote(m->mem, binding->pool), hint);
}

static void tell_no_cluster(struct gp_mistakes *m, const struct gp_declaration *all,
                            const struct gp_binding_decl *binding)
{
    const char **names = gp_new_array(m->mem, const char *, all->cluster_count + 1);
    size_t n = 0;

    for (size_t i = 0; i < all->cluster_count; i++) {
        if (!all->clusters[i]->name)
            return; /* its name was refused, and told: it may be this one */
        names[n++] = all->clusters[i]->name;
    }
    gp_mistake(m, "GP-E404", binding->at, "there is no GpuCluster %s for GpuBinding %s%s",
               gp_quote(m->mem, binding->cluster), gp_quote(m->mem, binding->name),
               gp_did_you_mean(m->mem, binding->cluster, names));
}

static void check_vm_hosts(struct gp_mistakes *m, const struct gp_binding_decl *binding, const struct index *index)
{
    for (size_t i = 0; i < binding->vm_count; i++) {
        const struct gp_vm_decl *vm = &binding->vms[i];

        if (vm->host && !find(index->hosts, index->host_count, vm->host))
            gp_mistake(m, "GP-E216", vm->at, "%s is no host of cluster %s%s", gp_quote(m->mem, vm->host),
                       gp_quote(m->mem, index->cluster->name),
                       gp_did_you_mean(m->mem, vm->host, index->host_names));
    }
}

/* What every host refuses: several whole GPUs for one VM are in the format, and this version cannot give them. */
static void check_gpu_count(struct gp_mistakes *m, const struct gp_binding_decl *binding)
{
    if (binding->gpu_count > 1)
        gp_mistake(m, "GP-E309", binding->gpu_count_at,
                   "'count' asks for %u whole GPUs a VM; this version of gpupart gives a VM one GPU or one partition; leave it "
                   "out",
                   (unsigned)binding->gpu_count);
}

static void check_bindings(struct gp_mistakes *m, const struct gp_declaration *all, bool complete)
{
    const struct entry *clusters = index_all(m->mem, all);

    for (size_t i = 0; i < all->binding_count; i++) {
        const struct gp_binding_decl *binding = all->bindings[i];
        const struct entry *found, *pool;
        const struct index *index;

        check_gpu_count(m, binding);
        if (!binding->cluster)
            continue;
        found = find(clusters, all->cluster_count, binding->cluster);
        if (!found) {
            if (complete)
                tell_no_cluster(m, all, binding);
            continue;
        }
        index = found->object;
        check_vm_hosts(m, binding, index);
        if (!binding->pool)
            continue;
        pool = find(index->pools, index->pool_count, binding->pool);
        if (pool)
            gp_check_binding(m, binding, pool->object);
        else
            tell_no_pool(m, binding, index->cluster);
    }
}

/* ---- one VM, one partition ---- */

static void tell_second(struct gp_mistakes *m, struct entry *entries, size_t count)
{
    if (count)
        qsort(entries, count, sizeof *entries, by_name);
    for (size_t i = 1, first = 0; i < count; i++) {
        const struct gp_binding_decl *other;

        if (!same(&entries[first], &entries[i])) {
            first = i;
            continue;
        }
        other = entries[first].object;
        gp_mistake(m, "GP-E301", entries[i].at,
                   "VM %s is bound a second time; binding %s binds it in %s, and a VM has one "
                   "partition",
                   gp_quote(m->mem, entries[i].name), gp_quote(m->mem, other->name),
                   place(m->mem, entries[first].at, entries[i].at));
    }
}

/* The same VM twice, as far as names alone tell: globs, and hosts left out on one side, are looked
 * at where the VMs are. */
static void check_vms(struct gp_mistakes *m, const struct gp_declaration *all)
{
    struct entry *named, *pinned;
    size_t room = 1, names = 0, pins = 0;

    for (size_t i = 0; i < all->binding_count; i++)
        room += all->bindings[i]->vm_count;
    named = gp_new_array(m->mem, struct entry, room);
    pinned = gp_new_array(m->mem, struct entry, room);
    for (size_t i = 0; i < all->binding_count; i++) {
        const struct gp_binding_decl *binding = all->bindings[i];

        for (size_t v = 0; v < binding->vm_count; v++) {
            const struct gp_vm_decl *vm = &binding->vms[v];
            const struct entry entry = {binding->cluster, vm->name, vm->host,
                                        vm->at,           names,    binding};

            if (!vm->name || gp_glob_is(vm->name))
                continue;
            if (vm->uuid) {
                pinned[pins] = entry;
                pinned[pins++].name = vm->uuid;
            } else {
                named[names++] = entry;
            }
        }
    }
    tell_second(m, named, names);
    for (size_t i = 0; i < pins; i++)
        pinned[i].more = NULL; /* a UUID is one VM, wherever it is */
    tell_second(m, pinned, pins);
}

void gp_check_declaration(struct gp_mistakes *m, const struct gp_declaration *all, bool complete)
{
    check_names(m, all);
    check_host_clusters(m, all);
    for (size_t i = 0; i < all->cluster_count; i++) {
        const struct gp_cluster_decl *cluster = all->clusters[i];

        check_cluster_names(m, cluster);
        for (size_t p = 0; p < cluster->pool_count; p++) {
            check_pool_hosts(m, cluster, &cluster->pools[p]);
            gp_check_pool(m, &cluster->pools[p]);
        }
        gp_check_homogeneity(m, cluster);
    }
    check_bindings(m, all, complete);
    check_vms(m, all);
}

void gp_check_timezones(struct gp_mistakes *m, const struct gp_declaration *all, bool (*knows)(const char *zone))
{
    for (size_t i = 0; i < all->cluster_count; i++) {
        const struct gp_policy *policy = &all->clusters[i]->policy;

        for (size_t w = 0; w < policy->window_count; w++) {
            const struct gp_window *window = &policy->windows[w];

            if (window->timezone && !knows(window->timezone))
                gp_mistake(m, "GP-W509", window->at,
                           "the tz database of this machine has no time zone %s; on a host that has none either the window is closed",
                           gp_quote(m->mem, window->timezone));
        }
    }
}
