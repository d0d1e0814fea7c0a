/* Holds a bed's partitions as QEMU would, and its libvirtd's state.
 *
 *   keeper [--clear] [--ready FILE] URI [ROOT]
 *
 * For each PCI or mdev hostdev in the live definition of a running domain it keeps
 * ROOT/dev/vfio/GROUP open until that domain stops: so a mock guest's partition is seen to be in
 * use. It holds one connection all the while, as the mock hypervisor forgets its domains when the
 * last one closes. --clear first removes the domain that the mock begins with; FILE is made once
 * all that is done and the running domains' devices are held. Without ROOT it holds none. It ends
 * with the connection, and the kernel closes what it held, however it ends. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    HOLDS_MAX = 256,
    CONNECT_TRIES = 1000,
    CONNECT_PAUSE_US = 10000,
};

/* One device of one run of a domain: a domain that was stopped and started again has another id, so
 * that its device is let go in between, as it would be. */
struct hold {
    int domain_id;
    char device[64]; /* PCI address or mdev UUID */
    int fd;          /* -1: wanted, not open */
};

struct holds {
    struct hold items[HOLDS_MAX];
    size_t count;
};

static struct holds held;
static const char *root;
static bool changed = true;
static bool closed;

static void complain(const char *what, const char *which, const char *why)
{
    fprintf(stderr, "keeper: %s %s: %s\n", what, which, why);
}

static void add(struct holds *holds, int domain_id, const char *device)
{
    if (holds->count == HOLDS_MAX) {
        complain("cannot hold", device, "too many devices");
        return;
    }
    struct hold *hold = &holds->items[holds->count++];
    *hold = (struct hold){.domain_id = domain_id, .fd = -1};
    snprintf(hold->device, sizeof(hold->device), "%s", device);
}

static struct hold *find(struct holds *holds, const struct hold *like)
{
    for (size_t i = 0; i < holds->count; i++) {
        struct hold *hold = &holds->items[i];
        if (hold->domain_id == like->domain_id && !strcmp(hold->device, like->device))
            return hold;
    }
    return NULL;
}

static unsigned long address_part(xmlNode *address, const char *name)
{
    xmlChar *text = xmlGetProp(address, (const xmlChar *)name);
    unsigned long value = text ? strtoul((const char *)text, NULL, 0) : 0;

    xmlFree(text);
    return value;
}

static void add_address(struct holds *wanted, int domain_id, xmlNode *address)
{
    char device[64];
    xmlChar *uuid = xmlGetProp(address, (const xmlChar *)"uuid");

    if (uuid)
        snprintf(device, sizeof(device), "%s", (const char *)uuid);
    else
        snprintf(device, sizeof(device), "%04lx:%02lx:%02lx.%lx", address_part(address, "domain"),
                 address_part(address, "bus"), address_part(address, "slot"),
                 address_part(address, "function"));
    xmlFree(uuid);
    add(wanted, domain_id, device);
}

static void add_domain(struct holds *wanted, virDomainPtr domain)
{
    char *xml = virDomainGetXMLDesc(domain, 0);
    if (!xml)
        return; /* stopped since it was listed: an event will say so */
    xmlDoc *doc = xmlReadMemory(xml, (int)strlen(xml), NULL, NULL, XML_PARSE_NONET);
    xmlXPathContext *context = doc ? xmlXPathNewContext(doc) : NULL;
    xmlXPathObject *found =
        context ? xmlXPathEvalExpression((const xmlChar *)"/domain/devices/hostdev[@type='pci' or "
                                                          "@type='mdev']/source/address",
                                         context)
                : NULL;

    for (int i = 0; found && found->nodesetval && i < found->nodesetval->nodeNr; i++)
        add_address(wanted, (int)virDomainGetID(domain), found->nodesetval->nodeTab[i]);
    xmlXPathFreeObject(found);
    xmlXPathFreeContext(context);
    xmlFreeDoc(doc);
    free(xml);
}

static void open_device(struct hold *hold)
{
    static const char *const buses[] = {"pci", "mdev"};
    char path[PATH_MAX], group[PATH_MAX] = "";

    for (size_t i = 0; i < sizeof(buses) / sizeof(*buses) && !*group; i++) {
        snprintf(path, sizeof(path), "%s/sys/bus/%s/devices/%s/iommu_group", root, buses[i],
                 hold->device);
        ssize_t length = readlink(path, group, sizeof(group) - 1);
        group[length > 0 ? length : 0] = '\0';
    }
    if (!*group) {
        complain("cannot hold", hold->device, "it has no IOMMU group");
        return;
    }
    const char *slash = strrchr(group, '/');
    snprintf(path, sizeof(path), "%s/dev/vfio/%.32s", root, slash ? slash + 1 : group);
    hold->fd = open(path, O_RDWR | O_CLOEXEC);
    if (hold->fd < 0)
        complain("cannot hold", path, strerror(errno));
}

