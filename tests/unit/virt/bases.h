/* Definitions to read and edit: what people really have around a hostdev. */
#pragma once

#include "arena.h"
#include "domain.h"

#define HOST  "5e0f6a0c7d6b4b2f9a0c1d2e3f405162"
#define UUID  "7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9e10"
#define MDEV  "c2177883-f1bb-47f0-914d-32a22e3a8804"
#define MDEV2 "3deab9a4-0000-4000-8000-000000000002"

struct base {
    const char *name, *xml;
};
extern const struct base bases[];
extern const size_t base_count;

/* The devices that edits move between. */
extern const struct gp_device devices[];
extern const size_t device_count;

/* C14N of the whole, with nothing left out but blanks between elements: what gp_domain_canonical()
 * leaves out shows here. */
const char *whole(struct gp_arena *mem, const char *xml);

struct gp_edit edit_of(enum gp_edit_kind kind, struct gp_device before, struct gp_device after);
/* Does it, or fails the test. */
const char *done(struct gp_arena *mem, const char *xml, struct gp_edit edit);
/* NULL, or malloc()ed text of the error that it came to. */
char *tried(struct gp_arena *mem, const char *xml, struct gp_edit edit, enum gp_errc *ret_code);
