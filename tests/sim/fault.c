/* Faults, and the log of writes. */
#include "sim.h"

#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

const char *const sim_rule_names[RULE_COUNT + 1] = {
    "fail", "hang", "hang-read", "late", "kill-before", "kill-after", NULL};

struct rule {
    struct rule *next;
    enum rule_kind kind;
    char glob[128];
    unsigned left; /* strikes at the write that brings it to 0; of late: ms */
    bool always;   /* strikes at each */
    int err;
    pid_t pid;
};
static struct rule *rules;

struct entry {
    struct entry *next;
    unsigned number;
    char *path, *value;
    int result; /* 0, -errno, or one of these */
};
enum { PENDING = 1, KILLED = 2 };
static struct entry *log_first, **log_end = &log_first;
static unsigned write_count;

static bool glob_matches(const char *glob, const char *path)
{
    char tail[140];

    snprintf(tail, sizeof tail, "*/%s", glob);
    return !fnmatch(glob, path, 0) || !fnmatch(tail, path, 0);
}

static bool ruled(enum rule_kind kind, const char *path)
{
    for (const struct rule *rule = rules; rule; rule = rule->next)
        if (rule->kind == kind && glob_matches(rule->glob, path))
            return true;
    return false;
}

void sim_rule_add(enum rule_kind kind, const char *glob, unsigned left, int err, pid_t pid)
{
    struct rule *rule = calloc(1, sizeof *rule);

    if (!rule)
        abort();
    *rule = (struct rule){.next = rules,
                          .kind = kind,
                          .left = left,
                          .err = err,
                          .pid = pid,
                          .always = kind == RULE_FAIL && !left};
    snprintf(rule->glob, sizeof rule->glob, "%s", glob);
    rules = rule;
}

/* Forgets the rules of @kind (-1: all) with this glob (NULL: any). */
void sim_rules_drop(int kind, const char *glob)
{
    for (struct rule **at = &rules; *at;) {
        struct rule *rule = *at;

        if ((kind < 0 || (int)rule->kind == kind) && (!glob || !strcmp(glob, rule->glob))) {
            *at = rule->next;
            free(rule);
        } else {
            at = &rule->next;
        }
    }
    sim_changed();
}

static struct rule *rule_copy(const struct rule *rule)
{
    struct rule *copy = malloc(sizeof *copy);

    if (!copy)
        abort();
    *copy = *rule;
    return copy;
}

/* The rule of @kind whose turn has come with this write; the caller frees. */
static struct rule *strike(enum rule_kind kind, const char *path)
{
    struct rule *hit = NULL;

    for (struct rule **at = &rules; *at;) {
        struct rule *rule = *at;

        if (rule->kind != kind || !glob_matches(rule->glob, path) ||
            (!rule->always && --rule->left)) {
            at = &rule->next;
            continue;
        }
        if (rule->always) {
            if (!hit)
                hit = rule_copy(rule);
            at = &rule->next;
            continue;
        }
        *at = rule->next;
        free(hit);
        hit = rule;
    }
    return hit;
}

unsigned sim_late_ms(const struct node *node)
{
    unsigned ms = 0;
    char *path;

    if (!rules)
        return 0;
    path = sim_path(node);
    for (const struct rule *rule = rules; rule; rule = rule->next)
        if (rule->kind == RULE_LATE && glob_matches(rule->glob, path))
            ms = rule->left;
    free(path);
    return ms;
}

void sim_read_fault(struct node *node)
{
    char *path;

    if (!rules)
        return;
    path = sim_path(node);
    while (ruled(RULE_HANG_READ, path))
        sim_wait();
    free(path);
}

/* ---- writes ---- */

/* The process that @task is a thread of. gpupart writes in a process of its own (providers/worker.c), which dies with the
 * one that has it write; that one is @ret_parent then, and 0 otherwise. */
