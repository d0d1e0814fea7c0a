/* Opening and closing what a pass works with. */
#include "pass.h"

#include "cleanup.h"
#include "hung.h"
#include "run.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The trace of every access, switched on by GPUPART_TRACE=sysfs,plan. */
static void trace_line(const char *line)
{
    (void)fprintf(stderr, "gpupart: trace: %s\n", line);
}

static struct gp_error *read_whole(struct gp_arena *mem, const char *path, const char **ret, size_t *ret_size)
{
    enum { LARGEST = 1 << 20 };
    gp_cleanup(gp_close_p) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    char *text;
    size_t size = 0;

    if (fd < 0)
        return gp_error_errno(errno, "%s cannot be read", path);
    if (fstat(fd, &st) < 0)
        return gp_error_errno(errno, "%s cannot be read", path);
    if (!S_ISREG(st.st_mode) || st.st_size > LARGEST)
        return gp_error_new(GP_E_CONFIG, "%s is not a file of at most 1 MiB", path);
    text = gp_arena_alloc(mem, (size_t)st.st_size + 1);
    for (ssize_t n; size < (size_t)st.st_size; size += (size_t)n) {
        n = read(fd, text + size, (size_t)st.st_size - size);
        if (n < 0)
            return gp_error_errno(errno, "%s cannot be read", path);
        if (n == 0)
            break;
    }
    *ret = text;
    *ret_size = size;
    return NULL;
}

static struct gp_agent_decl *agent_defaults(struct gp_arena *mem)
{
    struct gp_agent_decl *agent = gp_new(mem, struct gp_agent_decl);

    agent->ceiling_vms_stopped = UINT32_MAX;
    agent->ceiling_gpus_changed = UINT32_MAX;
    return agent;
}

/* A remote that cannot be asked is told when it is its turn, as one that does not answer is: no guest stays down for the last
 * of several, nor at a boot, when none is asked. */
static void leave_to_git(struct gp_load *load)
{
    for (size_t i = 0; i < load->finding_count; i++)
        if (gp_streq(load->findings[i].rule, "GP-E012"))
            load->findings[i].level = GP_LEVEL_WARNING;
}

static struct gp_error *open_config(struct gp_pass *pass)
{
    const char *text = NULL, *path = pass->options.config;
    size_t size = 0;
    struct gp_error *err = NULL;

    gp_load_init(&pass->config, pass->mem, true, false);
    if (path) {
        err = read_whole(pass->mem, path, &text, &size);
        if (err && err->code == GP_E_GONE && !pass->options.config_given) {
            gp_error_free(err);
            text = NULL;
        } else if (err) {
            err->code = err->code == GP_E_PERM ? GP_E_PERM : GP_E_CONFIG;
            return gp_error_wrap(err, "the host's configuration (GpuAgent) cannot be used");
        }
    }
    if (text) {
        gp_load_file(&pass->config, path, text, size);
        gp_load_finish(&pass->config);
        leave_to_git(&pass->config);
        err = gp_load_error(&pass->config);
        if (err) {
            err->code = GP_E_CONFIG;
            return gp_error_wrap(err, "the host's configuration (GpuAgent) cannot be used");
        }
    }
    pass->agent = pass->config.agent ? pass->config.agent : agent_defaults(pass->mem);
    return NULL;
}

/* Without domain: "kvm-a" of "kvm-a.example.org". */
static const char *short_host_name(struct gp_arena *mem)
{
    char name[HOST_NAME_MAX + 1] = "";
    char *dot;

    (void)gethostname(name, sizeof name - 1);
    dot = strchr(name, '.');
    if (dot)
        *dot = '\0';
    return gp_strdup(mem, name[0] ? name : "localhost");
}

/* "kvm-a" of "captures/kvm-a/". */
static const char *folder_name(struct gp_arena *mem, const char *path)
{
    size_t end = strlen(path), begin;

    while (end > 1 && path[end - 1] == '/')
        end--;
    for (begin = end; begin > 0 && path[begin - 1] != '/';)
        begin--;
    return gp_strndup(mem, path + begin, end - begin);
}

/* A capture is of the host that it names. */
static const char *captured_host_name(struct gp_pass *pass)
{
    const char *name = NULL;
    struct gp_error *err = gp_host_read(&pass->host, pass->mem, "etc/hostname", &name);

    gp_error_free(err); /* it names none */
    if (name && *name)
        return gp_strndup(pass->mem, name, strcspn(name, ".\n"));
    return pass->options.capture ? folder_name(pass->mem, pass->options.root) : short_host_name(pass->mem);
}

struct gp_error *gp_pass_host_open(const struct gp_pass *pass, struct gp_host *ret)
{
    const char *trace = getenv("GPUPART_TRACE");
    struct gp_error *err = gp_host_open(pass->options.root, pass->options.change, ret);

    if (err)
        return err;
    if (trace && strstr(trace, "sysfs"))
        ret->trace = trace_line;
    ret->sriov_manage = pass->agent->sriov_manage;
    ret->machine_id = pass->machine_id;
    return NULL;
}

