#include "redact.h"

#include "text.h"

#include <stdlib.h>
#include <string.h>

#define UUID_SIZE  36
#define MAC_SIZE   17
#define MACHINE_ID "00000000000000000000000000000001"

struct pair {
    const char *original, *standin;
};
struct pairs {
    struct pair *items;
    size_t count;
};
struct gp_redact {
    struct gp_arena *mem;
    struct pair host, machine;
    struct pairs vms, uuids, serials, macs, addresses, people, commits;
    struct gp_strings gpus; /* their ids, which stay */
    uint32_t numbered;      /* UUIDs that have a number as their stand-in */
};

static const char *standin_of(const struct pairs *pairs, const char *original)
{
    for (size_t i = 0; i < pairs->count; i++)
        if (gp_streq(pairs->items[i].original, original))
            return pairs->items[i].standin;
    return NULL;
}

static const char *add(struct gp_redact *redact, struct pairs *pairs, const char *original, const char *standin)
{
    *gp_push(redact->mem, pairs->items, pairs->count) =
        (struct pair){gp_strdup(redact->mem, original), standin};
    return standin;
}

/* ---- one of each kind ---- */

static const char *lower(struct gp_arena *mem, const char *text)
{
    char *copy = gp_strdup(mem, text);

    for (char *c = copy; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c - 'A' + 'a');
    return copy;
}

static const char *uuid(struct gp_redact *redact, const char *original)
{
    const char *small = lower(redact->mem, original), *known = standin_of(&redact->uuids, small);

    return known ? known
                 : add(redact, &redact->uuids, small,
                       gp_printf(redact->mem, "00000000-0000-4000-8000-%012u", (unsigned)++redact->numbered));
}

static const char *mac(struct gp_redact *redact, const char *original)
{
    const char *small = lower(redact->mem, original), *known = standin_of(&redact->macs, small);
    const unsigned n = (unsigned)redact->macs.count + 1;

    return known ? known
                 : add(redact, &redact->macs, small,
                       gp_printf(redact->mem, "02:00:00:00:%02x:%02x", n >> 8 & 0xff, n & 0xff));
}

/* Of the block that documentation uses (RFC 5737), as far as it goes. */
static const char *address(struct gp_redact *redact, const char *original)
{
    const char *known = standin_of(&redact->addresses, original);
    const unsigned n = (unsigned)redact->addresses.count + 1;

    return known ? known
                 : add(redact, &redact->addresses, original,
                       n < 255 ? gp_printf(redact->mem, "192.0.2.%u", n) : gp_printf(redact->mem, "198.51.100.0"));
}

const char *gp_redact_vm(struct gp_redact *redact, const char *name)
{
    const char *known = standin_of(&redact->vms, name);

    return known ? known
                 : add(redact, &redact->vms, name, gp_printf(redact->mem, "vm-%zu", redact->vms.count + 1));
}

const char *gp_redact_known(struct gp_redact *redact, const char *text)
{
    const char *vm = text ? standin_of(&redact->vms, text) : NULL;

    return gp_streq(text, redact->host.original) ? redact->host.standin : vm ? vm : text;
}

const char *gp_redact_serial(struct gp_redact *redact, const char *serial)
{
    const char *known = standin_of(&redact->serials, serial);

    return known ? known
                 : add(redact, &redact->serials, serial,
                       gp_printf(redact->mem, "SERIAL-%zu", redact->serials.count + 1));
}

const char *gp_redact_identity(struct gp_redact *redact, const char *identity)
{
    static const char before[] = " serial ";
    const char *serial = strstr(identity, before);

    return serial ? gp_printf(redact->mem, "%.*s%s%s", (int)(serial - identity), identity, before,
                              gp_redact_serial(redact, serial + strlen(before)))
                  : identity;
}

const char *gp_redact_person(struct gp_redact *redact, const char *name)
{
    const char *known = standin_of(&redact->people, name);

    return known ? known
                 : add(redact, &redact->people, name,
                       gp_printf(redact->mem, "user-%zu", redact->people.count + 1));
}

const char *gp_redact_commit(struct gp_redact *redact, const char *commit)
{
    const char *known = *commit ? standin_of(&redact->commits, commit) : commit;

    return known ? known
                 : add(redact, &redact->commits, commit,
                       gp_printf(redact->mem, "%040zu", redact->commits.count + 1));
}

const char *gp_redact_set(struct gp_redact *redact, const char *id)
{
    return gp_strings_have(&redact->gpus, id) ? id : gp_redact_vm(redact, id);
}

/* ---- by their form ---- */

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Whether @at has @form, in which x is a hex digit and anything else itself. */
static bool has_form(const char *at, size_t size, const char *form)
{
    for (; *form; form++, at++, size--)
        if (!size || (*form == 'x' ? !is_hex(*at) : *at != *form))
            return false;
    return true;
}

/* How long the IPv4 address at @at is; 0: there is none. */
static size_t address_size(const char *at, size_t size)
{
    size_t n = 0;

    for (int part = 0; part < 4; part++) {
        unsigned value = 0;
        size_t digits = 0;

        if (part && (n >= size || at[n++] != '.'))
            return 0;
        for (; n < size && at[n] >= '0' && at[n] <= '9' && digits < 4; n++, digits++)
            value = value * 10 + (unsigned)(at[n] - '0');
        if (!digits || value > 255)
            return 0;
    }
    /* A version of five parts is none. */
    return n + 1 < size && at[n] == '.' && is_word(at[n + 1]) ? 0 : n;
}

static bool is_there(const char *at, size_t size, const char *word)
{
    const size_t length = word ? strlen(word) : 0;

    return length && size >= length && memcmp(at, word, length) == 0 && (size == length || !is_word(at[length]));
}

