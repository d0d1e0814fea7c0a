/* history: what passes did on this host, oldest first, from the state directory: the journal rotates. */
#include "command.h"

#include "objects.h"
#include "plan_json.h"
#include "text.h"

#include <string.h>

static const char *only; /* "vm/NAME", "gpu/ID" or an address; NULL: all */

static error_t parse(int key, char *value, struct argp_state *state)
{
    if (key != ARGP_KEY_ARG)
        return ARGP_ERR_UNKNOWN;
    if (only || (!gp_starts_with(value, "vm/") && !gp_starts_with(value, "gpu/")))
        argp_error(state, "history takes one vm/NAME or gpu/ADDRESS, not '%s'", value);
    only = value;
    return 0;
}

static const char *text_of(const json_t *entry, const char *key)
{
    return json_string_value(json_object_get(entry, key));
}

static bool names(const json_t *strings, const char *name)
{
    size_t i;
    json_t *item;

    json_array_foreach(strings, i, item)
    {
        if (gp_streq(json_string_value(item), name))
            return true;
    }
    return false;
}

/* An entry is about a set, which is called after its smallest GPU or, where it has none, after its VM; newer ones list
 * all its members. */
static bool is_shown(const json_t *entry, const char *object)
{
    const char *name;

    if (!object)
        return true;
    name = strchr(object, '/') + 1;
    return gp_streq(text_of(entry, "object"), name) ||
           names(json_object_get(entry, gp_starts_with(object, "vm/") ? "vms" : "gpus"), name);
}

/* "gpu/0000:08:00.0" is "gpu/slot3" in what was written; a GPU that is not there any more keeps the name given. */
static const char *object_of(struct gp_pass *pass)
{
    const char *object = NULL;
    struct gp_error *err;

    if (!only || !gp_starts_with(only, "gpu/"))
        return only;
    err = gp_cli_gpu(pass, only + strlen("gpu/"), &object);
    gp_error_free(err);
    return object ? object : only;
}

static void print_line(const json_t *entry)
{
    const char *commit = text_of(entry, "commit"), *plan = text_of(entry, "plan"), *message = text_of(entry, "message");

    (void)printf("%s  %-12s %-10s %s", text_of(entry, "at"), text_of(entry, "event"), text_of(entry, "object"),
                 message ? message : "");
    if (plan)
        (void)printf(" (plan %s%s%.12s)", plan, commit ? " at " : "", commit ? commit : "");
    (void)putchar('\n');
}

static struct gp_error *print(struct gp_pass *pass, enum gp_format format)
{
    const char *object = object_of(pass);
    struct gp_strings lines = {0};
    json_t *entries = json_array();
    struct gp_error *err = gp_state_history(pass->state, pass->mem, &lines);
    size_t i;
    json_t *entry;

    for (i = 0; !err && i < lines.count; i++) {
        entry = json_loads(lines.items[i], 0, NULL);
        if (entry && is_shown(entry, object))
            (void)json_array_append(entries, entry);
        json_decref(entry);
    }
    if (!err && format == GP_FORMAT_JSON) {
        gp_json_print(stdout, json_pack("{s:s, s:s, s:o, s:O}", "formatVersion", "1.0", "kind", "History", "host",
                                        gp_text_json(pass->host_name), "results", entries));
    } else if (!err) {
        json_array_foreach(entries, i, entry) print_line(entry);
        if (!json_array_size(entries))
            (void)printf("no results yet%s%s\n", object ? " of " : "", object ? object : "");
    }
    json_decref(entries);
    return err;
}

static int run(struct gp_cli *cli)
{
    static const int formats[] = {GP_FORMAT_TEXT, GP_FORMAT_JSON, -1};
    const enum gp_format format = gp_cli_format(cli, formats);
    struct gp_pass pass;
    struct gp_error *err = gp_pass_open(&cli->pass, &pass);
    int exit = GP_EXIT_OK;

    if (err)
        return gp_cli_fail(err);
    err = print(&pass, format);
    if (err)
        exit = gp_cli_fail(err);
    gp_pass_close(&pass);
    return exit;
}

const struct gp_command gp_command_history = {
    .name = "history",
    .args_doc = "[vm/NAME|gpu/ADDRESS]",
    .doc = "the last 1,000 results on this host",
    .parser = parse,
    .run = run,
};
