/* Stands between a client and libvirtd and does what a hypervisor does on its bad days.
 *
 *   libvirt-proxy LISTEN CONNECT CONTROL LOG
 *
 * Passes libvirt's protocol from the socket LISTEN to the socket CONNECT and back. Each call of a
 * client is counted from 1, over all connections, and written to LOG as "N NUMBER NAME". The rules
 * in the file CONTROL are read anew for each call; several may fit one:
 *
 *   swallow PROC [NAME]  say that it was done, and do not do it; only for calls without a result:
 *                        shutdown, shutdown-flags, create, destroy, destroy-flags. NAME: of that domain alone
 *   mute PROC [NAME]     neither do it nor answer it; other calls go on, until five of this connection have no answer: then,
 *                        as libvirtd would, it takes no more of it (libvirtd.conf, max_client_requests)
 *   fail PROC [NAME]     answer with an error, and do not do it
 *   no-agent PROC [NAME] answer that the guest's agent does not, as libvirtd does when a guest has taken a minute to go down
 *   delay PROC MS        do it MS later; the connection waits
 *   hold PROC            do it once this rule is gone; the connection waits
 *   swallow-at N, mute-at N, fail-at N, delay-at N MS, hold-at N
 *                        the same for the Nth call
 *   fail-after N         do it, and answer with an error
 *   die-at N             end the proxy, and so every connection, and do not pass the Nth call on
 *   die-after N          do it, and end the proxy before it answers
 *   kill-client-at N     KILL the process that made the Nth call, and do not pass it on
 *   kill-client-after N  do it, and KILL before it is answered
 *
 * N may also be PROC/N: the Nth call of that procedure, which does not change with how often somebody looks.
 * PROC is a number of libvirt's remote program, or one of the names below; * is any. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* libvirt src/rpc/virnetprotocol.x and src/remote/remote_protocol.x: a message is its length,
 * itself included, six words of header, and a body, all big endian. The numbers of calls never
 * change. */
enum {
    REMOTE_PROGRAM = 0x20008086,
    TYPE_CALL = 0,
    TYPE_REPLY = 1,
    STATUS_OK = 0,
    STATUS_ERROR = 1,
    HEADER_SIZE = 28,
    MESSAGE_MAX = 32 << 20,
    ERROR_NONE = 0,
    ERROR_SYSTEM = 38,       /* VIR_ERR_SYSTEM_ERROR */
    ERROR_UNRESPONSIVE = 86, /* VIR_ERR_AGENT_UNRESPONSIVE */
    LEVEL_ERROR = 2,   /* VIR_ERR_ERROR */
    AFTER_MAX = 16,
    HOLD_POLL_US = 10000,
    PROCEDURE_MAX = 1024,
    CLIENT_REQUESTS_MAX = 5, /* libvirtd.conf, max_client_requests */
};

static const struct {
    const char *name;
    uint32_t number;
} procedures[] = {
    {"open", 1},
    {"close", 2},
    {"create", 9},
    {"define", 11},
    {"destroy", 12},
    {"get-xml", 14},
    {"get-autostart", 15},
    {"get-info", 16},
    {"lookup-id", 22},
    {"lookup-name", 23},
    {"lookup-uuid", 24},
    {"reboot", 27},
    {"resume", 28},
    {"shutdown", 33},
    {"undefine", 35},
    {"supports-feature", 60},
    {"auth-list", 66},
    {"is-active", 150},
    {"is-persistent", 151},
    {"attach-flags", 160},
    {"detach-flags", 161},
    {"get-job-info", 163},
    {"update-device", 174},
    {"managed-save", 182},
    {"has-managed-save", 183},
    {"create-flags", 196},
    {"is-updated", 202},
    {"get-state", 212},
    {"undefine-flags", 231},
    {"destroy-flags", 234},
    {"shutdown-flags", 258},
    {"set-metadata", 264},
    {"get-metadata", 265},
    {"list-domains", 273},
    {"get-job-stats", 298},
    {"event-register", 316},
    {"event-deregister", 317},
    {"define-flags", 350},
    {"close-register", 360},
    {"close-deregister", 361},
};

enum what { WHAT_SWALLOW, WHAT_MUTE, WHAT_FAIL, WHAT_NO_AGENT, WHAT_DELAY, WHAT_HOLD, WHAT_DIE, WHAT_KILL, WHAT_COUNT };
enum when { WHEN_PROC, WHEN_AT, WHEN_AFTER };