static struct gp_error *open_host(struct gp_pass *pass)
{
    const struct gp_pass_options *options = &pass->options;
    const bool real = gp_streq(options->root, "/");
    const char *trace = getenv("GPUPART_TRACE"), *id = NULL;
    struct gp_error *err;

    if (options->change && !real && !options->simulate)
        return gp_error_new(GP_E_REFUSED,
                            "changing something under the root %s needs --simulate: it is not this host",
                            options->root);
    pass->trace_plan = trace && strstr(trace, "plan");
    err = gp_pass_host_open(pass, &pass->host);
    if (err)
        return err;

    err = gp_host_read(&pass->host, pass->mem, "etc/machine-id", &id);
    if (err && !real) {
        /* A capture may come without one; then no mark fits and no UUID can be foretold. */
        gp_error_free(err);
        err = NULL;
        id = "00000000000000000000000000000000";
    }
    if (err)
        return gp_error_wrap(err, "this host has no machine id, by which gpupart knows its own marks");
    pass->machine_id = pass->host.machine_id = id;
    pass->host_name = options->host                             ? options->host
                      : pass->agent->name && !options->capture ? pass->agent->name
                      : real                                   ? short_host_name(pass->mem)
                                                               : captured_host_name(pass);
    pass->agent->name = pass->host_name; /* by which resolving finds this host in its cluster */
    return NULL;
}

/* A capture has its domains as files; anything else is asked through libvirt. That libvirt cannot be
 * reached is no error here: GPUs can still be told, and unknown guests count as holding them. */
static void open_virt(struct gp_pass *pass)
{
    const struct gp_pass_options *options = &pass->options;

    pass->connect = options->connect         ? options->connect
                    : pass->agent->connect ? pass->agent->connect
                                            : "qemu:///system";
    if (!options->connect && !gp_streq(options->root, "/"))
        pass->connect = NULL;
}

/* The start hook of this host reads /run/gpupart; what is only simulated is none of its business. */
static struct gp_error *open_run(struct gp_pass *pass)
{
    const bool real = gp_streq(pass->options.root, "/");

    if (!pass->options.change)
        return NULL;
    return gp_run_open(real ? "/run/gpupart" : gp_printf(pass->mem, "%s/run", pass->options.state), &pass->run);
}

/* What this host remembers is of this host alone: nothing that lies elsewhere is judged by it. A capture without a memory is of
 * a host that remembers nothing. */
static struct gp_error *find_state(struct gp_pass *pass)
{
    struct gp_pass_options *options = &pass->options;
    const bool real = gp_streq(options->root, "/");
    struct stat st;

    if (options->state)
        return NULL;
    options->state = real ? "/var/lib/gpupart" : gp_state_of_capture(pass->mem, options->root);
    pass->captured = !real && !options->simulate;
    if (pass->captured && lstat(options->state, &st) == 0 && S_ISLNK(st.st_mode))
        return gp_error_new(GP_E_REFUSED, "%s is a link, and would lead out of the capture", options->state);
    return NULL;
}

struct gp_error *gp_pass_open(const struct gp_pass_options *options, struct gp_pass *pass)
{
    const char *warning = NULL;
    pthread_mutexattr_t recursive;
    struct gp_error *err;

    *pass = (struct gp_pass){.options = *options, .mem = gp_arena_new(), .host = {.root_fd = -1}};
    (void)pthread_mutex_init(&pass->state_lock, NULL);
    (void)pthread_mutex_init(&pass->virt_lock, NULL);
    (void)pthread_mutexattr_init(&recursive);
    (void)pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
    (void)pthread_mutex_init(&pass->units_lock, &recursive);
    (void)pthread_mutexattr_destroy(&recursive);
    err = open_config(pass);
    if (!err)
        err = open_host(pass);
    if (!err)
        err = find_state(pass);
    if (!err) {
        open_virt(pass);
        err = gp_state_open(pass->options.state, options->change, pass->mem, &pass->state, &warning);
    }
    if (!err)
        err = open_run(pass);
    if (warning)
        (void)fprintf(stderr, "gpupart: warning: %s\n", warning);
    if (err) {
        gp_error_freeze(err); /* it points into the configuration, which goes with the arena */
        gp_pass_close(pass);
    }
    return err;
}

void gp_pass_unwritten(struct gp_pass *pass, struct gp_error *err)
{
    (void)pthread_mutex_lock(&pass->state_lock);
    if (pass->unwritten)
        gp_error_free(err);
    else
        pass->unwritten = err;
    (void)pthread_mutex_unlock(&pass->state_lock);
}

void gp_pass_close(struct gp_pass *pass)
{
    if (pass->mem)
        gp_hung_leave(pass);
    gp_error_warn(gp_steal(pass->unwritten)); /* the pass ended for another reason */
    gp_virt_close(pass->virt);
    gp_run_close(pass->run);
    gp_state_close(pass->state);
    if (pass->host.root_fd >= 0)
        gp_host_close(&pass->host);
    if (pass->mem) {
        (void)pthread_mutex_destroy(&pass->state_lock);
        (void)pthread_mutex_destroy(&pass->virt_lock);
        (void)pthread_mutex_destroy(&pass->units_lock);
    }
    gp_arena_free(pass->mem);
    *pass = (struct gp_pass){.host = {.root_fd = -1}};
}
