#include "mock.h"

#include "cleanup.h"

#include <criterion/criterion.h>
#include <libvirt/libvirt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SHARED "test:///default"

struct gp_virt *mock_open(const char *domains)
{
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    char path[] = "/tmp/gpupart-mock-XXXXXX", *uri = NULL;
    struct gp_virt *virt = NULL;
    int fd = mkstemp(path);

    cr_assert(fd >= 0);
    cr_assert(dprintf(fd, "<node>%s</node>", domains) > 0);
    cr_assert(asprintf(&uri, "test://%s", path) > 0);
    err = gp_virt_open(uri, false, 5000, &virt);
    cr_assert(err == NULL, "%s", gp_error_line(err));
    (void)close(fd);
    (void)unlink(path);
    free(uri);
    return virt;
}

struct gp_virt *mock_shared(void)
{
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    struct gp_virt *virt = NULL;

    err = gp_virt_open(SHARED, false, 5000, &virt);
    cr_assert(err == NULL, "%s", gp_error_line(err));
    return virt;
}

void mock_add(const char *xml, const char *state)
{
    virConnectPtr conn = virConnectOpen(SHARED);
    virDomainPtr domain = conn ? virDomainDefineXML(conn, xml) : NULL;

    cr_assert(domain != NULL);
    cr_assert(strcmp(state, MOCK_OFF) == 0 || virDomainCreate(domain) == 0);
    cr_assert(strcmp(state, MOCK_PAUSED) != 0 || virDomainSuspend(domain) == 0);
    (void)virDomainFree(domain);
    (void)virConnectClose(conn);
}
