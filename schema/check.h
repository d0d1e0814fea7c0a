/* Rules over the whole declaration that need no host. */
#pragma once

#include "mistakes.h"

/* @complete: every document was read. Else a cluster that is not there may stand in one that was not. */
void gp_check_declaration(struct gp_mistakes *mistakes, const struct gp_declaration *declaration,
                          bool complete);
/* The time zones of windows, against a tz database: the hosts may have another. */
void gp_check_timezones(struct gp_mistakes *mistakes, const struct gp_declaration *declaration,
                        bool (*knows)(const char *zone));
/* Of one pool: its partitions against its mode and what the catalogue knows of its model. */
void gp_check_pool(struct gp_mistakes *mistakes, const struct gp_pool_decl *pool);
/* Of one binding against its pool, which may be any: memory, and GPUs per VM. */
void gp_check_binding(struct gp_mistakes *mistakes, const struct gp_binding_decl *binding,
                      const struct gp_pool_decl *pool);
/* Vendors and families across the pools. */
void gp_check_homogeneity(struct gp_mistakes *mistakes, const struct gp_cluster_decl *cluster);

struct gp_catalog_gpu;
/* What the catalogue knows of the GPUs that @match names; NULL if they may be of several models. */
const struct gp_catalog_gpu *gp_match_model(const struct gp_match *match);
/* "nvidia", "10de" or what else tells the vendor of @match; NULL if nothing does. */
const char *gp_match_vendor(struct gp_arena *mem, const struct gp_match *match);
