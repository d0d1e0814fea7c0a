/* What the files of the state share among themselves: the documents and how they are read and kept.
 * Not for the rest of the program, which sees state.h alone. */
#pragma once

#include "state.h"
#include "text.h"

#include <jansson.h>

/* Grows by adding members that are zero where they lack: so an older version is always understood.
 */
enum { GP_STATE_FORMAT = 1 };

/* One file each: {"formatVersion": 1, NAME: {KEY: {...}, ...}}. A corrupt one costs no other. */
enum gp_state_doc {
    GP_STATE_APPLIED,
    GP_STATE_OWED,
    GP_STATE_QUARANTINED,
    GP_STATE_VERIFIED,
    GP_STATE_BOOT,
    GP_STATE_DRIFT,
    GP_STATE_CONDITIONS,
    GP_STATE_PAUSES,
    GP_STATE_APPROVALS,
    GP_STATE_FAILURES,
    GP_STATE_DOC_COUNT
};

struct gp_state {
    char *dir;
    int dirfd;                        /* -1: the directory does not exist; only without the lock */
    int lockfd;                       /* -1: read-only use */
    json_t *docs[GP_STATE_DOC_COUNT]; /* the object under NAME, never NULL */
    struct gp_arena *mem;             /* of memory and verified */
    struct gp_memory memory;
    const char *verified;
    char *lost;     /* why verified is not known though there was one; NULL: it is, or there was none */
    bool remembers; /* a record tells of a commit */
    uint64_t verified_since_us;
    size_t history_lines; /* SIZE_MAX: not counted yet */
};

static inline void gp_json_p(json_t **json)
{
    json_decref(*json);
}

/* What a document is called, in its file and before ".json". */
const char *gp_state_doc_name(enum gp_state_doc doc);
/* Reads a document afresh. Corrupt: kept aside if @own (we may write), appended to @warning, and
 * *ret is an empty object. GP_E_CONFIG for a newer format. */
struct gp_error *gp_state_doc_read(struct gp_state *state, enum gp_state_doc doc, bool own,
                                   struct gp_text *warning, json_t **ret) GP_MUST_CHECK;
/* Writes @body (taken, also on failure) and, once that is durable, keeps it as state->docs[doc]. */
struct gp_error *gp_state_doc_write(struct gp_state *state, enum gp_state_doc doc,
                                    json_t *body) GP_MUST_CHECK;
/* Why no head is believed though there was one. */
void gp_state_set_lost(struct gp_state *state, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Reads memory and verified anew from the documents, after one of those that they come from changed. */
void gp_state_rebuild(struct gp_state *state);
/* GP_E_BUG if the state was opened without the lock. */
struct gp_error *gp_state_writable(const struct gp_state *state) GP_MUST_CHECK;
/* Text of a whole file around @body under @name; malloc()ed. */
char *gp_state_dump(const char *name, const json_t *body);
/* The reverse: checks formatVersion. @what names the file. *ret_why (malloc()ed) tells why the text
 * is corrupt, NULL if it is not; *ret is NULL then. */
struct gp_error *gp_state_parse(const char *what, const char *text, size_t size, const char *name,
                                json_t **ret, char **ret_why) GP_MUST_CHECK;

/* Takes the lock, for which a process of a pass that is gone is given a moment to go too. GP_E_LOCKED: another pass has it. */
struct gp_error *gp_state_lock(struct gp_state *state) GP_MUST_CHECK;
/* Lets it go, if it was taken. */
void gp_state_unlock(struct gp_state *state);

/* Looks at every record: as gp_state_doc_read() for those that are corrupt. */
struct gp_error *gp_state_check_records(struct gp_state *state, bool own,
                                        struct gp_text *warning) GP_MUST_CHECK;
