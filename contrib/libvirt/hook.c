/* libvirt's hook for QEMU guests, installed as /etc/libvirt/hooks/qemu.d/gpupart: keeps a VM from being started while
 * gpupart works on it, and from getting a device that is not what it was when gpupart gave it to that VM.
 *
 * libvirt runs it at each change of each guest as `gpupart NAME OPERATION …` with the domain's XML on stdin. A status
 * other than 0 on `prepare` refuses the start, and what is on stderr becomes libvirt's reason. It must never call
 * libvirt, which waits for it (https://libvirt.org/hooks.html). What it reads is /run/gpupart (reconciler/edge/run.h tells
 * the files), and of the kernel only what is named there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RUN "/run/gpupart"
#define ALIAS "ua-gpupart-"

enum { LARGEST_XML = 16 << 20, LARGEST_FILE = 64 << 10, PATIENCE_S = 20 };

__attribute__((format(printf, 1, 2), noreturn)) static void refuse(const char *format, ...)
{
    va_list args;

    (void)fputs("gpupart: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(EXIT_FAILURE);
}

/* A driver that does not answer is no device for a guest. */
static void on_alarm(int signal)
{
    static const char text[] = "gpupart: the device does not answer\n";

    (void)signal;
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(EXIT_FAILURE);
}

static bool is_empty(const char *path)
{
    DIR *dir = opendir(path);
    bool found = false;

    for (const struct dirent *entry; dir && !found && (entry = readdir(dir));)
        found = entry->d_name[0] != '.';
    if (dir)
        (void)closedir(dir);
    return !found;
}

/* All that @fd gives, at most @largest bytes, with a NUL behind it. NULL with errno. */
static char *read_all(int fd, size_t largest, size_t *ret_size)
{
    size_t size = 0, room = 4096;
    char *text = malloc(room + 1);

    for (;;) {
        ssize_t n;

        if (!text)
            refuse("out of memory");
        n = read(fd, text + size, room - size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0 || size + (size_t)n > largest) {
            if (n == 0)
                break;
            free(text);
            return NULL;
        }
        size += (size_t)n;
        if (size == room)
            text = realloc(text, (room *= 2) + 1);
    }
    text[size] = '\0';
    *ret_size = size;
    return text;
}

static char *read_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    size_t size = 0;
    char *text = fd < 0 ? NULL : read_all(fd, LARGEST_FILE, &size);

    if (fd >= 0)
        (void)close(fd);
    while (text && size && text[size - 1] == '\n')
        text[--size] = '\0';
    return text;
}

/* The part of a line up to the next tab, which is ended there; *@rest is what follows. */
static char *field(char **rest)
{
    char *start = *rest ? *rest : (char *)"";
    char *tab = strchr(start, '\t');

    if (tab)
        *tab = '\0';
    *rest = tab ? tab + 1 : NULL;
    return start;
}

/* ---- holds ---- */

/* A hold is locked by the pass for as long as that lives. */
static void check_hold(const char *vm)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char path[sizeof RUN "/holds/" + 64], *text = NULL, *line, *save = NULL;
    const char *reason = "a pass of gpupart works on it";
    size_t size;
    int fd;

    if (strlen(vm) > 40 || strchr(vm, '/'))
        return;
    (void)snprintf(path, sizeof path, RUN "/holds/%s", vm);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fcntl(fd, F_OFD_GETLK, &lock) < 0 || lock.l_type == F_UNLCK)
        return;
    text = read_all(fd, LARGEST_FILE, &size);
    for (line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
        const char *key = field(&line);

        if (strcmp(key, "reason") == 0)
            reason = field(&line);
    }
    refuse("this VM cannot be started now: %s. It can when that is done; gpupart starts what it stopped by itself",
           reason);
}

/* ---- devices ---- */

static void check_value(const char *partition, const char *path, const char *want)
{
    char *have = read_file(path);

    if (!have)
        refuse("%s is not what this VM was given: %s cannot be read (%s)", partition, path, strerror(errno));
    if (strcmp(have, want) != 0)
        refuse("%s is not what this VM was given: %s is '%s', not '%s'. See: gpupart drift", partition, path, have, want);
    free(have);
}

