/* Who has a connection: its owner, and calls that may outlive the wait for them. */
#include "virt_private.h"

#include <stdlib.h>

struct gp_virt *gp_virt_ref(struct gp_virt *virt)
{
    atomic_fetch_add(&virt->refs, 1);
    return virt;
}

bool gp_virt_let_go(struct gp_virt *virt)
{
    return atomic_fetch_sub(&virt->refs, 1) == 1;
}

void gp_virt_destroy(struct gp_virt *virt)
{
    if (virt->conn)
        (void)virConnectClose(virt->conn);
    free(virt->uri);
    free(virt);
}

void gp_virt_unref(struct gp_virt *virt)
{
    if (gp_virt_let_go(virt))
        gp_virt_destroy(virt);
}