struct message {
    unsigned char *bytes;
    uint32_t length;
};

/* A call of a client: its number among all, and among those of its procedure. */
struct call {
    const struct message *message;
    uint32_t procedure;
    unsigned long number, number_of;
};

/* What the rules say of one call. */
struct verdict {
    bool at[WHAT_COUNT], after[WHAT_COUNT];
    unsigned delay_ms;
};

struct link {
    int client, server;
    unsigned muted; /* calls that are never answered */
    /* Calls whose answer is waited for, by serial; 0: free. */
    struct {
        uint32_t serial;
        struct verdict verdict;
    } after[AFTER_MAX];
};

static const char *control_path, *target_path;
static FILE *log_file;
static pthread_mutex_t count_lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long calls, calls_of[PROCEDURE_MAX];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static uint32_t get_word(const unsigned char *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static unsigned char *put_word(unsigned char *at, uint32_t word)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(word >> (24 - 8 * i));
    return at + 4;
}

static const char *name_of(uint32_t number)
{
    for (size_t i = 0; i < sizeof(procedures) / sizeof(*procedures); i++) {
        if (procedures[i].number == number)
            return procedures[i].name;
    }
    return "-";
}

static bool is_procedure(const char *text, uint32_t number)
{
    char *end;
    unsigned long value = strtoul(text, &end, 10);

    if (!strcmp(text, "*"))
        return true;
    return end != text && !*end ? value == number : !strcmp(text, name_of(number));
}

/* "kill-client-after" into WHAT_KILL and WHEN_AFTER. */
static bool parse_action(char *word, enum what *what, enum when *when)
{
    static const char *const names[WHAT_COUNT] = {"swallow", "mute", "fail", "no-agent", "delay", "hold", "die", "kill-client"};
    static const char *const suffixes[] = {
        [WHEN_PROC] = "", [WHEN_AT] = "-at", [WHEN_AFTER] = "-after"};

    for (unsigned i = 0; i < WHAT_COUNT; i++) {
        for (unsigned j = 0; j < 3; j++) {
            size_t length = strlen(names[i]);
            if (!strncmp(word, names[i], length) && !strcmp(word + length, suffixes[j])) {
                *what = i;
                *when = j;
                return true;
            }
        }
    }
    return false;
}

/* Whether the first thing that a call is about is the domain called @name. A domain is a string, which is its
 * length and bytes, then UUID and id. */
static bool is_about(const struct message *call, const char *name)
{
    const size_t length = strlen(name);

    return call->length >= HEADER_SIZE + 4 + length && get_word(call->bytes + HEADER_SIZE) == length &&
           !memcmp(call->bytes + HEADER_SIZE + 4, name, length);
}

/* @text is the number of the call, or "PROC/N" and this is the Nth call of that procedure. */
static bool is_number(const char *text, const struct call *call)
{
    const char *slash = strchr(text, '/');
    char name[32];

    if (!slash)
        return strtoul(text, NULL, 10) == call->number;
    snprintf(name, sizeof(name), "%.*s", (int)(slash - text), text);
    return is_procedure(name, call->procedure) && strtoul(slash + 1, NULL, 10) == call->number_of;
}

/* A rule that says nothing known ends the proxy: a test with a mistake in it must not pass. */
static void apply_rule(const char *line, const struct call *call, struct verdict *verdict)
{
    char word[32], which[32], last[64];
    enum what what;
    enum when when;
    int words = sscanf(line, "%31s %31s %63s", word, which, last);

    if (words <= 0 || *word == '#')
        return;
    if (words < 2 || !parse_action(word, &what, &when) || (what == WHAT_DELAY && words < 3) ||
        (when == WHEN_AFTER && (what == WHAT_SWALLOW || what == WHAT_MUTE || what == WHAT_DELAY || what == WHAT_HOLD))) {
        fprintf(stderr, "libvirt-proxy: no such rule: %s", line);
        exit(64);
    }
    if (when == WHEN_PROC ? !is_procedure(which, call->procedure) : !is_number(which, call))
        return;
    if (words == 3 && what != WHAT_DELAY && !is_about(call->message, last))
        return;
    if (when == WHEN_AFTER)
        verdict->after[what] = true;
    else
        verdict->at[what] = true;
    if (what == WHAT_DELAY)
        verdict->delay_ms = (unsigned)strtoul(last, NULL, 10);
}

