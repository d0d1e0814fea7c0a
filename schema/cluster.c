#include "decode.h"
#include "forms.h"
#include "words.h"

static const char *const states[] = {"active", "drained", NULL};
static const char *const homogeneities[] = {[GP_HOMOGENEITY_IGNORE] = "ignore",
                                            [GP_HOMOGENEITY_WARN] = "warn",
                                            [GP_HOMOGENEITY_ENFORCE] = "enforce",
                                            NULL};
/* Bit n of enum gp_risk is the nth word. */
static const char *const risks[] = {"nested", "shared-iommu-group", "boot-display", NULL};
_Static_assert(GP_RISK_NESTED == 1 && GP_RISK_SHARED_GROUP == 2 && GP_RISK_BOOT_DISPLAY == 4,
               "a word for each risk, in the order of the bits");
static const char *const modes[] = {[GP_MODE_NONE] = "",
                                    [GP_MODE_PARTITIONED] = "partitioned",
                                    [GP_MODE_PASSTHROUGH] = "passthrough",
                                    [GP_MODE_PARAVIRTUAL] = "paravirtual",
                                    NULL};
static const char *const placements[] = {
    [GP_PLACEMENT_SPREAD] = "spread", [GP_PLACEMENT_PACK] = "pack", NULL};
static const char *const days[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun", NULL};

/* One row a line, whatever it needs. clang-format would part them. */
/* clang-format off */
static const struct gp_table metadata = {
    .doc = "How the cluster is called",
    GP_FIELDS(metadata,
        GP_STRING("name", struct gp_cluster_decl, name, gp_form_name, .required = true,
                  .doc = "Name of the cluster; bindings and agents refer to it")),
};

static const struct gp_table host = {
    .doc = "A host of the cluster",
    .size = sizeof(struct gp_host_decl),
    .at = GP_SPAN(struct gp_host_decl, at),
    GP_FIELDS(host,
        GP_STRING("name", struct gp_host_decl, name, gp_form_name, .required = true,
                  .doc = "Name of the host, as its GpuAgent has it (the short host name by default)"),
        GP_STRING("machineId", struct gp_host_decl, machine_id, gp_form_machine_id,
                  .doc = "Content of its /etc/machine-id: gpupart refuses to act on a clone"),
        GP_EITHER("state", struct gp_host_decl, drained, states, .fallback = "active",
                  .doc = "drained: what is gpupart's is unbound, then the host is left alone")),
};

static void check_match(struct gp_decoder *d, const struct gp_yaml *node, const void *object)
{
    const struct gp_match *match = object;

    if (match->subsystem && !match->device)
        gp_mistake(d->mistakes, "GP-E215", gp_decoder_span(d, node),
                   "'subsystem' needs 'device' beside it: boards are told apart among those of one "
                   "device id");
}

static const struct gp_table match = {
    .doc = "Which GPUs; all that is written must fit",
    .at = GP_SPAN(struct gp_match, at),
    .least = 1,
    .check = check_match,
    GP_FIELDS(match,
        GP_STRING("model", struct gp_match, model, gp_form_model,
                  .doc = "Name of the model in the catalogue; `gpupart inventory` shows it"),
        GP_STRING("device", struct gp_match, device, gp_form_device,
                  .doc = "PCI vendor and device id, for models that the catalogue does not know"),
        GP_STRING("subsystem", struct gp_match, subsystem, gp_form_device,
                  .doc = "PCI subsystem vendor and device id, where only they tell two boards apart"),
        GP_STRING("vendor", struct gp_match, vendor, gp_form_vendor,
                  .doc = "Vendor of the GPU"),
        GP_SIZE("vram", struct gp_match, vram,
                .doc = "Memory of the whole GPU; others do not match")),
};

static const struct gp_table selection = {
    .doc = "Which of the GPUs that match; every one if nothing is written",
    GP_FIELDS(selection,
        GP_STRINGS("slots", struct gp_select, slots, gp_form_text, .some = true,
                   .doc = "Slots as the firmware numbers them"),
        GP_STRINGS("addresses", struct gp_select, addresses, gp_form_pci, .some = true,
                   .doc = "PCI addresses; they change when cards are moved"),
        GP_STRINGS("serials", struct gp_select, serials, gp_form_text, .some = true,
                   .doc = "Serial numbers of the boards")),
};

static const struct gp_table partitions = {
    .doc = "How each GPU of the pool is divided; count, profile or both",
    .least = 1,
    GP_FIELDS(partitions,
        GP_U32("count", struct gp_pool_decl, count, 1, 256,
               .at = GP_SPAN(struct gp_pool_decl, count_at),
               .doc = "Equal partitions per physical GPU, from the valid set of its model"),
        GP_STRING("profile", struct gp_pool_decl, profile, gp_form_text,
                  .at = GP_SPAN(struct gp_pool_decl, profile_at),
                  .doc = "The vendor's name of the slice, such as NVIDIA A2-4Q")),
};

static void check_pool(struct gp_decoder *d, const struct gp_yaml *node, const void *object)
{
    const struct gp_pool_decl *pool = object;

    if (pool->mode == GP_MODE_PARTITIONED && !gp_yaml_get(node, "partitions"))
        gp_mistake(d->mistakes, "GP-E214", pool->mode_at,
                   "mode partitioned needs 'partitions' beside it: a count, a profile or both");
}

static const struct gp_table pool = {
    .doc = "GPUs of the cluster that share mode, model and count",
    .check = check_pool,
    .size = sizeof(struct gp_pool_decl),
    .at = GP_SPAN(struct gp_pool_decl, at),
    GP_FIELDS(pool,
        GP_STRING("name", struct gp_pool_decl, name, gp_form_name, .required = true,
                  .doc = "Name of the pool; bindings refer to it"),
        GP_WORD("mode", struct gp_pool_decl, mode, enum gp_mode, modes, .required = true,
                .at = GP_SPAN(struct gp_pool_decl, mode_at),
                .doc = "A partition per VM, the whole GPU to one VM, or the GPU shared by host and VMs"),
        GP_STRINGS("hosts", struct gp_pool_decl, hosts, gp_form_host_glob, .some = true,
                   .at = GP_SPAN(struct gp_pool_decl, hosts_at),
                   .doc = "On which hosts; by default where match finds something. A host that is "
                          "named and has none is an error"),
        GP_OBJECT("match", struct gp_pool_decl, match, struct gp_match, match, .required = true,
                  .doc = "Which GPUs belong to the pool"),
        GP_OBJECT("select", struct gp_pool_decl, select, struct gp_select, selection,
                  .doc = "Which of the GPUs that match"),
        GP_GROUP("partitions", partitions, .doc = "How each GPU is divided; partitioned mode only"),
        GP_WORD("placement", struct gp_pool_decl, placement, enum gp_placement, placements,
                .fallback = "spread",
                .doc = "Whether VMs are spread over the GPUs, or packed on as few as possible"),
        GP_BOOL("takeover", struct gp_pool_decl, takeover, .fallback = "false",
                .doc = "Whether the first pass may reshape a GPU that was already partitioned otherwise")),
};

#define ALLOW(key_, array, index, fallback_, doc_)                                                 \
    GP_WORD(key_, struct gp_policy, array[index], enum gp_allow, gp_allow_words,                   \
            .fallback = (fallback_), .doc = (doc_))

static const struct gp_table on_commit = {
    .doc = "What a reviewed commit may do, by what it disturbs",
    GP_FIELDS(on_commit,
        ALLOW("none", on_commit, GP_CLASS_NONE, "auto", "Changes that stop no running VM"),
        ALLOW("vm", on_commit, GP_CLASS_VM, "auto", "Changes that stop only VMs whose own device changes"),
        ALLOW("gpu", on_commit, GP_CLASS_GPU, "auto", "Changes that stop further VMs of the GPU"),
        ALLOW("host", on_commit, GP_CLASS_HOST, "approve", "Changes that reload a driver or reboot")),
};

static const struct gp_table on_drift = {
    .doc = "What repair may do by itself, by what it disturbs",
    GP_FIELDS(on_drift,
        ALLOW("none", on_drift, GP_CLASS_NONE, "auto", "Repairs that stop no running VM"),
        ALLOW("vm", on_drift, GP_CLASS_VM, "report", "Repairs that stop only VMs whose own device changes"),
        ALLOW("gpu", on_drift, GP_CLASS_GPU, "report", "Repairs that stop further VMs of the GPU"),
        ALLOW("host", on_drift, GP_CLASS_HOST, "report", "Repairs that reload a driver or reboot")),
};

static const struct gp_table window = {
    .doc = "A time in which `window` allows a change",
    .size = sizeof(struct gp_window),
    .at = GP_SPAN(struct gp_window, at),
    GP_FIELDS(window,
        GP_DAYS("days", struct gp_window, days, days, .fallback = "mon, tue, wed, thu, fri, sat, sun",
                .doc = "Days on which the window begins"),
        GP_TIME("start", struct gp_window, start, .required = true, .doc = "When it begins"),
        GP_TIME("end", struct gp_window, end, .required = true,
                .doc = "When it ends: on the next day if that is not later than its beginning"),
        GP_STRING("timezone", struct gp_window, timezone, gp_form_timezone, .fallback = "UTC",
                  .doc = "Time zone of start and end")),
};

static const struct gp_table budget = {
    .doc = "How much one pass may disturb on one host; without limit by default",
    GP_FIELDS(budget,
        GP_U32("maxVmsStopped", struct gp_policy, max_vms_stopped, 0, 100000, .unset = UINT32_MAX,
               .doc = "VMs stopped per host and pass"),
        GP_U32("maxGpusChanged", struct gp_policy, max_gpus_changed, 0, 100000, .unset = UINT32_MAX,
               .doc = "GPUs reshaped per host and pass")),
};

static const struct gp_table stop = {
    .doc = "How a VM is stopped where a change needs it",
    GP_FIELDS(stop,
        GP_DURATION("timeout", struct gp_stop_policy, timeout_ms, .fallback = "180s",
                    .doc = "How long a VM may take to shut down"),
        GP_METHODS("method", struct gp_stop_policy, method, gp_stop_words, .fallback = "agent, acpi",
                   .doc = "How it is asked to, in this order; the second at half the timeout"),
        GP_EITHER("onTimeout", struct gp_stop_policy, force, gp_timeout_words, .fallback = "fail",
                  .given = GP_GIVEN(struct gp_stop_policy, on_timeout_given),
                  .doc = "fail: it keeps running and what was begun is restored; force: it is switched off"),
        GP_DURATION("lateWithin", struct gp_stop_policy, late_within_ms, .fallback = "1h",
                    .doc = "A VM that goes down later than its timeout but within this time is started again")),
};

static const struct gp_table prune = {
    .doc = "What goes when the declaration no longer names it",
    GP_FIELDS(prune,
        GP_BOOL("bindings", struct gp_policy, prune_bindings, .fallback = "true",
                .doc = "Whether a VM that no binding names loses its partition, if gpupart gave it"),
        GP_BOOL("partitions", struct gp_policy, prune_partitions, .fallback = "false",
                .doc = "Whether partitions of a GPU that no pool names are removed")),
};

static const struct gp_table policy = {
    .doc = "What may be done when, and how much at once",
    .at = GP_SPAN(struct gp_policy, at),
    GP_FIELDS(policy,
        GP_GROUP("onCommit", on_commit, .doc = "What a reviewed commit may do: auto, window, approve or report"),
        GP_GROUP("onDrift", on_drift, .doc = "What repair may do by itself: auto, window, approve or report"),
        GP_OBJECTS("windows", struct gp_policy, windows, window_count, struct gp_window, window,
                   .doc = "When `window` allows a change; without one it means never"),
        GP_GROUP("budget", budget, .doc = "How much one pass may disturb on one host"),
        GP_OBJECT("stop", struct gp_policy, stop, struct gp_stop_policy, stop,
                  .doc = "How VMs are stopped"),
        GP_GROUP("prune", prune, .doc = "What goes when the declaration no longer names it")),
};

static const struct gp_table spec = {
    .doc = "Hosts, pools and policy of the cluster",
    GP_FIELDS(spec,
        GP_OBJECTS("hosts", struct gp_cluster_decl, hosts, host_count, struct gp_host_decl, host,
                   .required = true, .doc = "The hosts; one that is not named is only looked at"),
        GP_WORD("homogeneity", struct gp_cluster_decl, homogeneity, enum gp_homogeneity,
                homogeneities, .fallback = "warn",
                .doc = "What is said about different vendors or families in the partitioned pools; "
                       "within a pool all GPUs must be alike"),
        GP_FLAGS("acceptRisk", struct gp_cluster_decl, accept_risk, risks,
                 .doc = "Risks that are taken, by name"),
        GP_OBJECTS("pools", struct gp_cluster_decl, pools, pool_count, struct gp_pool_decl, pool,
                   .required = true, .doc = "The pools; a GPU in none is never changed"),
        GP_OBJECT("policy", struct gp_cluster_decl, policy, struct gp_policy, policy,
                  .doc = "What may be done when, and how much at once")),
};

static const struct gp_table document = {
    .doc = "A cluster: its hosts, GPU pools and policy",
    .size = sizeof(struct gp_cluster_decl),
    .at = GP_SPAN(struct gp_cluster_decl, at),
    GP_FIELDS(document,
        GP_CONST("apiVersion", gp_api_version, "Version of the format"),
        GP_CONST("kind", "GpuCluster", "What the document declares"),
        GP_GROUP("metadata", metadata, .required = true, .doc = "How the cluster is called"),
        GP_GROUP("spec", spec, .required = true, .doc = "Hosts, pools and policy")),
};

const struct gp_kind gp_kind_cluster = {"GpuCluster", "A cluster: its hosts, GPU pools and policy",
                                        &document};
