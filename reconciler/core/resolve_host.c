/* Which host of which cluster this is. */
#include "resolve.h"

#include "text.h"

static const struct gp_host_decl *host_of(const struct gp_cluster_decl *cluster, const char *name)
{
    for (size_t n = 0; n < cluster->host_count; n++)
        if (gp_streq(cluster->hosts[n].name, name))
            return &cluster->hosts[n];
    return NULL;
}

static bool find_cluster(struct gp_resolve *r)
{
    const struct gp_declaration *declaration = r->input->declaration;
    const struct gp_agent_decl *agent = r->input->agent;

    for (size_t n = 0; n < declaration->cluster_count; n++) {
        const struct gp_cluster_decl *cluster = declaration->clusters[n];
        const struct gp_host_decl *host = host_of(cluster, agent->name);

        if (!host)
            continue;
        if (r->cluster) {
            gp_resolve_find(r, "GP-E407", GP_LEVEL_ERROR, host->at, "host",
                            "%s is in cluster '%s' and in cluster '%s'; a host is in one", host->name,
                            r->cluster->name, cluster->name);
            return false;
        }
        r->cluster = cluster;
        r->host = host;
    }
    if (!r->cluster) {
        gp_resolve_find(r, "GP-E404", GP_LEVEL_ERROR, (struct gp_span){0}, "host",
                        "%s is in no cluster's hosts; it is only observed", agent->name);
        return false;
    }
    if (agent->cluster && !gp_streq(agent->cluster, r->cluster->name)) {
        gp_resolve_find(r, "GP-E404", GP_LEVEL_ERROR, r->host->at, "host",
                        "%s is in cluster '%s', but its agent serves cluster '%s'", agent->name,
                        r->cluster->name, agent->cluster);
        return false;
    }
    return true;
}

void gp_resolve_host(struct gp_resolve *r)
{
    struct gp_goal *goal = r->goal;

    if (r->input->unknown || !find_cluster(r)) {
        r->cluster = NULL;
        r->host = NULL;
        return;
    }
    if (r->host->machine_id && !gp_streq(r->host->machine_id, r->have->machine_id)) {
        gp_resolve_find(r, "GP-E405", GP_LEVEL_ERROR, r->host->at, "host",
                        "%s has machine id %s, not %s: this may be a copy of it and is only observed",
                        r->host->name, r->have->machine_id ? r->have->machine_id : "(unknown)",
                        r->host->machine_id);
        r->cluster = NULL;
        r->host = NULL;
        return;
    }
    goal->cluster = r->cluster->name;
    goal->declared = true;
    goal->drained = r->host->drained;
}
