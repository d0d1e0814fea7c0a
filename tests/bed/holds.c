/* Preloaded into the mock's libvirtd: holds a running domain's partitions as QEMU would.
 *
 * For each PCI or mdev hostdev in the live definition of a running domain it keeps BED_HOLDS/dev/vfio/GROUP open.
 * As with QEMU, that is so when libvirt answers whoever started the domain, and no more so when it answers whoever ended
 * it: it takes after the hypervisor has begun, and lets go before it ends. What is held always belongs to a domain that
 * runs. When libvirtd dies, its guests are forgotten, and the kernel closes what it held.
 *
 * The calls are those by which a domain starts and ends here: libvirtd makes them for its clients. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <libvirt/libvirt.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <limits.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
    HOLDS_MAX = 256,
    CLOSED_WITHIN_MS = 2000,
};

struct hold {
    unsigned char domain[VIR_UUID_BUFLEN];
    char group[16];
    pid_t opener; /* the thread, which is what FUSE takes for the holder */
    int fd;
};

static struct hold holds[HOLDS_MAX];
static size_t count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *root;

__attribute__((constructor)) static void begin(void)
{
    root = getenv("BED_HOLDS");
    unsetenv("LD_PRELOAD");
}

static void complain(const char *what, const char *which, const char *why)
{
    fprintf(stderr, "holds: %s %s: %s\n", what, which, why);
}

/* Whether the simulated /proc still shows that it is open. */
static bool is_shown(const struct hold *hold)
{
    char path[PATH_MAX], target[PATH_MAX], wanted[32];
    bool found = false;

    snprintf(path, sizeof(path), "%s/proc/%d/fd", root, (int)hold->opener);
    snprintf(wanted, sizeof(wanted), "/dev/vfio/%s", hold->group);
    DIR *fds = opendir(path);
    for (struct dirent *entry; fds && !found && (entry = readdir(fds));) {
        ssize_t length = readlinkat(dirfd(fds), entry->d_name, target, sizeof(target) - 1);
        target[length > 0 ? length : 0] = '\0';
        found = !strcmp(target, wanted);
    }
    if (fds)
        closedir(fds);
    return found;
}

/* FUSE learns of a close() after it has returned. Who was told that a guest is off must not find its partition held. */
static void await_closed(const struct hold *hold)
{
    for (int ms = 0; is_shown(hold) && ms < CLOSED_WITHIN_MS; ms++)
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* What was let go is told, so that it can be taken again. */
static size_t let_go(virDomainPtr domain, struct hold *gone)
{
    unsigned char id[VIR_UUID_BUFLEN];
    size_t many = 0;

    if (!domain || virDomainGetUUID(domain, id) < 0)
        return 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count;) {
        if (memcmp(holds[i].domain, id, sizeof(id)) != 0) {
            i++;
            continue;
        }
        close(holds[i].fd);
        await_closed(&holds[i]);
        gone[many++] = holds[i];
        holds[i] = holds[--count];
    }
    pthread_mutex_unlock(&lock);
    return many;
}

static bool group_of(const char *device, char group[16])
{
    static const char *const buses[] = {"pci", "mdev"};
    char path[PATH_MAX], target[PATH_MAX];

    for (size_t i = 0; i < sizeof(buses) / sizeof(*buses); i++) {
        snprintf(path, sizeof(path), "%s/sys/bus/%s/devices/%s/iommu_group", root, buses[i], device);
        ssize_t length = readlink(path, target, sizeof(target) - 1);
        if (length <= 0)
            continue;
        target[length] = '\0';
        const char *slash = strrchr(target, '/');
        snprintf(group, 16, "%.15s", slash ? slash + 1 : target);
        return true;
    }
    return false;
}

static void hold_group(struct hold hold)
{
    char path[PATH_MAX];

    snprintf(path, sizeof(path), "%s/dev/vfio/%s", root, hold.group);
    hold.opener = gettid();
    hold.fd = count < HOLDS_MAX ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (hold.fd < 0) {
        complain("cannot hold", path, count < HOLDS_MAX ? strerror(errno) : "too many");
        return;
    }
    /* Before that, whoever has a group open may only have looked. Where the root is a plain folder nobody answers. */
    (void)ioctl(hold.fd, VFIO_GROUP_SET_CONTAINER, 0);
    holds[count++] = hold;
}

static void hold_device(const unsigned char domain[VIR_UUID_BUFLEN], const char *device)
{
    struct hold hold;

    memcpy(hold.domain, domain, sizeof(hold.domain));
    if (group_of(device, hold.group))
        hold_group(hold);
    else
        complain("cannot hold", device, "it has no IOMMU group");
}

