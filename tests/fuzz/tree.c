#include "tree.h"

#include "cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#define ENTRIES_MAX 600
#define ZEROS_MAX   (1u << 30)
#define EVENTS      (IN_OPEN | IN_ACCESS | IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE)

static char base[64], root[80], outside[80], copy[80];
static int root_fd = -1, watch_fd = -1;

static void need(bool holds, const char *what)
{
    if (holds)
        return;
    perror(what);
    exit(EXIT_FAILURE);
}

static int delete_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)st;
    (void)type;
    (void)ftw;
    if (strcmp(path, root) != 0 && strcmp(path, copy) != 0)
        (void)remove(path);
    return 0;
}

static void delete_all(void)
{
    (void)nftw(base, delete_one, 16, FTW_DEPTH | FTW_PHYS);
    (void)rmdir(root);
    (void)rmdir(copy);
    (void)rmdir(base);
}

/* ---- what lies outside ---- */

static void put_outside(const char *path, const char *text)
{
    char full[PATH_MAX];
    gp_cleanup(gp_fclose_p) FILE *file = NULL;

    (void)snprintf(full, sizeof full, "%s/%s", outside, path);
    for (char *slash = full + strlen(outside) + 1; (slash = strchr(slash, '/')); *slash++ = '/') {
        *slash = '\0';
        if (mkdir(full, 0755) == 0)
            need(inotify_add_watch(watch_fd, full, EVENTS) >= 0, "inotify_add_watch");
    }
    file = fopen(full, "we");
    need(file && fputs(text, file) >= 0, full);
}

/* As a host has it, so that a link to it from anywhere finds what the name promises. */
static void make_outside(void)
{
    static const struct {
        const char *leaf, *text;
    } leaves[] = {{"class", "0x030200\n"},          {"vendor", "0x8086\n"},          {"device", "0x56c0\n"},
                  {"subsystem_vendor", "0x8086\n"}, {"subsystem_device", "0x0000\n"}, {"vpd", "\x90"}};
    char path[PATH_MAX];

    need(mkdir(outside, 0755) == 0, outside);
    watch_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    need(watch_fd >= 0 && inotify_add_watch(watch_fd, outside, EVENTS) >= 0, "inotify");
    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++) {
        put_outside(leaves[i].leaf, leaves[i].text);
        (void)snprintf(path, sizeof path, "bus/pci/devices/0000:08:00.0/%s", leaves[i].leaf);
        put_outside(path, leaves[i].text);
    }
    put_outside("38", "");
    put_outside("vfio/38", "held by outside\n");
    put_outside("desk.xml", "<domain><name>outside</name><uuid>7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9e10</uuid></domain>\n");
    put_outside("hostname", "outside\n");
}

static void forget_events(void)
{
    char events[4096];

    while (read(watch_fd, events, sizeof events) > 0)
        continue;
}

void tree_must_be_left_alone(void)
{
    union {
        struct inotify_event event;
        char bytes[4096];
    } events;

    if (read(watch_fd, &events, sizeof events) <= 0)
        return;
    (void)fprintf(stderr, "what lies outside of the root was touched: %s (events %#x)\n",
                  events.event.len ? events.event.name : "itself", (unsigned)events.event.mask);
    abort();
}

const char *tree_root(void)
{
    if (*base)
        return root;
    (void)strcpy(base, "/dev/shm/gp-fuzz-XXXXXX");
    if (!mkdtemp(base)) {
        (void)strcpy(base, "/tmp/gp-fuzz-XXXXXX");
        need(mkdtemp(base) != NULL, base);
    }
    (void)snprintf(root, sizeof root, "%s/root", base);
    (void)snprintf(copy, sizeof copy, "%s/copy", base);
    (void)snprintf(outside, sizeof outside, "%s/outside", base);
    need(mkdir(root, 0755) == 0 && mkdir(copy, 0755) == 0, root);
    root_fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    need(root_fd >= 0, root);
    make_outside();
    (void)atexit(delete_all);
    return root;
}

const char *tree_copy(void)
{
    (void)tree_root();
    return copy;
}

/* ---- the text ---- */

struct line {
    char path[1024], value[8192];
    size_t path_size, value_size;
    char kind; /* the character between them */
};

