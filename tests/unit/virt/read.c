#include "bases.h"

#include "cleanup.h"
#include "rows.h"
#include "text.h"

#include <string.h>

#define DOMAIN(more) "<domain><name>desk</name><uuid>" UUID "</uuid>" more "</domain>"
#define MARK(host, vm, source)                                                                     \
    "<metadata><gpupart:binding xmlns:gpupart='" GP_MARK_URI "' host='" host "' vm='" vm           \
    "' binding='desktops' pool='vdi'><gpupart:device source='" source                              \
    "' partition='slot3/2'/></gpupart:binding></metadata>"
#define PCI(alias)                                                                                 \
    "<devices><hostdev mode='subsystem' type='pci' managed='no'><source><address domain='0x0000' " \
    "bus='0x08' slot='0x00' function='0x4'/></source>" alias "</hostdev></devices>"
#define NAMED(alias, more)                                                                         \
    "<domain xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><name>desk</name><uuid>" UUID    \
    "</uuid>" PCI(alias) more "</domain>"
#define OSINFO(os)                                                                                 \
    "<metadata><o:libosinfo xmlns:o='http://libosinfo.org/xmlns/libvirt/domain/1.0'>" os             \
    "</o:libosinfo></metadata>"
#define ALIAS "<alias name='ua-gpupart-0'/>"

/* Facts as one line, so that a row says all of it. */
static const char *text_of(struct gp_arena *mem, const struct gp_domain_facts *facts)
{
    struct gp_text text = {.mem = mem};

    gp_text_addf(&text, "%s%s", facts->running ? "up" : "off",
                 facts->agent_connected ? " agent"
                 : facts->agent_channel ? " channel"
                                        : "");
    if (facts->memory_kib)
        gp_text_addf(&text, " %lluKiB", (unsigned long long)facts->memory_kib);
    if (!facts->on_poweroff_destroy)
        gp_text_addf(&text, " poweroff=%s", facts->on_poweroff);
    if (facts->block_job)
        gp_text_add(&text, " blockjob");
    if (facts->numa_nodes)
        gp_text_addf(&text, " nodes=%llx", (unsigned long long)facts->numa_nodes);
    if (facts->cpus)
        gp_text_addf(&text, " cpus=%llx", (unsigned long long)facts->cpus->bits[0]);
    if (facts->guest_os)
        gp_text_addf(&text, " os=%s", facts->guest_os);
    if (facts->other_manager)
        gp_text_addf(&text, " manager=%s", facts->other_manager);
    if (facts->mark)
        gp_text_addf(&text, " mark=%s:%s%s", facts->mark->partition ?: "-",
                     gp_device_text(mem, facts->mark->device), facts->mark_fits ? "!" : "?");
    for (size_t i = 0; i < facts->dev_count; i++) {
        const struct gp_hostdev *dev = &facts->devs[i];

        gp_text_addf(&text, " %s%s%s%s%s", gp_device_text(mem, dev->device),
                     dev->managed ? "(managed)" : "", dev->ours ? "!" : "",
                     dev->stray_mark ? "?" : "", dev->alias_named ? "(named)" : "");
    }
    return gp_text_get(&text);
}

