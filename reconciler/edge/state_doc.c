/* The documents: what an entry of each must look like, from file to memory and back. */
#include "cleanup.h"
#include "json.h"
#include "state_file.h"
#include "state_priv.h"
#include "text.h"

#include <string.h>

/* What every entry of a document must look like: a needed text, a commit's full id, an optional text, a number, true
 * or false, a layout. */
enum field_kind { NEED, COMMIT, TEXT, NUMBER, BOOL, LAYOUT };
struct field {
    const char *name;
    enum field_kind kind;
};

enum { MAX_FIELDS = 9 };
static const struct doc {
    const char *name;
    struct field fields[MAX_FIELDS];
} docs[] = {
    [GP_STATE_APPLIED] = {"applied",
                          {{"value", NEED}, {"commit", TEXT}, {"who", TEXT}, {"sinceUs", NUMBER}}},
    [GP_STATE_OWED] = {"owed",
                       {{"name", TEXT}, {"untilUs", NUMBER}, {"stopRequested", BOOL}, {"unit", BOOL}}},
    [GP_STATE_QUARANTINED] = {"quarantined", {{"sinceUs", NUMBER}}},
    [GP_STATE_VERIFIED] = {"verified", {{"commit", COMMIT}, {"sinceUs", NUMBER}}},
    [GP_STATE_BOOT] = {"boot", {{"identity", TEXT}, {"layout", LAYOUT}}},
    [GP_STATE_DRIFT] = {"drift",
                        {{"object", NEED},
                         {"key", NEED},
                         {"path", TEXT},
                         {"rule", TEXT},
                         {"before", TEXT},
                         {"after", TEXT},
                         {"reason", TEXT},
                         {"sinceUs", NUMBER},
                         {"toldUs", NUMBER}}},
    [GP_STATE_CONDITIONS] =
        {"conditions", {{"object", NEED}, {"type", NEED}, {"reason", TEXT}, {"sinceUs", NUMBER}}},
    [GP_STATE_PAUSES] =
        {"pauses", {{"user", TEXT}, {"reason", TEXT}, {"sinceUs", NUMBER}, {"untilUs", NUMBER}}},
    [GP_STATE_APPROVALS] =
        {"approvals", {{"user", TEXT}, {"reason", TEXT}, {"sinceUs", NUMBER}, {"untilUs", NUMBER}}},
    [GP_STATE_FAILURES] =
        {"failures", {{"commit", TEXT}, {"reason", TEXT}, {"count", NUMBER}, {"untilUs", NUMBER}}},
};
_Static_assert(sizeof docs / sizeof *docs == GP_STATE_DOC_COUNT, "a row for each document");

static void check_commit(struct gp_json_reader *reader, const json_t *entry, const char *name)
{
    enum { DIGITS = 40 };
    const char *commit = gp_json_need_text(reader, entry, name);

    if (strspn(commit, "0123456789abcdef") != DIGITS || commit[DIGITS])
        gp_json_misfit(reader, name, "a full commit id");
}

static void check_entry(struct gp_json_reader *reader, const struct doc *doc, const json_t *entry)
{
    struct gp_layout layout;

    for (size_t i = 0; i < MAX_FIELDS && doc->fields[i].name; i++) {
        const char *name = doc->fields[i].name;

        switch (doc->fields[i].kind) {
        case NEED:
            (void)gp_json_need_text(reader, entry, name);
            break;
        case COMMIT:
            check_commit(reader, entry, name);
            break;
        case TEXT:
            (void)gp_json_text(reader, entry, name);
            break;
        case NUMBER:
            (void)gp_json_number(reader, entry, name, UINT64_MAX);
            break;
        case BOOL:
            (void)gp_json_bool(reader, entry, name);
            break;
        case LAYOUT:
            gp_json_layout(reader, gp_json_member(reader, entry, name), &layout);
            break;
        }
    }
}

/* Why the entries of @body are not what this program writes; malloc()ed, NULL if they are. */
static char *check_body(enum gp_state_doc doc, json_t *body)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const char *key, *why = NULL;
    json_t *entry;

    json_object_foreach(body, key, entry)
    {
        struct gp_json_reader reader = {.mem = mem, .where = gp_printf(mem, "entry '%s'", key)};

        if (!json_is_object(entry))
            why = gp_printf(mem, "entry '%s' is not an object", key);
        else
            check_entry(&reader, &docs[doc], entry);
        why = why ? why : gp_json_why(&reader);
        if (why)
            break;
    }
    return why ? strdup(why) : NULL;
}

