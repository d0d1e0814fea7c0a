/* Values of the core as JSON and back. Writers end the process when out of memory, as everything
 * does; readers say what does not fit instead of guessing. */
#pragma once

#include "plan.h"

#include <jansson.h>

/* Takes @value. */
void gp_json_put(json_t *object, const char *key, json_t *value);
/* JSON null for NULL. Of text that is not UTF-8 (a file name, say) every byte above ASCII is kept as '?': it must not
 * make a whole answer fail. */
json_t *gp_text_json(const char *text);
json_t *gp_strings_json(const struct gp_strings *strings);
/* Nothing is put for NULL. */
void gp_json_put_text(json_t *object, const char *key, const char *text);
void gp_json_put_number(json_t *object, const char *key, uint64_t number);
json_t *gp_json_object(void);
json_t *gp_json_array(void);
json_t *gp_json_copy(const json_t *json); /* deep */

/* Reads the members of one object one after another; the first that does not fit is told at the
 * end. An absent member is NULL, 0 or false. */
struct gp_json_reader {
    struct gp_arena *mem;
    const char *where; /* for the error: "applied[gpu/slot3]" */
    const char *wrong; /* the first member that does not fit, NULL: none yet */
    const char *wanted;
};
const char *gp_json_text(struct gp_json_reader *reader, const json_t *object, const char *key);
uint64_t gp_json_number(struct gp_json_reader *reader, const json_t *object, const char *key,
                        uint64_t max);
int64_t gp_json_signed(struct gp_json_reader *reader, const json_t *object, const char *key,
                       int64_t min, int64_t max);
bool gp_json_bool(struct gp_json_reader *reader, const json_t *object, const char *key);
/* An empty array for an absent member. */
const json_t *gp_json_items(struct gp_json_reader *reader, const json_t *object, const char *key);
/* NULL for an absent member. */
const json_t *gp_json_member(struct gp_json_reader *reader, const json_t *object, const char *key);
/* As gp_json_text(), but absent does not fit. */
const char *gp_json_need_text(struct gp_json_reader *reader, const json_t *object, const char *key);
void gp_json_misfit(struct gp_json_reader *reader, const char *key, const char *wanted);
/* "applied[gpu/slot3].value is not a string"; NULL if all fits. In reader->mem. */
const char *gp_json_why(const struct gp_json_reader *reader);

json_t *gp_json_of_layout(const struct gp_layout *layout);
void gp_json_layout(struct gp_json_reader *reader, const json_t *object, struct gp_layout *ret);
json_t *gp_json_of_snapshot(const struct gp_snapshot *snapshot);
struct gp_snapshot *gp_json_snapshot(struct gp_json_reader *reader, const json_t *object);
