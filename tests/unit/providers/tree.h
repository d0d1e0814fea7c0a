/* A host's sys/, dev/ and proc/ as plain files below a temporary directory. */
#pragma once

#include "host.h"
#include "model.h"

struct tree {
    char root[64];
    struct gp_arena *mem;
    struct gp_host host; /* opened on it, may change */
};

void tree_open(struct tree *tree);
void tree_close(struct tree *tree);
/* Makes the directories on the way. */
void tree_file(struct tree *tree, const char *path, const char *text);
void tree_link(struct tree *tree, const char *path, const char *target);
void tree_dir(struct tree *tree, const char *path);
/* What the file holds now. */
const char *tree_text(struct tree *tree, const char *path);

struct tree_device {
    const char *address, *ids; /* "10de:25b6:10de:157e" */
    const char *class;         /* "0x030200" */
    const char *driver;        /* NULL: none */
    int group;                 /* -1: none */
    const char *pf;            /* of a VF */
    int vf;                    /* its index */
    unsigned totalvfs, offset, stride;
};
void tree_device(struct tree *tree, const struct tree_device *device);
/* The recorded A2: PF 0000:08:00.0 in slot 3, group 38, 16 VFs of which @vfs are there, driver nvidia. */
void tree_a2(struct tree *tree, unsigned vfs);
/* Path below VF @index of that A2. */
const char *tree_a2_vf(struct tree *tree, unsigned index, const char *leaf);

/* The one GPU of the tree. */
struct gp_gpu *tree_gpu(struct tree *tree);
/* Asserts that there was no error. */
void tree_ok(struct gp_error *err);
/* The code of @err, which it frees; GP_E_COUNT for NULL. */
enum gp_errc tree_code(struct gp_error *err);