static struct call count(const struct message *message, uint32_t procedure)
{
    pthread_mutex_lock(&count_lock);
    const struct call call = {
        .message = message,
        .procedure = procedure,
        .number = ++calls,
        .number_of = procedure < PROCEDURE_MAX ? ++calls_of[procedure] : 0,
    };
    fprintf(log_file, "%lu %u %s\n", call.number, procedure, name_of(procedure));
    fflush(log_file);
    pthread_mutex_unlock(&count_lock);
    return call;
}

static struct verdict judge(const struct call *call)
{
    struct verdict verdict = {0};
    char line[128];
    FILE *control = fopen(control_path, "re");

    while (control && fgets(line, sizeof(line), control))
        apply_rule(line, call, &verdict);
    if (control)
        fclose(control);
    return verdict;
}

static bool read_all(int fd, unsigned char *bytes, size_t length)
{
    while (length) {
        ssize_t done = read(fd, bytes, length);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        bytes += done;
        length -= (size_t)done;
    }
    return true;
}

static bool write_all(int fd, const unsigned char *bytes, size_t length)
{
    while (length) {
        ssize_t done = write(fd, bytes, length);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return false;
        bytes += done;
        length -= (size_t)done;
    }
    return true;
}

/* The caller frees the bytes, whatever is returned. */
static bool read_message(int fd, struct message *ret)
{
    unsigned char length[4];

    ret->bytes = NULL;
    if (!read_all(fd, length, sizeof(length)))
        return false;
    ret->length = get_word(length);
    if (ret->length < HEADER_SIZE || ret->length > MESSAGE_MAX)
        return false;
    ret->bytes = malloc(ret->length);
    if (!ret->bytes)
        die("libvirt-proxy");
    memcpy(ret->bytes, length, sizeof(length));
    return read_all(fd, ret->bytes + sizeof(length), ret->length - sizeof(length));
}

static bool is_remote(const struct message *message, uint32_t type)
{
    return get_word(message->bytes + 4) == REMOTE_PROGRAM && get_word(message->bytes + 16) == type;
}

static uint32_t serial_of(const struct message *message)
{
    return get_word(message->bytes + 20);
}

/* remote_error: code, domain, optional message, level, optional domain object, three optional
 * strings, two integers, optional network. */
static unsigned char *put_error(unsigned char *at, uint32_t error)
{
    static const char text[] = "injected by the test's proxy";
    const size_t padded = (sizeof(text) - 1 + 3) & ~(size_t)3;

    at = put_word(at, error);
    at = put_word(at, 0);
    at = put_word(at, 1);
    at = put_word(at, sizeof(text) - 1);
    memset(at, 0, padded);
    memcpy(at, text, sizeof(text) - 1);
    at += padded;
    at = put_word(at, LEVEL_ERROR);
    for (int i = 0; i < 4; i++)
        at = put_word(at, 0);
    at = put_word(at, UINT32_MAX);
    at = put_word(at, UINT32_MAX);
    return put_word(at, 0);
}

/* Answers @about, a call or its answer, itself. */
static bool answer(const struct link *link, const struct message *about, uint32_t error)
{
    unsigned char bytes[256], *end = bytes + HEADER_SIZE;

    memcpy(bytes, about->bytes, HEADER_SIZE);
    put_word(bytes + 16, TYPE_REPLY);
    put_word(bytes + 24, error ? STATUS_ERROR : STATUS_OK);
    if (error)
        end = put_error(end, error);
    put_word(bytes, (uint32_t)(end - bytes));
    return write_all(link->client, bytes, (size_t)(end - bytes));
}

