#include "vpd.h"

#include "sysfs.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

#define TAG_LARGE 0x80
#define TAG_END   0x78
#define TAG_READ  0x90
#define VPD_MAX   1024

/* One for each function that was asked. */
struct gp_vpd_known {
    struct gp_vpd_known *next;
    struct gp_pci address;
    char serial[VPD_MAX]; /* "": none */
};

static const char *trimmed(struct gp_arena *mem, const unsigned char *text, size_t size)
{
    while (size && (text[size - 1] == ' ' || text[size - 1] == 0))
        size--;
    while (size && *text == ' ') {
        text++;
        size--;
    }
    for (size_t i = 0; i < size; i++) {
        if (text[i] < ' ' || text[i] > '~')
            return NULL;
    }
    return size ? gp_strndup(mem, (const char *)text, size) : NULL;
}

static const char *find_keyword(struct gp_arena *mem, const unsigned char *at, size_t size)
{
    while (size >= 3) {
        size_t length = at[2];

        if (length > size - 3)
            return NULL;
        if (at[0] == 'S' && at[1] == 'N')
            return trimmed(mem, at + 3, length);
        at += 3 + length;
        size -= 3 + length;
    }
    return NULL;
}

const char *gp_vpd_serial(struct gp_arena *mem, const void *data, size_t size)
{
    const unsigned char *at = data;

    while (size >= 3 && at[0] != TAG_END) {
        bool large = at[0] & TAG_LARGE;
        size_t head = large ? 3 : 1, length = large ? at[1] | (size_t)at[2] << 8 : at[0] & 7;

        if (at[0] == TAG_READ)
            return find_keyword(mem, at + head, length < size - head ? length : size - head);
        if (length > size - head)
            return NULL;
        at += head + length;
        size -= head + length;
    }
    return NULL;
}

void gp_vpd_write(struct gp_text *out, const char *serial)
{
    enum { MOST = 200 };
    const size_t begin = out->size, length = serial ? strnlen(serial, MOST) : 0;
    const char head[] = {(char)TAG_READ, (char)(length + 7), 0, 'S', 'N', (char)length}, check[] = {'R', 'V', 1};
    unsigned char sum = 0;

    if (serial) {
        gp_text_addn(out, head, sizeof head);
        gp_text_addn(out, serial, length);
        gp_text_addn(out, check, sizeof check);
        for (size_t i = begin; i < out->size; i++)
            sum = (unsigned char)(sum + (unsigned char)gp_text_get(out)[i]);
        gp_text_addn(out, (const char[]){(char)-sum}, 1);
    }
    gp_text_addn(out, (const char[]){TAG_END}, 1);
}

static void ask(struct gp_host *host, struct gp_arena *mem, struct gp_pci address, struct gp_vpd_known *known)
{
    const void *data;
    const char *serial;
    size_t size;
    struct gp_error *err =
        gp_host_read_bytes(host, mem, gp_sysfs_pci(mem, address, "vpd"), VPD_MAX, &data, &size);

    /* Root only, absent on many cards, and an error on broken ones: no serial then. */
    if (err) {
        gp_error_free(err);
        return;
    }
    serial = gp_vpd_serial(mem, data, size);
    if (serial)
        (void)snprintf(known->serial, sizeof known->serial, "%s", serial);
}

const char *gp_vpd_read_serial(struct gp_host *host, struct gp_arena *mem, struct gp_pci address)
{
    struct gp_vpd_known *known = host->vpds;

    while (known && gp_pci_compare(known->address, address) != 0)
        known = known->next;
    if (!known) {
        known = calloc(1, sizeof *known);
        if (!known)
            abort();
        known->address = address;
        known->next = host->vpds;
        host->vpds = known;
        ask(host, mem, address, known);
    }
    return *known->serial ? gp_strdup(mem, known->serial) : NULL;
}

void gp_vpd_forget(struct gp_host *host)
{
    while (host->vpds) {
        struct gp_vpd_known *next = host->vpds->next;

        free(host->vpds);
        host->vpds = next;
    }
}