static const struct {
    const char *name, *xml, *facts;
} rows[] = {
    {"nothing", DOMAIN(""), "off"},
    {"running", "<domain id='3'><name>desk</name><uuid>" UUID "</uuid></domain>", "up"},
    {"memory in KiB", DOMAIN("<memory>1024</memory>"), "off 1024KiB"},
    {"memory in GiB", DOMAIN("<memory unit='GiB'>2</memory>"), "off 2097152KiB"},
    {"memory past counting", DOMAIN("<memory unit='TiB'>99999999999999999</memory>"),
     "off 18014398509481983KiB"},
    {"memory on one node", DOMAIN("<numatune><memory mode='strict' nodeset='1'/></numatune>"), "off nodes=2"},
    {"memory on some nodes", DOMAIN("<numatune><memory mode='strict' nodeset='0-3,^1'/></numatune>"),
     "off nodes=d"},
    {"cells on their own nodes",
     DOMAIN("<numatune><memnode cellid='0' mode='strict' nodeset='0'/>"
            "<memnode cellid='1' mode='strict' nodeset='2'/></numatune>"),
     "off nodes=5"},
    {"memory where numad puts it", DOMAIN("<numatune><memory mode='strict' placement='auto'/></numatune>"), "off"},
    {"memory on what is no node", DOMAIN("<numatune><memory nodeset='1-'/></numatune>"), "off"},
    {"CPUs pinned together", DOMAIN("<vcpu placement='static' cpuset='0-3,^2'>4</vcpu>"), "off cpus=b"},
    {"CPUs pinned one by one",
     DOMAIN("<vcpu cpuset='0-63'>2</vcpu><cputune><vcpupin vcpu='0' cpuset='4'/>"
            "<vcpupin vcpu='1' cpuset='6'/></cputune>"),
     "off cpus=50"},
    {"a CPU past counting", DOMAIN("<vcpu cpuset='0-99999'>2</vcpu>"), "off"},
    {"a system that libosinfo knows", DOMAIN(OSINFO("<o:os id='http://microsoft.com/win/10'/>")),
     "off os=http://microsoft.com/win/10"},
    {"the first of two systems", DOMAIN(OSINFO("<o:os id='a'/><o:os id='b'/>")), "off os=a"},
    {"a system without an id", DOMAIN(OSINFO("<o:os/>")), "off"},
    {"a system that no person could read", DOMAIN(OSINFO("<o:os id='a&#10;b'/>")), "off"},
    {"a system of another namespace", DOMAIN("<metadata><libosinfo><os id='a'/></libosinfo></metadata>"), "off"},
    {"ours", DOMAIN(MARK(HOST, UUID, "0000:08:00.4") PCI(ALIAS)),
     "off mark=slot3/2:0000:08:00.4! 0000:08:00.4!"},
    {"ours, in capitals",
     DOMAIN(MARK(HOST, "7A1F0E7E-7A2B-4C11-9B57-0C2F1A1D9E10", "0000:08:00.4") PCI(ALIAS)),
     "off mark=slot3/2:0000:08:00.4! 0000:08:00.4!"},
    {"no alias", DOMAIN(MARK(HOST, UUID, "0000:08:00.4") PCI("")),
     "off mark=slot3/2:0000:08:00.4! 0000:08:00.4"},
    {"another alias", DOMAIN(MARK(HOST, UUID, "0000:08:00.4") PCI("<alias name='ua-gpupart-'/>")),
     "off mark=slot3/2:0000:08:00.4! 0000:08:00.4"},
    {"alias only", DOMAIN(PCI(ALIAS)), "off 0000:08:00.4?"},
    {"another machine's mark", DOMAIN(MARK("ffff", UUID, "0000:08:00.4") PCI(ALIAS)),
     "off mark=slot3/2:0000:08:00.4? 0000:08:00.4?"},
    {"another domain's mark",
     DOMAIN(MARK(HOST, "7a1f0e7e-0000-4c11-9b57-0c2f1a1d9e10", "0000:08:00.4") PCI(ALIAS)),
     "off mark=slot3/2:0000:08:00.4? 0000:08:00.4?"},
    {"another device's mark", DOMAIN(MARK(HOST, UUID, "0000:08:00.5") PCI(ALIAS)),
     "off mark=slot3/2:0000:08:00.5! 0000:08:00.4?"},
    {"a mark of nonsense", DOMAIN(MARK(HOST, UUID, "a/../b") PCI(ALIAS)),
     "off mark=slot3/2:none! 0000:08:00.4?"},
    {"a mark without its namespace",
     DOMAIN("<metadata><binding host='" HOST "' vm='" UUID "'/></metadata>" PCI(ALIAS)),
     "off 0000:08:00.4?"},
    {"two marks",
     DOMAIN("<metadata><m:binding xmlns:m='" GP_MARK_URI "' host='" HOST "' vm='" UUID
            "'><m:device source='0000:08:00.4'/></m:binding><m:binding xmlns:m='" GP_MARK_URI
            "'/></metadata>" PCI(ALIAS)),
     "off mark=-:0000:08:00.4? 0000:08:00.4?"},
    {"mdev, upper case",
     DOMAIN("<devices><hostdev type='mdev' model='vfio-pci'><source><address "
            "uuid='C2177883-F1BB-47F0-914D-32A22E3A8804'/></source></hostdev></devices>"),
     "off " MDEV},
    {"decimal and hex, a large domain, managed",
     DOMAIN("<devices><hostdev type='pci' managed='yes'><source><address domain='0x10000' bus='8' "
            "slot='010' "
            "function='7'/></source></hostdev></devices>"),
     "off 10000:08:08.7(managed)"},
    {"no bus has such a number",
     DOMAIN(
         "<devices><hostdev type='pci'><source><address bus='0x100'/></source></hostdev><hostdev "
         "type='pci'><source><address bus='-1'/></source></hostdev><hostdev "
         "type='pci'/></devices>"),
     "off"},
    {"usb and scsi are none of ours",
     DOMAIN("<devices><hostdev type='usb'><source><address bus='1'/></source></hostdev></devices>"),
     "off"},
    {"agent",
     DOMAIN("<devices><channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0' "
            "state='connected'/></channel></devices>"),
     "off agent"},
    {"agent not there",
     DOMAIN("<devices><channel type='unix'><target type='virtio' "
            "name='org.qemu.guest_agent.0' state='disconnected'/></channel></devices>"),
     "off channel"},
    {"restarts", DOMAIN("<on_poweroff>restart</on_poweroff>"), "off poweroff=restart"},
    {"mirrors", DOMAIN("<devices><disk><mirror type='file' job='copy'/></disk></devices>"),
     "off blockjob"},
    {"nova's",
     DOMAIN("<metadata><n:instance "
            "xmlns:n='http://openstack.org/xmlns/libvirt/nova/1.1'/></metadata>"),
     "off manager=OpenStack Nova (http://openstack.org/xmlns/libvirt/nova/1.1)"},
    {"kubevirt's",
     DOMAIN("<metadata><kubevirt xmlns='http://kubevirt.io'><uid/></kubevirt></metadata>"),
     "off manager=KubeVirt (http://kubevirt.io)"},
    {"libosinfo manages nothing",
     DOMAIN("<metadata><l:libosinfo "
            "xmlns:l='http://libosinfo.org/xmlns/libvirt/domain/1.0'/></metadata>"),
     "off"},
    {"mdev by argument",
     DOMAIN("<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:arg "
            "value='-device'/><q:arg "
            "value='vfio-pci,sysfsdev=/sys/bus/mdev/devices/" MDEV
            ",display=off'/></q:commandline>"),
     "off " MDEV},
    {"VF by argument, short and long",
     DOMAIN("<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:arg "
            "value='vfio-pci,host=08:00.4,id=x'/><q:arg value='vfio-pci,host=0001:08:00.5'/><q:arg "
            "value='vfio-pci,host=nonsense'/><q:arg value='e1000,host=08:00.6'/></q:commandline>"),
     "off 0000:08:00.4 0001:08:00.5"},
    {"VF and mdev by argument, as JSON",
     DOMAIN("<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'>"
            "<q:arg value='{\"driver\":\"vfio-pci\",\"host\":\"0000:08:00.4\",\"id\":\"x\"}'/>"
            "<q:arg value='{\"driver\": \"vfio-pci-nohotplug\", \"sysfsdev\": \"/sys/bus/mdev/devices/" MDEV "\"}'/>"
            "<q:arg value='{\"driver\":\"e1000\",\"host\":\"vfio-pci\"}'/><q:arg value='{vfio-pci'/></q:commandline>"),
     "off 0000:08:00.4 " MDEV},
    {"named by libvirt's alias",
     NAMED("", "<q:override><q:device alias='hostdev0'/></q:override>"), "off 0000:08:00.4(named)"},
    {"named by a user's alias", NAMED("<alias name='ua-mine'/>", "<q:override><q:device alias='ua-mine'/></q:override>"),
     "off 0000:08:00.4(named)"},
    {"another is named", NAMED("<alias name='ua-mine'/>", "<q:override><q:device alias='hostdev0'/></q:override>"),
     "off 0000:08:00.4"},
    {"named by -set", NAMED("", "<q:commandline><q:arg value='-set'/><q:arg value='device.hostdev12.x-igd-opregion=on'/>"
                                "</q:commandline>"),
     "off 0000:08:00.4(named)"},
    {"no hostdev is named", NAMED("", "<q:commandline><q:arg value='-set'/><q:arg value='device.hostdevice.a=b'/><q:arg "
                                      "value='device.hostdev.a=b'/><q:arg value='device.net0.a=b'/></q:commandline>"),
     "off 0000:08:00.4"},
};

