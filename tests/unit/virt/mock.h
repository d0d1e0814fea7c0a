/* libvirt's own mock hypervisor, in this process: no daemon. */
#pragma once

#include "virt.h"

#define MOCK_HEAD(name, uuid, state)                                                               \
    "<domain type='test' "                                                                         \
    "xmlns:test='http://libvirt.org/schemas/domain/test/1.0'><test:runstate>" state                \
    "</test:runstate><name>" name "</name><uuid>" uuid "</uuid><memory unit='MiB'>16</memory>"     \
    "<os><type>hvm</type></os>"
#define MOCK_RUNNING "1"
#define MOCK_PAUSED  "3"
#define MOCK_OFF     "5"

/* A mock of its own that has @domains. */
struct gp_virt *mock_open(const char *domains);
/* The mock that all connections of this process share, "test:///default", for what connects once more; and a domain in it,
 * in that state. */
struct gp_virt *mock_shared(void);
void mock_add(const char *xml, const char *state);