static int hex(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static void take_value(struct line *line, const uint8_t *at, size_t size)
{
    for (size_t i = 0; i < size && line->value_size < sizeof line->value - 1; i++) {
        uint8_t c = at[i];

        if (c == '\\' && i + 1 < size && (at[i + 1] == 'n' || at[i + 1] == '\\')) {
            c = at[++i] == 'n' ? '\n' : '\\';
        } else if (c == '\\' && i + 3 < size && at[i + 1] == 'x' && hex(at[i + 2]) >= 0 && hex(at[i + 3]) >= 0) {
            c = (uint8_t)(hex(at[i + 2]) << 4 | hex(at[i + 3]));
            i += 3;
        }
        line->value[line->value_size++] = (char)c;
    }
    line->value[line->value_size] = '\0';
}

/* False: it says nothing. */
static bool take_line(struct line *line, const char *dir, const uint8_t *at, size_t size)
{
    size_t name = 0;

    *line = (struct line){0};
    while (name < size && at[name] && !strchr("=>|#", at[name]))
        name++;
    if (name == size && (!size || at[size - 1] != '/'))
        return false;
    line->kind = name == size ? '/' : (char)at[name];
    line->path_size = (size_t)snprintf(line->path, sizeof line->path, "%s%s%.*s", dir, *dir ? "/" : "", (int)name, at);
    if (line->path_size >= sizeof line->path)
        return false;
    if (name < size)
        take_value(line, at + name + 1, size - name - 1);
    return line->kind != 0;
}

/* The directory of @path, made where need be and reached by no link; *ret_leaf is empty if it is all directories. */
static int make_parent(char *path, bool all, const char **ret_leaf)
{
    int at = dup(root_fd);
    char *save = NULL, *part = strtok_r(path, "/", &save), *next;

    for (*ret_leaf = ""; part && at >= 0; part = next) {
        int below;

        next = strtok_r(NULL, "/", &save);
        if (strcmp(part, ".") == 0 || strcmp(part, "..") == 0)
            continue;
        if (!next && !all) {
            *ret_leaf = part;
            return at;
        }
        (void)mkdirat(at, part, 0755);
        below = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        (void)close(at);
        at = below;
    }
    return at;
}

static void make_file(int parent, const char *leaf, const struct line *line)
{
    gp_cleanup(gp_close_p) int fd =
        openat(parent, leaf, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0644);
    unsigned long zeros = line->kind == '#' ? strtoul(line->value, NULL, 10) : 0;

    if (fd < 0)
        return;
    if (line->kind == '#')
        (void)!ftruncate(fd, zeros < ZEROS_MAX ? (off_t)zeros : ZEROS_MAX);
    else
        (void)!write(fd, line->value, line->value_size);
}

static void make_entry(struct line *line)
{
    char target[sizeof outside + sizeof line->value];
    const char *leaf;
    gp_cleanup(gp_close_p) int parent = make_parent(line->path, line->kind == '/', &leaf);

    if (parent < 0 || !*leaf)
        return;
    switch (line->kind) {
    case '>':
        (void)snprintf(target, sizeof target, "%s%s", *line->value == '@' ? outside : "",
                       line->value + (*line->value == '@'));
        (void)symlinkat(target, parent, leaf);
        break;
    case '|':
        (void)mkfifoat(parent, leaf, 0644);
        break;
    default:
        make_file(parent, leaf, line);
    }
}

void tree_make(const uint8_t *data, size_t size)
{
    char dir[512] = "";
    static struct line line;

    (void)nftw(tree_root(), delete_one, 16, FTW_DEPTH | FTW_PHYS);
    (void)nftw(copy, delete_one, 16, FTW_DEPTH | FTW_PHYS);
    for (size_t at = 0, entries = 0; at < size && entries < ENTRIES_MAX; entries++) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        size_t length = end ? (size_t)(end - data) - at : size - at;

        if (length > 1 && data[at] == '[' && data[at + length - 1] == ']')
            (void)snprintf(dir, sizeof dir, "%.*s", (int)length - 2, data + at + 1);
        else if (take_line(&line, dir, data + at, length))
            make_entry(&line);
        at += length + 1;
    }
    forget_events();
}

/* ---- the sum ---- */

static uint64_t sum;

static void add(const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        sum = (sum ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u; /* FNV-1a */
}

static int add_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    char text[8192];
    ssize_t size = 0;

    (void)ftw;
    add(path, strlen(path) + 1);
    add(&st->st_size, S_ISDIR(st->st_mode) ? 0 : sizeof st->st_size);
    if (type == FTW_SL) {
        size = readlink(path, text, sizeof text);
    } else if (type == FTW_F && S_ISREG(st->st_mode)) {
        gp_cleanup(gp_close_p) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

        size = fd < 0 ? 0 : read(fd, text, sizeof text);
    }
    add(text, size > 0 ? (size_t)size : 0);
    return 0;
}

uint64_t tree_sum(void)
{
    sum = 0xcbf29ce484222325u;
    (void)nftw(root, add_one, 16, FTW_PHYS);
    return sum;
}