GP_ROWS(domain, reads, rows)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    struct gp_domain_facts facts;

    err = gp_domain_read(mem, rows[*i].xml, strlen(rows[*i].xml), HOST, &facts);
    cr_assert(err == NULL, "%s: %s", rows[*i].name, gp_error_line(err));
    cr_assert(eq(str, (char *)text_of(mem, &facts), (char *)rows[*i].facts), "%s", rows[*i].name);
}

/* What a capture keeps tells the same, and nothing else is in it. */
GP_ROWS(domain, outline_reads_the_same, rows)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    struct gp_domain_facts facts;
    const char *outline, *again;

    err = gp_domain_outline(mem, rows[*i].xml, NULL, &outline);
    cr_assert(err == NULL, "%s: %s", rows[*i].name, gp_error_line(err));
    err = gp_domain_read(mem, outline, strlen(outline), HOST, &facts);
    cr_assert(err == NULL, "%s: %s: %s", rows[*i].name, gp_error_line(err), outline);
    cr_assert(eq(str, (char *)text_of(mem, &facts), (char *)rows[*i].facts), "%s: %s",
              rows[*i].name, outline);
    err = gp_domain_outline(mem, outline, NULL, &again);
    cr_assert(err == NULL);
    cr_assert(eq(str, (char *)whole(mem, again), (char *)whole(mem, outline)), "%s", rows[*i].name);
}

