/* Stand-ins for what tells whose host this is: names of hosts, VMs and people, UUIDs, serial numbers, the machine id, commits, MAC
 * and IPv4 addresses. The same original has the same stand-in everywhere, and names and UUIDs keep their order, so that what is
 * planned from a redacted capture is the same but for the names. */
#pragma once

#include "model.h"

#include <stddef.h>

struct gp_redact;

/* @have: what is known beforehand, so that it is numbered in its order; whatever comes later is numbered as it comes.
 * All that is returned is from @mem. */
struct gp_redact *gp_redact_new(struct gp_arena *mem, const struct gp_have *have, const char *host_name);

/* Of a VM's name that is one as a whole, "vm-3". Names are only replaced where they are names: a VM may be called "pci". */
const char *gp_redact_vm(struct gp_redact *redact, const char *name);
/* The same for the host's name and for those of VMs that are known; anything else is @text itself. */
const char *gp_redact_known(struct gp_redact *redact, const char *text);
const char *gp_redact_serial(struct gp_redact *redact, const char *serial);
/* The same for what tells one card from another (gp_gpu_identity()). */
const char *gp_redact_identity(struct gp_redact *redact, const char *identity);
/* The same for whoever asked for something, "user-1". */
const char *gp_redact_person(struct gp_redact *redact, const char *name);
/* The same for a commit, of forty digits too; "" is none, and stays. */
const char *gp_redact_commit(struct gp_redact *redact, const char *commit);
/* The same for what a set is called (gp_set.id): a GPU's id stays, anything else is taken for a VM's name. */
const char *gp_redact_set(struct gp_redact *redact, const char *id);

/* Everything that is known by its form, wherever it stands in @bytes: UUIDs, the machine id, known serial numbers, MAC and
 * IPv4 addresses. */
void gp_redact_bytes(struct gp_redact *redact, const void *bytes, size_t size, const void **ret, size_t *ret_size);
const char *gp_redact_text(struct gp_redact *redact, const char *text);
