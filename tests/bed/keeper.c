/* Holds a connection to a bed's libvirtd for as long as that lives: the mock hypervisor forgets its domains when the last
 * one closes.
 *
 *   keeper [--clear] [--ready FILE] URI
 *
 * --clear first removes the domain that the mock begins with; FILE is made once that is done. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CONNECT_TRIES = 1000,
    CONNECT_PAUSE_US = 10000,
};

static bool closed;

static void complain(const char *what, const char *which, const char *why)
{
    fprintf(stderr, "keeper: %s %s: %s\n", what, which, why);
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
    if (virConnectRegisterCloseCallback(connection, on_close, NULL, NULL) < 0) {
        complain("cannot watch", "the connection", virGetLastErrorMessage());
        return false;
    }
    if (!tell_ready(ready))
        return false;
    while (!closed) {
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
    if (argc - optind != 1) {
        fputs("usage: keeper [--clear] [--ready FILE] URI\n", stderr);
        return 64;
    }
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