static pid_t process_of(pid_t task, pid_t *ret_parent)
{
    char path[64], line[128], name[32] = "";
    int group = task, parent = 0;
    FILE *in;

    snprintf(path, sizeof path, "/proc/%d/status", (int)task);
    in = fopen(path, "re");
    while (in && fgets(line, sizeof line, in)) {
        sscanf(line, "Name: %31s", name);
        sscanf(line, "Tgid: %d", &group);
        if (sscanf(line, "PPid: %d", &parent) == 1)
            break;
    }
    if (in)
        fclose(in);
    *ret_parent = strcmp(name, "gpupart-write") ? 0 : parent;
    return group;
}

static void fatal(const struct rule *rule, pid_t writer)
{
    pid_t parent = 0, group = process_of(writer, &parent);

    if (rule->pid) {
        group = rule->pid;
        parent = 0;
    }
    if (parent > 1)
        kill(parent, SIGKILL);
    if (group > 0)
        kill(group, SIGKILL);
}

int sim_store(struct node *node, const char *text, size_t len)
{
    if (node->dead)
        return -ENODEV;
    if (node->attr)
        return node->attr->store ? node->attr->store(node, text, len) : -EIO;
    free(node->text);
    node->text = strdup(text);
    if (!node->text)
        abort();
    node->len = len;
    return 0;
}

static int faulty_store(struct node *node, const char *path, const char *text, size_t len,
                        pid_t pid, bool *ret_killed)
{
    struct rule *rule = strike(RULE_KILL_BEFORE, path);
    int err;

    if (rule) {
        fatal(rule, pid);
        free(rule);
        *ret_killed = true;
        return -EINTR;
    }
    rule = strike(RULE_FAIL, path);
    if (rule) {
        err = rule->err;
        free(rule);
        return err;
    }
    while (ruled(RULE_HANG, path))
        sim_wait();
    rule = strike(RULE_KILL_AFTER, path);
    err = sim_store(node, text, len);
    if (rule) {
        fatal(rule, pid);
        free(rule);
    }
    return err;
}

int sim_write(struct node *node, const char *text, size_t len, pid_t pid)
{
    struct entry *entry;
    bool killed = false;
    char *path;
    int err;

    if (node->attr && node->parent == &sim_root) /* the control file is no part of the host */
        return sim_store(node, text, len);
    path = sim_path(node);
    entry = calloc(1, sizeof *entry);
    if (!entry)
        abort();
    *entry = (struct entry){.number = ++write_count, .path = path, .result = PENDING};
    entry->value = strndup(text, strcspn(text, "\n"));
    *log_end = entry;
    log_end = &entry->next;
    err = faulty_store(node, path, text, len, pid, &killed);
    entry->result = killed ? KILLED : err;
    return err;
}

void sim_log_print(FILE *out)
{
    for (const struct entry *entry = log_first; entry; entry = entry->next)
        fprintf(out, "%u %s %s %s\n", entry->number,
                entry->result == PENDING  ? "pending"
                : entry->result == KILLED ? "killed"
                : entry->result           ? strerrorname_np(-entry->result)
                                          : "ok",
                entry->path, entry->value);
}

void sim_log_clear(void)
{
    struct entry **at = &log_first;

    while (*at) {
        struct entry *entry = *at;

        if (entry->result == PENDING) { /* its writer still has it */
            at = &entry->next;
            continue;
        }
        *at = entry->next;
        free(entry->path);
        free(entry->value);
        free(entry);
    }
    log_end = at;
    write_count = 0;
}

void sim_rules_print(FILE *out)
{
    for (const struct rule *rule = rules; rule; rule = rule->next)
        fprintf(out, "%s: {glob: '%s', left: %u, errno: %s, pid: %d}\n", sim_rule_names[rule->kind],
                rule->glob, rule->left, rule->err ? strerrorname_np(-rule->err) : "none",
                (int)rule->pid);
    fprintf(out, "writes: %u\n", write_count);
}
