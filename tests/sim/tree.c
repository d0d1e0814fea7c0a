#include "sim.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct node sim_root = {.name = "", .kind = NODE_DIR, .mode = 0755};

static void *must(void *p)
{
    if (!p)
        abort();
    return p;
}

struct node *sim_child(struct node *dir, const char *name)
{
    for (struct node *node = dir->children; node; node = node->next)
        if (!strcmp(node->name, name))
            return node;
    return NULL;
}

bool sim_visible(const struct node *node)
{
    return !node->visible_ms || sim_now_ms() >= node->visible_ms;
}

static struct node *add(struct node *dir, const char *name, enum node_kind kind, mode_t mode)
{
    struct node *node = must(calloc(1, sizeof *node));
    struct node **end = &dir->children;
    unsigned late;

    sim_remove(sim_child(dir, name));
    node->name = must(strdup(name));
    node->kind = kind;
    node->mode = mode;
    node->parent = dir;
    while (*end)
        end = &(*end)->next;
    *end = node;
    late = sim_late_ms(node);
    if (late)
        node->visible_ms = sim_now_ms() + late;
    return node;
}

struct node *sim_dir(struct node *parent, const char *name)
{
    struct node *node = sim_child(parent, name);

    return node ? node : add(parent, name, NODE_DIR, 0755);
}

struct node *sim_mkdirs(const char *format, ...)
{
    struct node *node = &sim_root;
    char *path, *rest, *name;
    va_list args;

    va_start(args, format);
    if (vasprintf(&path, format, args) < 0)
        abort();
    va_end(args);
    rest = path;
    while ((name = strsep(&rest, "/")))
        if (*name) {
            node = sim_dir(node, name);
            node->lasting = true;
        }
    free(path);
    return node;
}

struct node *sim_bytes(struct node *dir, const char *name, mode_t mode, const void *data,
                       size_t len)
{
    struct node *node = add(dir, name, NODE_FILE, mode);

    node->text = must(malloc(len + 1));
    memcpy(node->text, data, len);
    node->text[len] = '\0';
    node->len = len;
    return node;
}

struct node *sim_text(struct node *dir, const char *name, mode_t mode, const char *format, ...)
{
    struct node *node = add(dir, name, NODE_FILE, mode);
    va_list args;
    int len;

    va_start(args, format);
    len = vasprintf(&node->text, format, args);
    va_end(args);
    if (len < 0)
        abort();
    node->len = (size_t)len;
    return node;
}

struct node *sim_attr(struct node *dir, const struct attr *attr, void *owner)
{
    struct node *node = add(dir, attr->name, NODE_FILE, attr->mode);

    node->attr = attr;
    node->owner = owner;
    return node;
}

void sim_attrs(struct node *dir, const struct attr *table, void *owner)
{
    for (; table->name; table++)
        sim_attr(dir, table, owner);
}

static unsigned depth(const struct node *node)
{
    unsigned n = 0;

    for (; node->parent; node = node->parent)
        n++;
    return n;
}

struct node *sim_link_text(struct node *dir, const char *name, const char *target)
{
    struct node *node = add(dir, name, NODE_LINK, 0777);

    node->text = must(strdup(target));
    node->len = strlen(target);
    return node;
}

struct node *sim_link(struct node *dir, const char *name, struct node *target)
{
    const struct node *a = dir, *b = target;
    unsigned da = depth(a), db = depth(b), up = 0;
    char *full = sim_path(target), *text = NULL, *rest;
    struct node *node;
    size_t size;
    FILE *out = must(open_memstream(&text, &size));

    while (da > db)
        a = a->parent, da--, up++;
    for (; db > da; db--)
        b = b->parent;
    while (a != b)
        a = a->parent, b = b->parent, up++;
    rest = full;
    for (unsigned n = depth(b); n; n--)
        rest = strchr(rest, '/') ? strchr(rest, '/') + 1 : rest + strlen(rest);
    while (up--)
        fputs(up || *rest ? "../" : "..", out);
    fputs(rest, out);
    fclose(out);
    node = sim_link_text(dir, name, text);
    free(text);
    free(full);
    return node;
}

/* Removed, but FUSE or an open file still refers to them. */
static struct node *limbo;

void sim_node_put(struct node *node)
{
    struct node **at = &limbo;

    if (!node->dead || node->lookups || node->opens)
        return;
    while (*at && *at != node)
        at = &(*at)->next;
    if (*at)
        *at = node->next;
    free(node->name);
    free(node->text);
    free(node);
}

void sim_remove(struct node *node)
{
    struct node **at;

    if (!node)
        return;
    if (node->lasting) /* the kernel would go on to see it */
        abort();
    while (node->children)
        sim_remove(node->children);
    for (at = &node->parent->children; *at != node;)
        at = &(*at)->next;
    *at = node->next;
    node->next = limbo;
    limbo = node;
    node->parent = NULL;
    node->dead = true;
    sim_node_put(node);
}

void sim_remove_name(struct node *dir, const char *name)
{
    sim_remove(sim_child(dir, name));
}

char *sim_path(const struct node *node)
{
    const struct node *up[64];
    char *text = NULL;
    unsigned n = 0;
    size_t size;
    FILE *out = must(open_memstream(&text, &size));

    for (; node->parent; node = node->parent)
        up[n++] = node;
    while (n)
        fprintf(out, "%s%s", up[n - 1]->name, n > 1 ? "/" : ""), n--;
    fclose(out);
    return text;
}

static struct node *walk(struct node *from, const char *path, unsigned links)
{
    char *copy = must(strdup(path)), *rest = copy, *name;
    struct node *node = from;

    while (node && (name = strsep(&rest, "/"))) {
        if (!*name || !strcmp(name, "."))
            continue;
        if (!strcmp(name, "..")) {
            node = node->parent ? node->parent : node;
            continue;
        }
        from = node;
        node = node->kind == NODE_DIR ? sim_child(node, name) : NULL;
        if (node && !sim_visible(node))
            node = NULL;
        if (node && node->kind == NODE_LINK)
            node = links < 16 ? walk(from, node->text, links + 1) : NULL;
    }
    free(copy);
    return node;
}

struct node *sim_walk(const char *path)
{
    return walk(&sim_root, path, 0);
}
