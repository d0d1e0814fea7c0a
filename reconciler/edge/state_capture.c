/* What a capture has of the state directory: the documents that a plan is made from, as files of the same form, so that whoever
 * reads one reads the other. */
#include "cleanup.h"
#include "json.h"
#include "state_file.h"
#include "state_priv.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static const enum gp_state_doc kept[] = {
    GP_STATE_APPLIED, GP_STATE_OWED,   GP_STATE_QUARANTINED, GP_STATE_VERIFIED,
    GP_STATE_DRIFT,   GP_STATE_PAUSES, GP_STATE_APPROVALS,   GP_STATE_FAILURES,
};

const char *gp_state_of_capture(struct gp_arena *mem, const char *root)
{
    return gp_printf(mem, "%s/state", root);
}

/* ---- stand-ins ---- */

static const char *redact_key(struct gp_arena *mem, struct gp_redact *redact, enum gp_state_doc doc, const char *key)
{
    if (doc == GP_STATE_FAILURES)
        return gp_redact_set(redact, key);
    if ((doc == GP_STATE_PAUSES || doc == GP_STATE_APPROVALS) && gp_starts_with(key, "vm/"))
        return gp_printf(mem, "vm/%s", gp_redact_vm(redact, key + strlen("vm/")));
    return gp_redact_text(redact, key); /* whatever else names a VM does it by its UUID */
}

/* A unit's name stays: it is the program's, and names nobody. */
static const char *redact_name(struct gp_redact *redact, const json_t *entry, const char *name)
{
    return json_is_true(json_object_get(entry, "unit")) ? name : gp_redact_vm(redact, name);
}

/* Whom an applied value is of: a card, or a VM. */
static const char *redact_who(struct gp_redact *redact, const char *key, const char *who)
{
    return gp_starts_with(key, "gpu/") ? gp_redact_identity(redact, who) : gp_redact_vm(redact, who);
}

/* What a member is called says what is in it, in whichever document. NULL: it is left out. */
static const char *redact_text(struct gp_redact *redact, const char *key, const json_t *entry, const char *member,
                               const char *text)
{
    if (gp_streq(member, "commit"))
        return gp_redact_commit(redact, text);
    if (gp_streq(member, "name"))
        return redact_name(redact, entry, text);
    if (gp_streq(member, "who"))
        return redact_who(redact, key, text);
    if (gp_streq(member, "user"))
        return gp_redact_person(redact, text);
    if (gp_streq(member, "reason"))
        return "left out of the capture"; /* words, in which anybody may be named */
    if (gp_streq(member, "object"))
        return gp_redact_text(redact, json_string_value(json_object_get(entry, "key")));
    if (gp_streq(member, "before") || gp_streq(member, "after"))
        return NULL; /* of a drift, which is known without; a name too, where a VM was renamed */
    return gp_redact_text(redact, text);
}

static json_t *redact_entry(struct gp_redact *redact, const char *key, const json_t *entry)
{
    json_t *ret = gp_json_object(), *value;
    const char *member;

    json_object_foreach((json_t *)entry, member, value)
    {
        if (json_is_string(value))
            gp_json_put_text(ret, member, redact_text(redact, key, entry, member, json_string_value(value)));
        else
            gp_json_put(ret, member, gp_json_copy(value));
    }
    return ret;
}

static json_t *redact_body(struct gp_arena *mem, struct gp_redact *redact, enum gp_state_doc doc, const json_t *body)
{
    json_t *ret = gp_json_object(), *entry;
    const char *key;

    json_object_foreach((json_t *)body, key, entry)
    {
        const char *standin = redact_key(mem, redact, doc, key); /* first: stand-ins are numbered as they come */

        gp_json_put(ret, standin, redact_entry(redact, key, entry));
    }
    return ret;
}

/* ---- writing ---- */

struct gp_error *gp_state_capture(const struct gp_state *state, const char *root, struct gp_redact *redact)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const char *dir = gp_state_of_capture(mem, root);
    gp_cleanup(gp_close_p) int fd = -1;
    struct gp_error *err = gp_state_file_make_dir(dir);

    if (err)
        return err;
    fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return gp_error_errno(errno, "%s could not be opened", dir);
    for (size_t i = 0; !err && i < sizeof kept / sizeof *kept; i++) {
        const char *name = gp_state_doc_name(kept[i]);
        gp_cleanup(gp_json_p) json_t *body = redact ? redact_body(mem, redact, kept[i], state->docs[kept[i]])
                                                    : gp_json_copy(state->docs[kept[i]]);
        gp_cleanup(gp_free_p) char *text = gp_state_dump(name, body);

        if (json_object_size(body))
            err = gp_state_file_replace(fd, dir, gp_printf(mem, "%s.json", name), text, strlen(text));
    }
    return err;
}