/* Lets go first, so that a partition may pass from one domain to another. */
static void look_again(virConnectPtr connection)
{
    virDomainPtr *domains = NULL;
    static struct holds wanted;
    int count = virConnectListAllDomains(connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);

    if (count < 0)
        return;
    wanted.count = 0;
    for (int i = 0; i < count; i++) {
        add_domain(&wanted, domains[i]);
        virDomainFree(domains[i]);
    }
    free(domains);

    for (size_t i = 0; i < held.count; i++) {
        struct hold *same = find(&wanted, &held.items[i]);
        if (same)
            same->fd = held.items[i].fd;
        else if (held.items[i].fd >= 0)
            close(held.items[i].fd);
    }
    for (size_t i = 0; i < wanted.count; i++) {
        if (wanted.items[i].fd < 0)
            open_device(&wanted.items[i]);
    }
    held = wanted;
}

static int on_lifecycle(virConnectPtr connection, virDomainPtr domain, int event, int detail,
                        void *opaque)
{
    (void)connection, (void)domain, (void)event, (void)detail, (void)opaque;
    changed = true;
    return 0;
}

static void on_close(virConnectPtr connection, int reason, void *opaque)
{
    (void)connection, (void)reason, (void)opaque;
    closed = true;
}

static void on_error(void *opaque, virErrorPtr error)
{
    (void)opaque, (void)error; /* the default handler would print each try to connect */
}

/* The daemon may be starting still. */
static virConnectPtr connect_patiently(const char *uri)
{
    for (int i = 0; i < CONNECT_TRIES; i++) {
        virConnectPtr connection = virConnectOpen(uri);
        if (connection)
            return connection;
        usleep(CONNECT_PAUSE_US);
    }
    complain("cannot connect to", uri, virGetLastErrorMessage());
    return NULL;
}

static bool clear(virConnectPtr connection)
{
    virDomainPtr *domains = NULL;
    int count = virConnectListAllDomains(connection, &domains, 0);
    bool ok = count >= 0;

    for (int i = 0; i < count; i++) {
        if (virDomainIsActive(domains[i]) == 1)
            ok = virDomainDestroy(domains[i]) == 0 && ok;
        ok = virDomainUndefine(domains[i]) == 0 && ok;
        virDomainFree(domains[i]);
    }
    free(domains);
    if (!ok)
        complain("cannot remove", "domains", virGetLastErrorMessage());
    return ok;
}

static bool tell_ready(const char *path)
{
    int fd = path ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644) : -1;

    if (path && fd < 0) {
        complain("cannot make", path, strerror(errno));
        return false;
    }
    if (fd >= 0)
        close(fd);
    return true;
}

static bool keep(virConnectPtr connection, const char *ready)
{
    bool told = false;

    if (virConnectRegisterCloseCallback(connection, on_close, NULL, NULL) < 0 ||
        virConnectDomainEventRegisterAny(connection, NULL, VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                         VIR_DOMAIN_EVENT_CALLBACK(on_lifecycle), NULL, NULL) < 0) {
        complain("cannot watch", "domains", virGetLastErrorMessage());
        return false;
    }
    while (!closed) {
        if (changed && root) {
            changed = false;
            look_again(connection);
        }
        if (!told) {
            if (!tell_ready(ready))
                return false;
            told = true;
        }
        if (virEventRunDefaultImpl() < 0)
            return false;
    }
    return true;
}

int main(int argc, char *argv[])
{
    static const struct option options[] = {
        {"clear", no_argument, NULL, 'c'}, {"ready", required_argument, NULL, 'r'}, {0}};
    const char *ready = NULL;
    bool wants_clear = false, ok;
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 'c')
            wants_clear = true;
        else if (option == 'r')
            ready = optarg;
        else
            return 64;
    }
    if (argc - optind != 1 && argc - optind != 2) {
        fputs("usage: keeper [--clear] [--ready FILE] URI [ROOT]\n", stderr);
        return 64;
    }
    root = argv[optind + 1];
    virSetErrorFunc(NULL, on_error);
    if (virEventRegisterDefaultImpl() < 0)
        return 1;
    virConnectPtr connection = connect_patiently(argv[optind]);
    if (!connection)
        return 1;
    ok = (!wants_clear || clear(connection)) && keep(connection, ready);
    virConnectClose(connection);
    return ok ? 0 : 1;
}
