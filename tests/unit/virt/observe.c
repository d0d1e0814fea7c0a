#include "bases.h"
#include "mock.h"

#include "cleanup.h"
#include "rows.h"
#include "text.h"

#include <ftw.h>
#include <string.h>
#include <sys/stat.h>

#define U(n) "22222222-2222-4222-8222-22222222220" #n
#define REST "</domain>"
#define HOSTDEV                                                                                    \
    "<devices><hostdev mode='subsystem' type='pci' managed='no'><source><address domain='0x0000' " \
    "bus='0x08' slot='0x00' function='0x4'/></source><alias "                                      \
    "name='ua-gpupart-0'/></hostdev></devices>"
#define MARK(uuid)                                                                                 \
    "<metadata><g:binding xmlns:g='" GP_MARK_URI "' host='" HOST "' vm='" uuid                     \
    "' binding='desktops' pool='vdi'><g:device source='0000:08:00.4' partition='slot3/2'/>"        \
    "</g:binding></metadata>"

static const char all_kinds[] =
    MOCK_HEAD("b-off", U(1), MOCK_OFF) MARK(U(1)) HOSTDEV REST MOCK_HEAD("a-up", U(2), MOCK_RUNNING)
        MARK(U(2)) HOSTDEV REST MOCK_HEAD("c-paused", U(3), MOCK_PAUSED)
REST MOCK_HEAD("d-transient", U(4), MOCK_RUNNING) "<test:transient>1</test:transient>" HOSTDEV REST
    MOCK_HEAD("e-saved", U(5), MOCK_OFF) "<test:hasmanagedsave>1</test:hasmanagedsave>" REST
    MOCK_HEAD("f-restarts", U(6), MOCK_RUNNING) "<on_poweroff>restart</on_poweroff>" REST
    MOCK_HEAD("g-nova", U(7),
              MOCK_OFF) "<metadata><n:instance "
                        "xmlns:n='http://openstack.org/xmlns/libvirt/nova/1.1'/></metadata>" REST;

static const char *text_of(struct gp_arena *mem, const struct gp_have *have)
{
    struct gp_text text = {.mem = mem};

    for (size_t i = 0; i < have->vm_count; i++) {
        const struct gp_vm *vm = &have->vms[i];

        gp_text_addf(&text, "%s %d%s%s %s live", vm->name, vm->power,
                     vm->persistent ? " persistent" : "", vm->mark_fits ? " marked" : "",
                     vm->unstoppable ? vm->unstoppable : "stoppable");
        for (size_t d = 0; d < vm->live_count; d++)
            gp_text_addf(&text, " %s%s", gp_device_text(mem, vm->live[d].device),
                         vm->live[d].ours ? "!" : "?");
        gp_text_add(&text, " persistent");
        for (size_t d = 0; d < vm->persistent_count; d++)
            gp_text_addf(&text, " %s%s", gp_device_text(mem, vm->persistent_devs[d].device),
                         vm->persistent_devs[d].ours ? "!" : "?");
        gp_text_add(&text, "\n");
    }
    return gp_text_get(&text);
}

Test(observe, a_reference_outlives_the_close_of_another)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    struct gp_virt *first = mock_open(all_kinds);
    gp_cleanup(gp_virt_close_p) struct gp_virt *virt = gp_virt_ref(first);
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    struct gp_have have = {.machine_id = HOST};

    gp_virt_close(first);
    cr_expect(gp_virt_alive(virt));
    err = gp_virt_observe(virt, mem, &have);
    cr_assert(err == NULL, "%s", gp_error_line(err));
    cr_expect(eq(sz, have.vm_count, 7));
}

Test(observe, every_kind)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_virt_close_p) struct gp_virt *virt = mock_open(all_kinds);
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    struct gp_have have = {.machine_id = HOST};

    err = gp_virt_observe(virt, mem, &have);
    cr_assert(err == NULL, "%s", gp_error_line(err));
    cr_assert(eq(
        str, (char *)text_of(mem, &have),
        "a-up 1 persistent marked stoppable live 0000:08:00.4! persistent 0000:08:00.4!\n"
        "b-off 0 persistent marked stoppable live persistent 0000:08:00.4!\n"
        "c-paused 2 persistent is paused, and cannot answer a request to stop live persistent\n"
        "d-transient 1 is transient: once stopped, it would be gone live 0000:08:00.4? persistent\n"
        "e-saved 0 persistent has a managed-save image, which holds the devices it was saved with "
        "live "
        "persistent\n"
        "f-restarts 1 persistent has on_poweroff 'restart', and would not be off after it stopped "
        "(needs "
        "'destroy') live persistent\n"
        "g-nova 0 persistent is managed by OpenStack Nova "
        "(http://openstack.org/xmlns/libvirt/nova/1.1) live "
        "persistent\n"));
    cr_assert(have.hypervisor_is_mock);
    cr_assert(ge(u32, have.libvirt_version, 9000000));
    cr_assert(gp_virt_alive(virt));
}