static void check_link(const char *partition, const char *path, const char *want)
{
    char have[4096];
    ssize_t n = readlink(path, have, sizeof have - 1);

    if (n < 0)
        refuse("%s is not what this VM was given: %s cannot be read (%s)", partition, path, strerror(errno));
    have[n] = '\0';
    if (strcmp(have, want) != 0)
        refuse("%s is not what this VM was given: %s leads to '%s', not '%s'. See: gpupart drift", partition, path, have,
               want);
}

static void check_device(const char *vm, const char *device)
{
    char path[sizeof RUN "/devices/" + 64], *text, *line, *save = NULL;
    const char *partition = device;

    if (strlen(device) > 40)
        return;
    (void)snprintf(path, sizeof path, RUN "/devices/%s", device);
    text = read_file(path);
    for (line = text ? strtok_r(text, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
        const char *key = field(&line), *first = field(&line);

        if (strcmp(key, "partition") == 0)
            partition = first;
        else if (strcmp(key, "refuse") == 0)
            refuse("%s (%s) cannot be given to this VM: %s", partition, device, first);
        else if (strcmp(key, "vm") == 0 && strcmp(first, vm) != 0)
            refuse("%s (%s) is VM %s's, not this one's", partition, device, first);
        else if (strcmp(key, "value") == 0)
            check_value(partition, first, field(&line));
        else if (strcmp(key, "link") == 0)
            check_link(partition, first, field(&line));
    }
    free(text);
}

static unsigned long number(xmlNode *node, const char *name)
{
    xmlChar *text = xmlGetProp(node, (const xmlChar *)name);
    unsigned long value = text ? strtoul((const char *)text, NULL, 0) : 0;

    xmlFree(text);
    return value;
}

/* @node: <address> of a PCI function or of an mdev. */
static void check_address(const char *vm, xmlNode *node)
{
    xmlChar *uuid = xmlGetProp(node, (const xmlChar *)"uuid");
    char device[64];

    if (uuid)
        (void)snprintf(device, sizeof device, "%s", (const char *)uuid);
    else
        (void)snprintf(device, sizeof device, "%04lx:%02lx:%02lx.%lx", number(node, "domain"), number(node, "bus"),
                       number(node, "slot"), number(node, "function"));
    xmlFree(uuid);
    check_device(vm, device);
}

static void check_devices(const char *vm, xmlXPathContext *context)
{
    xmlXPathObject *found = xmlXPathEval(
        (const xmlChar *)"/domain/devices/hostdev[starts-with(alias/@name, '" ALIAS "')]/source/address", context);

    for (int i = 0; found && found->nodesetval && i < found->nodesetval->nodeNr; i++)
        check_address(vm, found->nodesetval->nodeTab[i]);
    xmlXPathFreeObject(found);
}

static void check(const char *xml, size_t size)
{
    xmlDoc *doc = xmlReadMemory(xml, (int)size, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    xmlXPathContext *context = doc ? xmlXPathNewContext(doc) : NULL;
    xmlXPathObject *uuid = context ? xmlXPathEval((const xmlChar *)"string(/domain/uuid)", context) : NULL;

    if (!uuid || !uuid->stringval)
        refuse("the definition that libvirt hands over cannot be read");
    check_hold((const char *)uuid->stringval);
    check_devices((const char *)uuid->stringval, context);
    xmlXPathFreeObject(uuid);
    xmlXPathFreeContext(context);
    xmlFreeDoc(doc);
}

int main(int argc, char **argv)
{
    bool no_holds;
    char *xml;
    size_t size = 0;

    if (argc < 3 || strcmp(argv[2], "prepare") != 0)
        return EXIT_SUCCESS;
    no_holds = is_empty(RUN "/holds");
    if (no_holds && is_empty(RUN "/devices"))
        return EXIT_SUCCESS;
    (void)signal(SIGALRM, on_alarm);
    (void)alarm(PATIENCE_S);
    xml = read_all(STDIN_FILENO, LARGEST_XML, &size);
    if (!xml)
        refuse("the definition that libvirt hands over cannot be read");
    /* A VM that nobody holds and that has nothing of ours is none of our business. */
    if (!no_holds || memmem(xml, size, ALIAS, strlen(ALIAS)))
        check(xml, size);
    free(xml);
    return EXIT_SUCCESS;
}
