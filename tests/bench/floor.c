/* What cannot be left out, and nothing else: the programs that gpupart is measured against.
 *
 *   bench-floor look URI ROOT        two definitions of each domain; of each GPU and VF below ROOT, one listing and
 *                                    four attributes
 *   bench-floor scan FILE...         every event that libyaml sees in these files
 *   bench-floor hold URI REPOSITORY  holds a connection and an opened repository until it is killed */
#include <dirent.h>
#include <fcntl.h>
#include <git2.h>
#include <libvirt/libvirt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- look ---- */

static void read_definitions(const char *uri)
{
    virConnectPtr conn = virConnectOpenReadOnly(uri);
    virDomainPtr *domains = NULL;
    size_t bytes = 0;
    int count;

    if (!conn)
        exit(1); /* libvirt has said why */
    count = virConnectListAllDomains(conn, &domains, 0);
    for (int i = 0; i < count; i++) {
        static const unsigned which[] = {0, VIR_DOMAIN_XML_INACTIVE};

        for (size_t n = 0; n < 2; n++) {
            char *xml = virDomainGetXMLDesc(domains[i], which[n]);

            if (!xml)
                exit(1);
            bytes += strlen(xml);
            free(xml);
        }
        (void)virDomainFree(domains[i]);
    }
    free(domains);
    (void)virConnectClose(conn);
    printf("%d domains, %zu bytes\n", count, bytes);
}

static size_t read_attribute(int dir, const char *name, char *buffer, size_t size)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    if (fd < 0)
        return 0;
    n = read(fd, buffer, size - 1);
    (void)close(fd);
    buffer[n > 0 ? n : 0] = '\0';
    return n > 0 ? (size_t)n : 0;
}

/* A display controller, or a VF of one. */
static bool is_ours(int dir)
{
    char class[32];

    return read_attribute(dir, "class", class, sizeof class) && !strncmp(class, "0x03", 4);
}

static void read_devices(const char *root)
{
    static const char *const attributes[] = {"vendor", "device", "numa_node"};
    size_t devices = 0, entries = 0;
    char path[4096], value[4096];
    struct dirent *entry;
    DIR *bus;

    (void)snprintf(path, sizeof path, "%s/sys/bus/pci/devices", root);
    bus = opendir(path);
    if (!bus)
        die(path);
    while ((entry = readdir(bus))) {
        int fd = *entry->d_name == '.' ? -1 : openat(dirfd(bus), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *device;

        if (fd < 0)
            continue;
        if (!is_ours(fd)) {
            (void)close(fd);
            continue;
        }
        for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
            (void)read_attribute(fd, attributes[i], value, sizeof value);
        device = fdopendir(fd);
        while (device && readdir(device))
            entries++;
        (void)closedir(device);
        devices++;
    }
    (void)closedir(bus);
    printf("%zu devices, %zu entries\n", devices, entries);
}

/* ---- scan ---- */

static char *read_whole(const char *path, size_t *ret_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    char *text = size < 0 ? NULL : malloc((size_t)size + 1);

    if (!text || pread(fd, text, (size_t)size, 0) != size)
        die(path);
    (void)close(fd);
    *ret_size = (size_t)size;
    return text;
}

static size_t scan(const char *path)
{
    size_t size, events = 0;
    char *text = read_whole(path, &size);
    yaml_parser_t parser;
    bool ended = false;

    if (!yaml_parser_initialize(&parser))
        abort();
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
    while (!ended) {
        yaml_event_t event;

        if (!yaml_parser_parse(&parser, &event)) {
            fprintf(stderr, "%s: %s\n", path, parser.problem);
            exit(1);
        }
        ended = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        events++;
    }
    yaml_parser_delete(&parser);
    free(text);
    return events;
}

/* ---- hold ---- */

static void hold(const char *uri, const char *path)
{
    virConnectPtr conn = virConnectOpenReadOnly(uri);
    git_repository *repository = NULL;

    (void)git_libgit2_init();
    if (!conn || git_repository_open(&repository, path) < 0)
        exit(1);
    puts("ready");
    (void)fflush(stdout);
    for (;;)
        (void)pause();
}

int main(int argc, char *argv[])
{
    if (argc == 4 && !strcmp(argv[1], "look")) {
        read_definitions(argv[2]);
        read_devices(argv[3]);
    } else if (argc >= 3 && !strcmp(argv[1], "scan")) {
        size_t events = 0;

        for (int i = 2; i < argc; i++)
            events += scan(argv[i]);
        printf("%zu events\n", events);
    } else if (argc == 4 && !strcmp(argv[1], "hold")) {
        hold(argv[2], argv[3]);
    } else {
        fputs("usage: bench-floor look URI ROOT | scan FILE... | hold URI REPOSITORY\n", stderr);
        return 64;
    }
    return 0;
}