char *gp_state_dump(const char *name, const json_t *body)
{
    gp_cleanup(gp_json_p) json_t *root = gp_json_object();
    gp_cleanup(gp_free_p) char *json = NULL;
    char *text;

    gp_json_put_number(root, "formatVersion", GP_STATE_FORMAT);
    gp_json_put(root, name, gp_json_copy(body));
    json = json_dumps(root, JSON_SORT_KEYS | JSON_INDENT(1));
    if (!json || asprintf(&text, "%s\n", json) < 0)
        abort();
    return text;
}

struct gp_error *gp_state_parse(const char *what, const char *text, size_t size, const char *name,
                                json_t **ret, char **ret_why)
{
    json_error_t json_error;
    gp_cleanup(gp_json_p) json_t *root =
        json_loadb(text, size, JSON_REJECT_DUPLICATES, &json_error);
    json_int_t version = json_integer_value(json_object_get(root, "formatVersion"));
    json_t *body = json_object_get(root, name);
    int rc = 0;

    *ret = NULL;
    *ret_why = NULL;
    if (version > GP_STATE_FORMAT)
        return gp_error_new(
            GP_E_CONFIG,
            "%s was written by a newer gpupart (formatVersion %lld, this one knows up to %d): "
            "run that version again",
            what, (long long)version, GP_STATE_FORMAT);
    if (!root)
        rc = asprintf(ret_why, "line %d: %s", json_error.line, json_error.text);
    else if (version < 1)
        rc = asprintf(ret_why, "it has no formatVersion");
    else if (!json_is_object(body))
        rc = asprintf(ret_why, "it has no object '%s'", name);
    else
        *ret = json_incref(body);
    if (rc < 0)
        abort();
    return NULL;
}

const char *gp_state_doc_name(enum gp_state_doc doc)
{
    return docs[doc].name;
}

static const char *file_name(enum gp_state_doc doc, char *name, size_t size)
{
    (void)snprintf(name, size, "%s.json", docs[doc].name);
    return name;
}

void gp_state_set_lost(struct gp_state *state, const char *format, ...)
{
    va_list args;
    int rc;

    free(state->lost);
    va_start(args, format);
    rc = vasprintf(&state->lost, format, args);
    va_end(args);
    if (rc < 0)
        abort();
}

struct gp_error *gp_state_doc_read(struct gp_state *state, enum gp_state_doc doc, bool own,
                                   struct gp_text *warning, json_t **ret)
{
    char name[32];
    gp_cleanup(gp_free_p) char *text = NULL, *why = NULL, *what = NULL;
    gp_cleanup(gp_json_p) json_t *body = NULL;
    struct gp_error *err;
    size_t size;

    (void)file_name(doc, name, sizeof name);
    *ret = NULL;
    if (state->dirfd >= 0) {
        err = gp_state_file_read(state->dirfd, state->dir, name, &text, &size);
        if (err)
            return err;
    }
    if (!text) {
        *ret = gp_json_object();
        return NULL;
    }
    if (asprintf(&what, "%s/%s", state->dir, name) < 0)
        abort();
    err = gp_state_parse(what, text, size, docs[doc].name, &body, &why);
    if (err)
        return err;
    if (!why)
        why = check_body(doc, body);
    if (!why) {
        *ret = gp_steal(body);
        return NULL;
    }
    if (own) {
        err = gp_state_file_keep_aside(state->dirfd, state->dir, name);
        if (err)
            return gp_error_wrap(err, "%s is corrupt (%s) and could not be kept aside", what, why);
    }
    if (doc == GP_STATE_VERIFIED)
        gp_state_set_lost(state, "%s is corrupt (%s)", what, why);
    if (warning)
        gp_text_addf(warning, "%s%s is corrupt (%s): %s%s", warning->size ? "\n" : "", what, why,
                     doc == GP_STATE_VERIFIED ? "no head is believed" : "taken as empty",
                     own ? ", kept aside with the ending .corrupt" : "");
    *ret = gp_json_object();
    return NULL;
}

struct gp_error *gp_state_doc_write(struct gp_state *state, enum gp_state_doc doc, json_t *body)
{
    gp_cleanup(gp_json_p) json_t *mine = body;
    gp_cleanup(gp_free_p) char *text = gp_state_dump(docs[doc].name, mine);
    char name[32];
    struct gp_error *err;

    err = gp_state_file_replace(state->dirfd, state->dir, file_name(doc, name, sizeof name), text,
                                strlen(text));
    if (err)
        return err;
    json_decref(state->docs[doc]);
    state->docs[doc] = gp_steal(mine);
    return NULL;
}

struct gp_error *gp_state_writable(const struct gp_state *state)
{
    if (state->lockfd < 0)
        return gp_error_new(GP_E_BUG, "the state in %s was opened for reading only", state->dir);
    return NULL;
}
