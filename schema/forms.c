#include "forms.h"

#include "catalog.h"
#include "cleanup.h"
#include "decode.h"
#include "git_url.h"
#include "schema.h"

#include "text.h"

#include <ctype.h>
#include <string.h>

#define CONTROLS "\x01-\x1f\x7f"

const struct gp_form gp_form_name = {
    .what = "a name of letters, digits, '.', '_' and '-' that begins with a letter or digit",
    .pattern = "[A-Za-z0-9][A-Za-z0-9._-]{0,252}",
    .example = "kvm-a",
    .number_min = "0",
    .number_max = "999999999999999",
};

const struct gp_form gp_form_host_glob = {
    .what = "a host's name, where '*' stands for any text and '?' for one character",
    .pattern = "[A-Za-z0-9*?][A-Za-z0-9*?._-]{0,252}",
    .example = "kvm-*",
    .number_min = "0",
    .number_max = "999999999999999",
};

/* Fact: libvirt src/conf/domain_conf.c refuses names that are empty or hold '/'. */
const struct gp_form gp_form_vm = {
    .what = "a VM's name as libvirt knows it (no '/'), where '*' stands for any text and '?' for "
            "one character",
    .pattern = "[^/" CONTROLS "]{1,255}",
    .example = "vdi-*",
    .number_min = "0",
    .number_max = "999999999999999",
};

const struct gp_form gp_form_vm_plain = {
    .what = "a VM's name as libvirt knows it (no '/')",
    .pattern = "[^/" CONTROLS "]{1,255}",
    .example = "dc01",
    .number_min = "0",
    .number_max = "999999999999999",
};

static void check_model(struct gp_decoder *d, const struct gp_yaml *node, const char *key,
                        const char *text)
{
    const char *hint;

    if (gp_catalog_find(text))
        return;
    hint = gp_did_you_mean(d->mem, text, gp_catalog_names());
    gp_mistake(d->mistakes, "GP-E213", gp_decoder_span(d, node),
               "'%s' takes a name of the catalogue, and %s is none%s", key, gp_quote(d->mem, text),
               *hint ? hint
                     : "; a GPU that it does not know is matched by device: \"vendor:device\"");
}

const struct gp_form gp_form_model = {
    .what = "a GPU model as the catalogue names it",
    .pattern = "[^" CONTROLS "]{1,128}",
    .example = "NVIDIA A2",
    .number_min = "0",
    .number_max = "999999999999999",
    .check = check_model,
};

const struct gp_form gp_form_text = {
    .what = "text on one line",
    .pattern = "[^" CONTROLS "]{1,255}",
    .number_min = "0",
    .number_max = "999999999999999",
};