Test(domain, outline_has_no_secrets)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    static const char *const secrets[] = {"S1", "S2", "S3", "S4", "S5", "S6", "S7", "S8", NULL};
    const char *outline;

    err = gp_domain_outline(
        mem,
        DOMAIN(
            "<title>S1</title><!-- S2 --><metadata><x:a xmlns:x='http://e.org' "
            "b='S3'><x:c>S4</x:c></x:a>"
            "</metadata><devices><graphics passwd='S5'/><disk><source file='S6'/></disk></devices>"
            "<q:commandline xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:env name='P' "
            "value='S7'/><q:arg value='vfio-pci,host=08:00.4,x=S8'/></q:commandline>"),
        NULL, &outline);
    cr_assert(err == NULL, "%s", gp_error_line(err));
    cr_assert(strstr(outline, "0000:08:00.4") != NULL, "%s", outline);
    for (size_t i = 0; secrets[i]; i++)
        cr_assert(strstr(outline, secrets[i]) == NULL, "%s in %s", secrets[i], outline);
}

/* ---- hostile ---- */

static const struct {
    const char *name, *xml, *says;
} hostile[] = {
    {"nothing", "", "no domain definition"},
    {"text", "hello", "no domain definition"},
    {"cut off", "<domain><name>desk</name>", "no domain definition: line 1"},
    {"something else", "<network/>", "its element is <network>"},
    {"another namespace", "<domain xmlns='urn:x'><name>a</name></domain>", "not <domain>"},
    {"no name", "<domain><uuid>" UUID "</uuid></domain>", "lacks a name or a UUID"},
    {"no uuid", "<domain><name>a</name></domain>", "lacks a name or a UUID"},
    {"a document type", "<!DOCTYPE domain>" DOMAIN(""), "document type"},
    {"an entity", "<!DOCTYPE domain [<!ENTITY a 'b'>]>" DOMAIN("<title>&a;</title>"),
     "document type"},
    {"a file",
     "<!DOCTYPE domain [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>" DOMAIN("<title>&a;</title>"),
     "document type"},
    {"a network", "<!DOCTYPE domain SYSTEM 'http://127.0.0.1:9/x'>" DOMAIN(""), "document type"},
    {"laughs",
     "<!DOCTYPE domain [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b "
     "'&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;'><!ENTITY c "
     "'&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;'><!ENTITY d '&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;'><!ENTITY e "
     "'&d;&d;&d;&d;&d;&d;&d;&d;&d;&d;'><!ENTITY f '&e;&e;&e;&e;&e;&e;&e;&e;&e;&e;'><!ENTITY g "
     "'&f;&f;&f;&f;&f;&f;&f;&f;&f;&f;'>]>" DOMAIN("<title>&g;&g;&g;&g;</title>"),
     "no domain definition"},
    {"an entity of nobody", DOMAIN("<title>&nobody;</title>"), "no domain definition: line 1"},
};

