/* gpupart: GPU partitions on KVM hosts, kept as git says. */
#include "command.h"

#include "cleanup.h"
#include "shown.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *argp_program_version = "gpupart " GP_VERSION;

static const struct gp_command *const commands[] = {
    &gp_command_validate,  &gp_command_schema, &gp_command_explain, &gp_command_inventory,
    &gp_command_plan,      &gp_command_apply,  &gp_command_reconcile, &gp_command_run,
    &gp_command_drift,     &gp_command_status, &gp_command_report,
    &gp_command_pause,     &gp_command_resume, &gp_command_approve, &gp_command_history,
    &gp_command_capture,   &gp_command_trust,
};
enum { COMMANDS = sizeof commands / sizeof *commands };

enum { KEY_ROOT = 1000, KEY_CONNECT, KEY_CONFIG, KEY_STATE, KEY_DIR, KEY_GIT, KEY_REF, KEY_PATH, KEY_HOST, KEY_SIMULATE, KEY_FORMAT };

static const struct argp_option common_options[] = {
    {"dir", KEY_DIR, "PATH", 0, "desired state from a working tree or file", 90},
    {"git", KEY_GIT, "URL", 0, "desired state from this repository instead of GpuAgent's remotes", 90},
    {"ref", KEY_REF, "REF", 0, "its reference (default: GpuAgent's, else refs/heads/main)", 90},
    {"path", KEY_PATH, "P", 0, "the folder in it", 90},
    {"host", KEY_HOST, "NAME", 0, "which host this is (default: GpuAgent's name, else the short host name)", 90},
    {"root", KEY_ROOT, "DIR", 0, "where sys/, dev/ and proc/ lie: / or a capture (default: /)", 91},
    {"simulate", KEY_SIMULATE, NULL, 0, "changing something under a root other than / is meant", 91},
    {"connect", KEY_CONNECT, "URI", 0, "libvirt's URI (default: GpuAgent's, else qemu:///system)", 91},
    {"config", KEY_CONFIG, "FILE", 0, "GpuAgent's file (default: /etc/gpupart/agent.yaml)", 91},
    {"state", KEY_STATE, "DIR", 0, "the state directory (default: /var/lib/gpupart, for another root the state/ in it)", 91},
    {"format", KEY_FORMAT, "NAME", 0, "text, json or what the command has besides", 92},
    {0},
};