static const char *in_lower_case(struct gp_arena *mem, const char *text)
{
    char *lower = gp_strdup(mem, text);

    for (char *c = lower; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    return lower;
}

static const char *const vendors[] = {"nvidia", "intel", "amd", NULL};

const struct gp_form gp_form_vendor = {
    .near = vendors,
    .what = "nvidia, intel, amd or the four hex digits of a PCI vendor",
    .pattern = "nvidia|intel|amd|[0-9a-fA-F]{4}",
    .example = "nvidia",
    .number_min = "1000",
    .number_max = "9999",
    .canonical = in_lower_case,
};

const struct gp_form gp_form_device = {
    .what = "two PCI ids of four hex digits each, such as \"10de:25b6\"",
    .pattern = "[0-9a-fA-F]{4}:[0-9a-fA-F]{4}",
    .example = "10de:25b6",
    .canonical = in_lower_case,
};

/* As gp_pci_text() writes it: of the domain's zeros only those that make it four digits long. nvidia-smi prints eight. */
static const char *pci_address(struct gp_arena *mem, const char *text)
{
    for (size_t digits = strcspn(text, ":"); digits > 4 && *text == '0'; digits--)
        text++;
    return in_lower_case(mem, text);
}

const struct gp_form gp_form_pci = {
    .what = "a PCI address such as \"0000:01:00.0\"",
    .pattern = "[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[01][0-9a-fA-F]\\.[0-7]",
    .example = "0000:01:00.0",
    .canonical = pci_address,
};

const struct gp_form gp_form_uuid = {
    .what = "a UUID such as 7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9e10",
    .pattern = "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
    .example = "7a1f0e7e-7a2b-4c11-9b57-0c2f1a1d9e10",
    .canonical = in_lower_case,
};

/* Fact: machine-id(5): 32 hex digits in lower case. */
const struct gp_form gp_form_machine_id = {
    .what = "32 hex digits in lower case, as /etc/machine-id has them",
    .pattern = "[0-9a-f]{32}",
    .example = "5e0f6a0c7d6b4b2f9a0c1d2e3f405162",
    .number_min = "10000000000000000000000000000000",
    .number_max = "99999999999999999999999999999999",
};

const struct gp_form gp_form_commit = {
    .what = "a full commit id of 40 or 64 hex digits",
    .pattern = "[0-9a-f]{40}|[0-9a-f]{64}",
    .example = "3f2c1ab94d07e7755c1dfe0a2b3c4d5e6f708192",
};

const struct gp_form gp_form_path = {
    .what = "an absolute path on the host",
    .pattern = "/[^" CONTROLS "]{0,4094}",
    .example = "/etc/gpupart/known_hosts",
};

const struct gp_form gp_form_tree_path = {
    .what = "a path inside the repository, without a '/' at its beginning",
    .pattern = "[A-Za-z0-9._][A-Za-z0-9._/@+-]{0,1023}",
    .example = "clusters/edge-west",
    .number_min = "0",
    .number_max = "999999999999999",
};

/* Ports are numbers of a range, which a pattern cannot say, and a URL is read once only: as a pass reads it. */
static void check_url(struct gp_decoder *d, const struct gp_yaml *node, const char *key, const char *text)
{
    struct gp_git_url url;
    gp_cleanup(gp_error_free_p) struct gp_error *err = gp_git_url_parse(text, d->mem, &url);

    if (err)
        gp_mistake(d->mistakes, "GP-E012", gp_decoder_span(d, node),
                   "'%s' takes a URL with a host that can be asked, not %s: a port is a number of 1 to 65535, and an IPv6 "
                   "address stands in brackets",
                   key, gp_quote(d->mem, url.shown));
}

/* As gp_git_url_parse() takes them; relative paths it takes besides, from a command line. */
const struct gp_form gp_form_url = {
    .what = "a URL that begins with ssh://, https:// or file:///, USER@HOST:PATH, or an absolute path",
    .pattern = "ssh://[^/ " CONTROLS "][^ " CONTROLS "]{0,4000}|https://[^/ " CONTROLS "][^ " CONTROLS
               "]{0,4000}|file:///[^" CONTROLS "]{0,4000}|[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,253}:/?[^/ " CONTROLS
               "][^ " CONTROLS "]{0,4000}|/[^" CONTROLS "]{0,4000}",
    .example = "ssh://git@git.example.org/fleet.git",
    .check = check_url,
};

const struct gp_form gp_form_ref = {
    .what = "a full ref name such as refs/heads/main",
    .pattern = "refs/[A-Za-z0-9._/@+-]{1,1000}",
    .example = "refs/heads/main",
};

const struct gp_form gp_form_connect = {
    .what = "a libvirt URI such as qemu:///system",
    .pattern = "[a-z][a-z0-9+]{0,30}:[^ " CONTROLS "]{1,1000}",
    .example = "qemu:///system",
};

const struct gp_form gp_form_unit = {
    .what = "a systemd unit with its suffix, such as nvidia-persistenced.service",
    .pattern = "[A-Za-z0-9:_.@\\\\-]{1,240}\\.service|[A-Za-z0-9:_.@\\\\-]{1,240}\\.socket|"
               "[A-Za-z0-9:_.@\\\\-]{1,240}\\.timer|[A-Za-z0-9:_.@\\\\-]{1,240}\\.target",
    .example = "nvidia-persistenced.service",
};

static const char *const *rule_words(void)
{
    static const char *ids[128];

    if (!ids[0])
        for (size_t i = 0; i < gp_rule_count; i++)
            ids[i] = gp_rules[i].id;
    return ids;
}

const struct gp_form gp_form_rule = {
    .what = "a rule id such as GP-W209",
    .example = "GP-W209",
    .words = rule_words,
};

const struct gp_form gp_form_timezone = {
    .what = "a time zone of the tz database, such as America/Los_Angeles",
    .pattern = "[A-Za-z][A-Za-z0-9_+/-]{0,63}",
    .example = "America/Los_Angeles",
};