/* What stands for the word at @at, and how much of it that is; NULL: it stays. */
static const char *find(struct gp_redact *redact, const char *at, size_t size, size_t *ret_size)
{
    struct gp_arena *mem = redact->mem;
    const struct {
        size_t size;
        const char *form;
        const char *(*standin)(struct gp_redact *redact, const char *original);
    } forms[] = {
        {UUID_SIZE, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", uuid},
        {MAC_SIZE, "xx:xx:xx:xx:xx:xx", mac},
    };

    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        *ret_size = forms[i].size;
        if (has_form(at, size, forms[i].form) && (size == *ret_size || !is_word(at[*ret_size])))
            return forms[i].standin(redact, gp_strndup(mem, at, *ret_size));
    }
    if (is_there(at, size, redact->machine.original)) {
        *ret_size = strlen(redact->machine.original);
        return redact->machine.standin;
    }
    for (size_t i = 0; i < redact->serials.count; i++)
        if (is_there(at, size, redact->serials.items[i].original)) {
            *ret_size = strlen(redact->serials.items[i].original);
            return redact->serials.items[i].standin;
        }
    *ret_size = address_size(at, size);
    return *ret_size && (size == *ret_size || !is_word(at[*ret_size])) ? address(redact, gp_strndup(mem, at, *ret_size))
                                                                      : NULL;
}

void gp_redact_bytes(struct gp_redact *redact, const void *bytes, size_t size, const void **ret, size_t *ret_size)
{
    struct gp_text out = {.mem = redact->mem};
    const char *text = bytes;

    for (size_t i = 0, length; i < size; i += length) {
        const bool begins = !i || (!is_word(text[i - 1]) && !(text[i - 1] == '.' && i > 1 && is_word(text[i - 2])));
        const char *standin = begins ? find(redact, text + i, size - i, &length) : NULL;

        if (!standin)
            length = 1;
        gp_text_addn(&out, standin ? standin : text + i, standin ? strlen(standin) : length);
    }
    *ret = gp_text_get(&out);
    *ret_size = out.size;
}

const char *gp_redact_text(struct gp_redact *redact, const char *text)
{
    const void *ret;
    size_t size;

    gp_redact_bytes(redact, text, strlen(text), &ret, &size);
    return ret;
}

/* ---- what is known beforehand ---- */

/* An mdev that gpupart made has its UUID from the machine id and its place (gp_mdev_uuid()); so has its stand-in, or
 * it would be somebody else's there. */
static void derive(struct gp_redact *redact, const struct gp_gpu *gpu, const struct gp_partition *partition)
{
    const char *place = gp_printf(redact->mem, "%s/%u", gpu->path ? gpu->path : gp_pci_text(redact->mem, gpu->address),
                                  (unsigned)partition->index);

    if (partition->device.kind == GP_DEVICE_MDEV && redact->machine.original &&
        gp_streq(partition->device.uuid, gp_uuid5(redact->mem, redact->machine.original, place)) &&
        !standin_of(&redact->uuids, partition->device.uuid))
        (void)add(redact, &redact->uuids, partition->device.uuid, gp_uuid5(redact->mem, MACHINE_ID, place));
}

static int by_text(const void *a, const void *b)
{
    return gp_strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_version(const void *a, const void *b)
{
    return gp_strvercmp(*(const char *const *)a, *(const char *const *)b);
}

static void know_uuids(struct gp_redact *redact, const struct gp_have *have)
{
    struct gp_strings uuids = {0};

    for (size_t i = 0; i < have->vm_count; i++) {
        const struct gp_vm *vm = &have->vms[i];

        *gp_push(redact->mem, uuids.items, uuids.count) = vm->uuid;
        for (size_t n = 0; n < vm->persistent_count; n++)
            if (vm->persistent_devs[n].device.kind == GP_DEVICE_MDEV)
                *gp_push(redact->mem, uuids.items, uuids.count) = vm->persistent_devs[n].device.uuid;
    }
    for (size_t i = 0; i < have->gpu_count; i++)
        for (size_t n = 0; n < have->gpus[i].partition_count; n++)
            if (have->gpus[i].partitions[n].device.kind == GP_DEVICE_MDEV)
                *gp_push(redact->mem, uuids.items, uuids.count) = have->gpus[i].partitions[n].device.uuid;
    if (uuids.count)
        qsort(uuids.items, uuids.count, sizeof *uuids.items, by_text);
    for (size_t i = 0; i < uuids.count; i++)
        (void)uuid(redact, uuids.items[i]);
}

struct gp_redact *gp_redact_new(struct gp_arena *mem, const struct gp_have *have, const char *host_name)
{
    struct gp_redact *redact = gp_new(mem, struct gp_redact);
    struct gp_strings names = {0};

    *redact = (struct gp_redact){
        .mem = mem,
        .host = {gp_strdup(mem, host_name), "host-1"},
        .machine = {gp_strdup(mem, have->machine_id), MACHINE_ID},
    };
    for (size_t i = 0; i < have->gpu_count; i++) {
        *gp_push(mem, redact->gpus.items, redact->gpus.count) = gp_strdup(mem, have->gpus[i].id);
        if (have->gpus[i].serial)
            (void)gp_redact_serial(redact, have->gpus[i].serial);
        for (size_t n = 0; n < have->gpus[i].partition_count; n++)
            derive(redact, &have->gpus[i], &have->gpus[i].partitions[n]);
    }
    know_uuids(redact, have);
    for (size_t i = 0; i < have->vm_count; i++)
        *gp_push(mem, names.items, names.count) = have->vms[i].name;
    if (names.count)
        qsort(names.items, names.count, sizeof *names.items, by_version);
    for (size_t i = 0; i < names.count; i++)
        (void)gp_redact_vm(redact, names.items[i]);
    return redact;
}