static error_t parse_common(int key, char *value, struct argp_state *state)
{
    struct gp_cli *cli = state->input;

    switch (key) {
    case KEY_ROOT:
        cli->pass.root = value;
        return 0;
    case KEY_CONNECT:
        cli->pass.connect = value;
        return 0;
    case KEY_CONFIG:
        cli->pass.config = value;
        cli->pass.config_given = true;
        return 0;
    case KEY_STATE:
        cli->pass.state = value;
        return 0;
    case KEY_DIR:
        cli->pass.dir = value;
        return 0;
    case KEY_GIT:
        cli->pass.git_url = value;
        return 0;
    case KEY_REF:
        cli->pass.git_ref = value;
        return 0;
    case KEY_PATH:
        cli->pass.git_path = value;
        return 0;
    case KEY_HOST:
        cli->pass.host = value;
        return 0;
    case KEY_SIMULATE:
        cli->pass.simulate = true;
        return 0;
    case KEY_FORMAT:
        cli->format = value;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp common = {.options = common_options, .parser = parse_common};

/* ---- gpupart [options] COMMAND … ---- */

struct top {
    struct gp_cli cli;
    int next; /* index of the command in argv */
};

static error_t parse_top(int key, char *value, struct argp_state *state)
{
    struct top *top = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &top->cli;
        return 0;
    case ARGP_KEY_ARG:
        for (size_t i = 0; i < COMMANDS; i++)
            if (gp_streq(commands[i]->name, value))
                top->cli.command = commands[i];
        if (!top->cli.command) {
            const char *names[COMMANDS + 1] = {0};
            const char *nearest;

            for (size_t i = 0; i < COMMANDS; i++)
                names[i] = commands[i]->name;
            nearest = gp_nearest(value, names);
            argp_error(state, "'%s' is no command%s%s%s", value, nearest ? "; did you mean '" : "",
                       nearest ? nearest : "", nearest ? "'?" : "");
            return EINVAL;
        }
        top->next = state->next - 1;
        state->next = state->argc;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_usage(state);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static char *commands_doc(void)
{
    char *doc = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&doc, &size);

    if (!out)
        abort();
    (void)fprintf(out, "Keeps the GPU partitions of a KVM host as git says.\vCommands:\n");
    for (size_t i = 0; i < COMMANDS; i++)
        (void)fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->doc);
    (void)fprintf(out, "\n`gpupart COMMAND --help` tells its options.\n\n"
                       "Exit status: 0 done, or nothing to do; 1 failure; 2 differences; 3 desired\n"
                       "state invalid; 4 refused by trust, safety or policy; 5 failed and restored;\n"
                       "6 failed and not restored; 7 knowledge incomplete; 8 locked or paused;\n"
                       "9 reboot needed; 64 usage; 77 permission; 78 host configuration.\n");
    (void)fclose(out);
    return doc;
}

/* ---- gpupart COMMAND [options] ---- */

static error_t parse_command(int key, char *value, struct argp_state *state)
{
    struct gp_cli *cli = state->input;

    if (key == ARGP_KEY_INIT)
        state->child_inputs[0] = cli;
    if (cli->command->parser && (key != ARGP_KEY_ARG || cli->command->args_doc))
        return cli->command->parser(key, value, state);
    if (key == ARGP_KEY_ARG)
        argp_error(state, "'%s' takes no arguments, not '%s'", cli->command->name, value);
    return ARGP_ERR_UNKNOWN;
}

enum gp_format gp_cli_format(const struct gp_cli *cli, const int *allowed)
{
    static const char *const names[] = {
        [GP_FORMAT_TEXT] = "text",   [GP_FORMAT_JSON] = "json",     [GP_FORMAT_MARKDOWN] = "markdown",
        [GP_FORMAT_SARIF] = "sarif", [GP_FORMAT_GITHUB] = "github", [GP_FORMAT_GITLAB] = "gitlab",
    };

    if (!cli->format)
        return (enum gp_format)allowed[0];
    for (const int *format = allowed; *format >= 0; format++)
        if (gp_streq(cli->format, names[*format]))
            return (enum gp_format)*format;
    (void)fprintf(stderr, "gpupart %s: --format takes", cli->command->name);
    for (const int *format = allowed; *format >= 0; format++)
        (void)fprintf(stderr, "%s %s", format == allowed ? "" : ",", names[*format]);
    (void)fprintf(stderr, ", not '%s'\n", cli->format);
    exit(GP_EXIT_USAGE);
}

static _Noreturn void refuse_usage(const struct gp_cli *cli, const char *why)
{
    (void)fprintf(stderr, "gpupart %s: %s\nTry `gpupart %s --help'.\n", cli->command->name, why, cli->command->name);
    exit(GP_EXIT_USAGE);
}

/* Options that say two things at once would be obeyed by half. */
static void check_usage(const struct gp_cli *cli)
{
    const struct gp_pass_options *o = &cli->pass;
    const char *const values[] = {o->root, o->connect, o->config, o->state, o->dir, o->git_url,
                                  o->git_ref, o->git_path, o->host};
    static const char *const empty[] = {
        "--root takes a directory, not ''",  "--connect takes an URI, not ''",     "--config takes a file, not ''",
        "--state takes a directory, not ''", "--dir takes a path, not ''",         "--git takes an URL, not ''",
        "--ref takes a reference, not ''",   "--path takes a folder, not ''; leave it out for the whole repository",
        "--host takes a name, not ''"};

    _Static_assert(sizeof values / sizeof *values == sizeof empty / sizeof *empty, "one for each value");
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        if (values[i] && !*values[i])
            refuse_usage(cli, empty[i]);
    if (o->dir && o->git_url)
        refuse_usage(cli, "--dir and --git both say where the desired state is; give one of them");
    if (o->dir && (o->git_ref || o->git_path))
        refuse_usage(cli, "--ref and --path are of a repository, and --dir is a folder of files; give --git, or leave them out");
}

int gp_cli_fail(struct gp_error *err)
{
    const int exit = gp_exit_of(err->code);

    (void)fputs("gpupart: ", stderr);
    gp_error_print(stderr, err);
    gp_error_free(err);
    return exit;
}

/* An answer that did not arrive whole (a full disk) is no success. */
static int ended(int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    (void)fprintf(stderr, "gpupart: what it had to say could not be written to stdout: %s\n", strerror(errno));
    return gp_exit_worse(status, GP_EXIT_FAILURE);
}

int main(int argc, char **argv)
{
    gp_cleanup(gp_free_p) char *doc = commands_doc();
    gp_cleanup(gp_free_p) char *name = NULL;
    const struct argp_child children[] = {{&common, 0, "What is wanted, and which host:", 89}, {0}};
    const struct argp top_argp = {
        .parser = parse_top, .args_doc = "COMMAND [ARGUMENT…]", .doc = doc, .children = children};
    struct top top = {.cli = {.pass = {
                                  .root = "/",
                                  .config = "/etc/gpupart/agent.yaml",
                              }}};
    struct argp command_argp = {.parser = parse_command, .children = children};

    stdout = gp_shown_open(stdout);
    argp_err_exit_status = GP_EXIT_USAGE;
    (void)argp_parse(&top_argp, argc, argv, ARGP_IN_ORDER, NULL, &top);
    command_argp.options = top.cli.command->options;
    command_argp.args_doc = top.cli.command->args_doc;
    command_argp.doc = top.cli.command->doc;
    if (asprintf(&name, "gpupart %s", top.cli.command->name) < 0)
        abort();
    argv[top.next] = name;
    (void)argp_parse(&command_argp, argc - top.next, argv + top.next, 0, NULL, &top.cli);
    check_usage(&top.cli);
    return ended(top.cli.command->run(&top.cli));
}
