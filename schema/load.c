#include "schema.h"

#include "check.h"
#include "cleanup.h"
#include "decode.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* A source that knows its place among the files. The member comes first, so a gp_source is one. */
struct file {
    struct gp_source source;
    size_t number;
};

struct gp_load_state {
    struct gp_mistakes mistakes;
    size_t files;
    bool incomplete; /* some document could not be read at all */
};

void gp_load_init(struct gp_load *load, struct gp_arena *mem, bool allow_agent, bool allow_cluster)
{
    *load = (struct gp_load){
        .mem = mem,
        .allow_agent = allow_agent,
        .allow_cluster = allow_cluster,
        .state = gp_new(mem, struct gp_load_state),
    };
    load->state->mistakes.mem = mem;
}

static void publish(struct gp_load *load)
{
    load->findings = load->state->mistakes.items;
    load->finding_count = load->state->mistakes.count;
    for (size_t i = 0; i < load->finding_count && !load->failed; i++)
        load->failed = load->findings[i].level == GP_LEVEL_ERROR;
}

static void take_agent(struct gp_load *load, struct gp_decoder *d, const struct gp_yaml *root,
                       struct gp_agent_decl *agent)
{
    if (!load->allow_agent)
        gp_mistake(
            d->mistakes, "GP-E003", gp_decoder_span(d, gp_yaml_get(root, "kind")),
            "a GpuAgent is read on the host only, from /etc/gpupart/agent.yaml; the repository "
            "that it guards cannot hold it");
    else if (load->agent && (!load->allow_cluster || gp_streq(load->agent->name, agent->name)))
        gp_mistake(d->mistakes, "GP-E010", gp_decoder_span(d, root),
                   "a second GpuAgent; a host has one");
    else if (!load->agent) /* of many hosts' files checked together, the first stays */
        load->agent = agent;
}

static void take(struct gp_load *load, struct gp_decoder *d, const struct gp_yaml *root)
{
    struct gp_declaration *all = &load->declaration;
    const struct gp_kind *kind;
    void *object = gp_decode_document(d, root, &kind);

    if (!object) {
        load->state->incomplete = true;
        return;
    }
    if (kind == &gp_kind_agent)
        take_agent(load, d, root, object);
    else if (!load->allow_cluster)
        gp_mistake(d->mistakes, "GP-E003", gp_decoder_span(d, gp_yaml_get(root, "kind")),
                   "a %s is read from the repository; the host's configuration holds a GpuAgent",
                   kind->name);
    else if (kind == &gp_kind_cluster)
        *gp_push(load->mem, all->clusters, all->cluster_count) = object;
    else
        *gp_push(load->mem, all->bindings, all->binding_count) = object;
}

void gp_load_file(struct gp_load *load, const char *name, const char *text, size_t size)
{
    static const char mark[] = "\xef\xbb\xbf"; /* UTF-8 byte order mark */
    const size_t skip = size >= 3 && memcmp(text, mark, 3) == 0 ? 3 : 0;
    gp_cleanup(gp_arena_free_p) struct gp_arena *nodes = gp_arena_new();
    struct gp_mistakes *mistakes = &load->state->mistakes;
    struct file *file = gp_new(load->mem, struct file);
    struct gp_decoder decoder = {load->mem, mistakes, &file->source};
    struct gp_yaml *root;

    file->source = (struct gp_source){name, text + skip, size - skip};
    file->number = load->state->files++;
    gp_mistakes_begin(mistakes);
    {
        gp_cleanup(gp_yaml_close_p) struct gp_yaml_reader *reader =
            gp_yaml_open(mistakes, &file->source, load->mem, nodes);

        while (gp_yaml_next(reader, &root))
            if (root)
                take(load, &decoder, root);
    }
    for (size_t i = mistakes->begin; i < mistakes->count; i++)
        load->state->incomplete |= gp_streq(mistakes->items[i].rule, "GP-E001") ||
                                   gp_streq(mistakes->items[i].rule, "GP-E006");
    publish(load);
}

static int compare(size_t a, size_t b)
{
    return (a > b) - (a < b);
}

static int by_place(const void *a, const void *b)
{
    const struct gp_finding *x = a, *y = b;
    int order = compare(((const struct file *)x->at.source)->number,
                        ((const struct file *)y->at.source)->number);

    if (!order)
        order = compare(x->at.line, y->at.line);
    if (!order)
        order = compare(x->at.column, y->at.column);
    if (!order)
        order = strcmp(x->rule, y->rule);
    return order ? order : strcmp(x->message, y->message);
}

void gp_load_finish(struct gp_load *load)
{
    struct gp_mistakes *mistakes = &load->state->mistakes;

    gp_mistakes_begin(mistakes);
    gp_check_declaration(mistakes, &load->declaration, !load->state->incomplete);
    if (load->knows_timezone)
        gp_check_timezones(mistakes, &load->declaration, load->knows_timezone);
    if (mistakes->count)
        qsort(mistakes->items, mistakes->count, sizeof *mistakes->items, by_place);
    publish(load);
}

struct gp_error *gp_load_error(const struct gp_load *load)
{
    const enum gp_errc code = load->allow_cluster ? GP_E_INVALID : GP_E_CONFIG;
    const struct gp_finding *first = NULL;
    struct gp_error *err;
    size_t errors = 0;

    for (size_t i = 0; i < load->finding_count; i++) {
        if (load->findings[i].level != GP_LEVEL_ERROR)
            continue;
        first = first ? first : &load->findings[i];
        errors++;
    }
    if (!first)
        return NULL;
    err = gp_error_at(code, first->at, "%s: %s", first->rule, first->message);
    if (errors == 1)
        return err;
    return gp_error_wrap(err, "%zu mistakes in what is declared; the first of them", errors);
}