GP_ROWS(domain, refuses, hostile)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
    gp_cleanup(gp_free_p) char *line = NULL;
    struct gp_domain_facts facts;

    err = gp_domain_read(mem, hostile[*i].xml, strlen(hostile[*i].xml), HOST, &facts);
    cr_assert(err != NULL, "%s", hostile[*i].name);
    cr_assert(eq(int, (int)err->code, GP_E_INVALID), "%s", hostile[*i].name);
    line = gp_error_line(err);
    cr_assert(strstr(line, hostile[*i].says) != NULL, "%s: %s", hostile[*i].name, line);
}

static const char *repeat(struct gp_arena *mem, const char *text, size_t count)
{
    struct gp_text all = {.mem = mem};

    for (size_t i = 0; i < count; i++)
        gp_text_add(&all, text);
    return gp_text_get(&all);
}

Test(domain, depth_and_size_are_bounded)
{
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();
    const char *deep = gp_printf(mem, "<domain><name>a</name><uuid>" UUID "</uuid>%s%s</domain>",
                                 repeat(mem, "<a>", 100000), repeat(mem, "</a>", 100000));
    const char *large =
        gp_printf(mem, "<domain><name>a</name><uuid>" UUID "</uuid><title>%s</title></domain>",
                  repeat(mem, "0123456789abcdef", (4u << 20) / 16));
    const char *texts[] = {deep, large};

    for (size_t i = 0; i < 2; i++) {
        gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
        struct gp_domain_facts facts;

        err = gp_domain_read(mem, texts[i], strlen(texts[i]), HOST, &facts);
        cr_assert(err != NULL && err->code == GP_E_INVALID, "text %zu", i);
    }
}

/* Every beginning of a good definition is a bad one, and is only that. */
Test(domain, cut_anywhere)
{
    static const char xml[] = DOMAIN(MARK(HOST, UUID, "0000:08:00.4") PCI(ALIAS));
    gp_cleanup(gp_arena_free_p) struct gp_arena *mem = gp_arena_new();

    for (size_t size = 0; size < sizeof xml - 1; size++) {
        gp_cleanup(gp_error_free_p) struct gp_error *err = NULL;
        struct gp_domain_facts facts;

        err = gp_domain_read(mem, xml, size, HOST, &facts);
        cr_assert(err != NULL && err->code == GP_E_INVALID, "%zu bytes", size);
    }
}
