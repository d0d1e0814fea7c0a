/* What libvirt says went wrong, as ours. */
#include "virt_private.h"

/* Fact: include/libvirt/virterror.h of libvirt 9.0; a system error carries errno in int1
 * (src/util/virerror.c, virReportSystemErrorFull()). */
static enum gp_errc code_of(const virError *err)
{
    switch (err->code) {
    case VIR_ERR_NO_DOMAIN:
        return GP_E_GONE;
    case VIR_ERR_NO_SUPPORT:
    case VIR_ERR_NO_CONNECT:
    case VIR_ERR_OPERATION_UNSUPPORTED:
    case VIR_ERR_ARGUMENT_UNSUPPORTED:
    case VIR_ERR_CONFIG_UNSUPPORTED:
        return GP_E_UNSUPPORTED;
    case VIR_ERR_AUTH_FAILED:
    case VIR_ERR_AUTH_CANCELLED:
    case VIR_ERR_AUTH_UNAVAILABLE:
    case VIR_ERR_ACCESS_DENIED:
    case VIR_ERR_OPERATION_DENIED:
        return GP_E_PERM;
    case VIR_ERR_OPERATION_TIMEOUT:
    case VIR_ERR_AGENT_UNRESPONSIVE:
    case VIR_ERR_AGENT_UNSYNCED:
        return GP_E_TIMEOUT;
    case VIR_ERR_OPERATION_INVALID: /* "domain is not running", "PCI device … is in use by …" */
    case VIR_ERR_OPERATION_ABORTED:
    case VIR_ERR_RESOURCE_BUSY:
        return GP_E_BUSY;
    case VIR_ERR_HOOK_SCRIPT_FAILED:
        return GP_E_REFUSED;
    case VIR_ERR_INVALID_ARG:
    case VIR_ERR_XML_ERROR:
    case VIR_ERR_XML_DETAIL:
    case VIR_ERR_XML_INVALID_SCHEMA:
    case VIR_ERR_DOM_EXIST:
        return GP_E_INVALID;
    case VIR_ERR_SYSTEM_ERROR:
        return gp_errc_of_errno(err->int1);
    default:
        return GP_E_IO;
    }
}

struct gp_error *gp_virt_error(void)
{
    const virError *err = virGetLastError();

    if (!err || err->code == VIR_ERR_OK)
        return gp_error_new(GP_E_IO, "libvirt: failed without saying why");
    return gp_error_new(code_of(err), "libvirt: %s", err->message ? err->message : "unknown error");
}

bool gp_virt_unsupported(void)
{
    switch (virGetLastErrorCode()) {
    case VIR_ERR_NO_SUPPORT:
    case VIR_ERR_OPERATION_UNSUPPORTED:
    case VIR_ERR_ARGUMENT_UNSUPPORTED:
    case VIR_ERR_CONFIG_UNSUPPORTED:
    case VIR_ERR_INVALID_ARG: /* flags that the driver does not know: virCheckFlags() */
        return true;
    default:
        return false;
    }
}