static int drop(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

/* A capture tells the same of what definitions hold. */
Test(observe, a_capture_tells_the_same)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_virt_close_p) struct gp_virt *virt = mock_open(
        MOCK_HEAD("b.off", U(1),
                  MOCK_OFF) MARK(U(1)) HOSTDEV REST MOCK_HEAD("a-up", U(2), MOCK_RUNNING) MARK(U(2))
            HOSTDEV REST MOCK_HEAD("d-transient", U(4),
                                   MOCK_RUNNING) "<test:transient>1</test:transient>" HOSTDEV REST);
    struct gp_have have = {.machine_id = HOST}, captured = {.machine_id = HOST};
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    char dir[] = "/tmp/gpupart-capture-XXXXXX";

    cr_assert(mkdtemp(dir) != NULL);
    err = gp_virt_observe(virt, mem, &have);
    cr_assert(err == NULL, "%s", gp_error_line(err));
    err = gp_virt_capture(virt, dir, NULL);
    cr_assert(err == NULL, "%s", gp_error_line(err));
    err = gp_virt_observe_files(dir, mem, &captured);
    cr_assert(err == NULL, "%s", gp_error_line(err));
    cr_assert(eq(str, (char *)text_of(mem, &captured), (char *)text_of(mem, &have)));
    cr_assert(eq(sz, captured.vm_count, (size_t)3));
    (void)nftw(dir, drop, 8, FTW_DEPTH | FTW_PHYS);
}

/* What is in no definition is told too. */
Test(observe, a_capture_tells_what_no_definition_has)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_virt_close_p) struct gp_virt *virt = mock_open(
        MOCK_HEAD("c paused, and more", U(3), MOCK_PAUSED) REST MOCK_HEAD("e-saved", U(5), MOCK_OFF)
            "<test:hasmanagedsave>1</test:hasmanagedsave>" REST MOCK_HEAD("f", U(6), MOCK_OFF) REST);
    struct gp_have have = {.machine_id = HOST}, captured = {.machine_id = HOST};
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    char dir[] = "/tmp/gpupart-capture-XXXXXX";

    cr_assert(mkdtemp(dir) != NULL);
    err = gp_virt_observe(virt, mem, &have);
    cr_assert(err == NULL, "%s", gp_error_line(err));
    err = gp_virt_capture(virt, dir, NULL);
    cr_assert(err == NULL, "%s", gp_error_line(err));
    err = gp_virt_observe_files(dir, mem, &captured);
    cr_assert(err == NULL, "%s", gp_error_line(err));
    cr_assert(eq(str, (char *)text_of(mem, &captured), (char *)text_of(mem, &have)));
    cr_assert(eq(int, captured.vms[0].power, GP_POWER_PAUSED));
    cr_assert(captured.vms[1].unstoppable != NULL && captured.vms[2].unstoppable == NULL);
    cr_assert(eq(u32, captured.libvirt_version, have.libvirt_version));
    cr_assert(captured.hypervisor_is_mock);
    (void)nftw(dir, drop, 8, FTW_DEPTH | FTW_PHYS);
}

Test(observe, no_capture_of_guests_is_not_no_guests)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    struct gp_have have = {.machine_id = HOST};

    err = gp_virt_observe_files("/nonexistent", mem, &have);
    cr_assert(err == NULL, "%s", gp_error_line(err));
    cr_assert(have.vms_unknown && have.vms_reason);
}

static const struct {
    const char *uri;
    enum gp_errc code;
} unopened[] = {
    {"qemu+unix:///system?socket=/nonexistent/libvirt-sock", GP_E_IO},
    {"qemu+nonsense:///system", GP_E_CONFIG},
};

GP_ROWS(observe, cannot_open, unopened)
{
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    gp_cleanup(gp_free_p) char *line = NULL;
    struct gp_virt *virt = NULL;

    err = gp_virt_open(unopened[*i].uri, true, 5000, &virt);
    cr_assert(err != NULL && virt == NULL, "%s", unopened[*i].uri);
    line = gp_error_line(err);
    cr_assert(eq(int, (int)err->code, (int)unopened[*i].code), "%s", line);
    cr_assert(strstr(line, unopened[*i].uri) && strstr(line, "libvirt: "), "%s", line);
}