static void kill_client(const struct link *link)
{
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (getsockopt(link->client, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 ||
        kill(peer.pid, SIGKILL) < 0)
        die("libvirt-proxy: kill-client");
}

/* Whether the connection is to end here. */
static bool ends(const struct link *link, const bool what[WHAT_COUNT])
{
    if (what[WHAT_KILL])
        kill_client(link);
    if (what[WHAT_DIE])
        exit(0);
    return what[WHAT_KILL];
}

static void remember(struct link *link, uint32_t serial, const struct verdict *verdict)
{
    for (int i = 0; i < AFTER_MAX; i++) {
        if (!link->after[i].serial) {
            link->after[i].serial = serial;
            link->after[i].verdict = *verdict;
            return;
        }
    }
    errno = ENOSPC;
    die("libvirt-proxy: rules that wait for an answer");
}

static bool from_client(struct link *link, const struct message *message)
{
    if (!is_remote(message, TYPE_CALL))
        return write_all(link->server, message->bytes, message->length);

    const struct call call = count(message, get_word(message->bytes + 12));
    struct verdict verdict = judge(&call);
    for (; verdict.at[WHAT_HOLD]; verdict = judge(&call))
        usleep(HOLD_POLL_US);
    if (ends(link, verdict.at))
        return false;
    usleep(verdict.delay_ms * 1000);
    if (verdict.at[WHAT_MUTE]) {
        link->muted++;
        return true;
    }
    if (verdict.at[WHAT_FAIL])
        return answer(link, message, ERROR_SYSTEM);
    if (verdict.at[WHAT_NO_AGENT])
        return answer(link, message, ERROR_UNRESPONSIVE);
    if (verdict.at[WHAT_SWALLOW])
        return answer(link, message, ERROR_NONE);
    if (verdict.after[WHAT_FAIL] || verdict.after[WHAT_DIE] || verdict.after[WHAT_KILL])
        remember(link, serial_of(message), &verdict);
    return write_all(link->server, message->bytes, message->length);
}

static bool from_server(struct link *link, const struct message *message)
{
    for (int i = 0; is_remote(message, TYPE_REPLY) && i < AFTER_MAX; i++) {
        if (link->after[i].serial && link->after[i].serial == serial_of(message)) {
            link->after[i].serial = 0;
            if (ends(link, link->after[i].verdict.after))
                return false;
            if (link->after[i].verdict.after[WHAT_FAIL])
                return answer(link, message, ERROR_SYSTEM);
        }
    }
    return write_all(link->client, message->bytes, message->length);
}

/* One thread a connection, whole messages at a time: whoever sends takes what comes the other way
 * too, as both ends read whenever something can be read. */
static void *serve(void *opaque)
{
    struct link *link = opaque;
    struct pollfd sides[] = {{link->client, POLLIN, 0}, {link->server, POLLIN, 0}};
    bool going = true;

    while (going) {
        sides[0].events = link->muted < CLIENT_REQUESTS_MAX ? POLLIN : 0;
        if (poll(sides, 2, -1) < 0 && errno != EINTR)
            break;
        for (int i = 0; i < 2 && going; i++) {
            struct message message;
            if (!sides[i].revents)
                continue;
            going = read_message(sides[i].fd, &message) &&
                    (i == 0 ? from_client(link, &message) : from_server(link, &message));
            free(message.bytes);
        }
    }
    close(link->client);
    close(link->server);
    free(link);
    return NULL;
}

static struct sockaddr_un address_of(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        die(path);
    }
    strcpy(address.sun_path, path);
    return address;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = address_of(path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 16) < 0)
        die(path);
    return fd;
}

/* A client whose server is not there is hung up on, as it would be without the proxy. */
static void take(int client)
{
    struct sockaddr_un address = address_of(target_path);
    int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct link *link = calloc(1, sizeof(*link));
    pthread_t thread;

    if (server < 0 || !link)
        die("libvirt-proxy");
    if (connect(server, (struct sockaddr *)&address, sizeof(address)) < 0) {
        close(server);
        close(client);
        free(link);
        return;
    }
    link->client = client;
    link->server = server;
    if (pthread_create(&thread, NULL, serve, link))
        die("libvirt-proxy");
    pthread_detach(thread);
}

int main(int argc, char *argv[])
{
    if (argc != 5) {
        fputs("usage: libvirt-proxy LISTEN CONNECT CONTROL LOG\n", stderr);
        return 64;
    }
    target_path = argv[2];
    control_path = argv[3];
    log_file = fopen(argv[4], "ae");
    if (!log_file)
        die(argv[4]);
    signal(SIGPIPE, SIG_IGN);
    int fd = listen_at(argv[1]);
    for (;;) {
        int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
        if (client >= 0)
            take(client);
        else if (errno != EINTR && errno != ECONNABORTED)
            die("libvirt-proxy: accept");
    }
}