static unsigned long address_part(xmlNode *address, const char *name)
{
    xmlChar *text = xmlGetProp(address, (const xmlChar *)name);
    unsigned long value = text ? strtoul((const char *)text, NULL, 0) : 0;

    xmlFree(text);
    return value;
}

static void hold_address(const unsigned char domain[VIR_UUID_BUFLEN], xmlNode *address)
{
    char device[64];
    xmlChar *uuid = xmlGetProp(address, (const xmlChar *)"uuid");

    if (uuid)
        snprintf(device, sizeof(device), "%s", (const char *)uuid);
    else
        snprintf(device, sizeof(device), "%04lx:%02lx:%02lx.%lx", address_part(address, "domain"),
                 address_part(address, "bus"), address_part(address, "slot"), address_part(address, "function"));
    xmlFree(uuid);
    hold_device(domain, device);
}

static void take(virDomainPtr domain)
{
    unsigned char id[VIR_UUID_BUFLEN];

    if (!root || !domain || virDomainIsActive(domain) != 1 || virDomainGetUUID(domain, id) < 0)
        return;
    char *xml = virDomainGetXMLDesc(domain, 0);
    xmlDoc *doc = xml ? xmlReadMemory(xml, (int)strlen(xml), NULL, NULL, XML_PARSE_NONET) : NULL;
    xmlXPathContext *context = doc ? xmlXPathNewContext(doc) : NULL;
    const xmlChar *path = (const xmlChar *)"/domain/devices/hostdev[@type='pci' or @type='mdev']/source/address";
    xmlXPathObject *found = context ? xmlXPathEvalExpression(path, context) : NULL;

    pthread_mutex_lock(&lock);
    for (int i = 0; found && found->nodesetval && i < found->nodesetval->nodeNr; i++)
        hold_address(id, found->nodesetval->nodeTab[i]);
    pthread_mutex_unlock(&lock);
    xmlXPathFreeObject(found);
    xmlXPathFreeContext(context);
    xmlFreeDoc(doc);
    free(xml);
}

static void take_again(const struct hold *gone, size_t many)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < many; i++)
        hold_group(gone[i]);
    pthread_mutex_unlock(&lock);
}

static void *original(const char *name)
{
    void *function = dlsym(RTLD_NEXT, name);

    if (!function) {
        complain("there is no", name, "libvirt has no such call");
        abort();
    }
    return function;
}

/* A call on one domain, after which it may run that did not, or the other way round. Where the hypervisor refused, what
 * was let go is taken again without asking it: a second call would replace the error that libvirtd is about to tell. */
#define AROUND(NAME, PARAMETERS, ARGUMENTS)                                                                            \
    int NAME PARAMETERS                                                                                                \
    {                                                                                                                  \
        int(*call) PARAMETERS = original(#NAME);                                                                       \
        struct hold gone[HOLDS_MAX];                                                                                   \
        const size_t many = let_go(domain, gone);                                                                      \
        const int result = call ARGUMENTS;                                                                             \
        if (result < 0)                                                                                                \
            take_again(gone, many);                                                                                    \
        else                                                                                                           \
            take(domain);                                                                                              \
        return result;                                                                                                 \
    }

AROUND(virDomainCreate, (virDomainPtr domain), (domain))
AROUND(virDomainCreateWithFlags, (virDomainPtr domain, unsigned flags), (domain, flags))
AROUND(virDomainShutdown, (virDomainPtr domain), (domain))
AROUND(virDomainShutdownFlags, (virDomainPtr domain, unsigned flags), (domain, flags))
AROUND(virDomainDestroy, (virDomainPtr domain), (domain))
AROUND(virDomainDestroyFlags, (virDomainPtr domain, unsigned flags), (domain, flags))
AROUND(virDomainReboot, (virDomainPtr domain, unsigned flags), (domain, flags))
AROUND(virDomainManagedSave, (virDomainPtr domain, unsigned flags), (domain, flags))
AROUND(virDomainSave, (virDomainPtr domain, const char *to), (domain, to))

virDomainPtr virDomainCreateXML(virConnectPtr connection, const char *xml, unsigned flags)
{
    virDomainPtr (*call)(virConnectPtr, const char *, unsigned) = original("virDomainCreateXML");
    virDomainPtr domain = call(connection, xml, flags);

    take(domain);
    return domain;
}
