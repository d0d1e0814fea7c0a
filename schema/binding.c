#include "decode.h"
#include "forms.h"
#include "text.h"
#include "words.h"

static const char *const applies[] = {"now", "next-start", NULL};
static const char *const unrestorables[] = {"stay-down", "without-gpu", NULL};

/* One row a line, whatever it needs. clang-format would part them. */
/* clang-format off */
static const struct gp_table metadata = {
    .doc = "How the binding is called and in which cluster it is",
    GP_FIELDS(metadata,
        GP_STRING("name", struct gp_binding_decl, name, gp_form_name, .required = true,
                  .doc = "Name of the binding"),
        GP_STRING("cluster", struct gp_binding_decl, cluster, gp_form_name, .required = true,
                  .doc = "Name of its GpuCluster")),
};

/* min, optimal and max of one resource must stand in that order, as far as they are written. */
static void check_range(struct gp_decoder *d, const struct gp_yaml *node, const void *object)
{
    const struct gp_range *range = object;

    if ((range->min && range->max && range->min > range->max) ||
        (range->min && range->optimal && range->min > range->optimal) ||
        (range->optimal && range->max && range->optimal > range->max))
        gp_mistake(d->mistakes, "GP-E215", gp_decoder_span(d, node),
                   "'min', 'optimal' and 'max' must not fall in this order");
}

#define DOC_MIN     "The partition has at least this much, or the binding is refused"
#define DOC_OPTIMAL "Given where the mechanism can choose"
#define DOC_MAX     "The partition has at most this much, or the binding is refused"

static const struct gp_table size_range = {
    .doc = "Memory of the partition: checked, and set where the mechanism can",
    .least = 1,
    .check = check_range,
    GP_FIELDS(size_range,
        GP_SIZE("min", struct gp_range, min, .doc = DOC_MIN),
        GP_SIZE("optimal", struct gp_range, optimal, .doc = DOC_OPTIMAL),
        GP_SIZE("max", struct gp_range, max, .doc = DOC_MAX)),
};

static const struct gp_table unit_range = {
    .doc = "A share of the GPU, in its driver's own units: checked, and set where the mechanism can",
    .least = 1,
    .check = check_range,
    GP_FIELDS(unit_range,
        GP_U64("min", struct gp_range, min, 1, 1000000000000, .unit = "units of the driver", .doc = DOC_MIN),
        GP_U64("optimal", struct gp_range, optimal, 1, 1000000000000, .unit = "units of the driver",
               .doc = DOC_OPTIMAL),
        GP_U64("max", struct gp_range, max, 1, 1000000000000, .unit = "units of the driver", .doc = DOC_MAX)),
};

static const struct gp_table resources = {
    .doc = "What a VM needs of its partition",
    .least = 1,
    GP_FIELDS(resources,
        GP_OBJECT("vram", struct gp_binding_decl, vram, struct gp_range, size_range,
                  .at = GP_SPAN(struct gp_binding_decl, vram_at), .doc = "Memory that the guest can use"),
        GP_OBJECT("encode", struct gp_binding_decl, encode, struct gp_range, unit_range,
                  .doc = "Share of the video encoder"),
        GP_OBJECT("decode", struct gp_binding_decl, decode, struct gp_range, unit_range,
                  .doc = "Share of the video decoder"),
        GP_OBJECT("compute", struct gp_binding_decl, compute, struct gp_range, unit_range,
                  .doc = "Share of the compute engines")),
};

/* As the cluster's, but what is not written is the cluster's. */
static const struct gp_table stop = {
    .doc = "How these VMs are stopped, where it differs from the cluster's policy",
    .least = 1,
    GP_FIELDS(stop,
        GP_DURATION("timeout", struct gp_stop_policy, timeout_ms,
                    .doc = "How long a VM may take to shut down"),
        GP_METHODS("method", struct gp_stop_policy, method, gp_stop_words,
                   .doc = "How it is asked to, in this order; the second at half the timeout"),
        GP_EITHER("onTimeout", struct gp_stop_policy, force, gp_timeout_words,
                  .given = GP_GIVEN(struct gp_stop_policy, on_timeout_given),
                  .doc = "fail: it keeps running and what was begun is restored; force: it is switched off"),
        GP_DURATION("lateWithin", struct gp_stop_policy, late_within_ms,
                    .doc = "A VM that goes down later than its timeout but within this time is started again")),
};

static void check_vm(struct gp_decoder *d, const struct gp_yaml *node, const void *object)
{
    const struct gp_vm_decl *vm = object;

    if (!vm->name)
        return;
    if (vm->uuid && gp_glob_is(vm->name))
        gp_mistake(d->mistakes, "GP-E215", gp_decoder_span(d, node),
                   "'uuid' names one VM, and %s may be several; write its name out",
                   gp_quote(d->mem, vm->name));
    if (vm->except.count && !gp_glob_is(vm->name))
        gp_mistake(d->mistakes, "GP-E215", gp_decoder_span(d, node),
                   "'except' takes VMs out of a glob, and %s is one VM", gp_quote(d->mem, vm->name));
}

static const struct gp_table vm = {
    .doc = "A VM, or several by a glob",
    .size = sizeof(struct gp_vm_decl),
    .at = GP_SPAN(struct gp_vm_decl, at),
    .check = check_vm,
    GP_FIELDS(vm,
        GP_STRING("name", struct gp_vm_decl, name, gp_form_vm, .required = true,
                  .doc = "Name of the libvirt domain, or a glob that is expanded on the host"),
        GP_STRINGS("except", struct gp_vm_decl, except, gp_form_vm,
                   .doc = "VMs that the glob does not mean"),
        GP_STRING("host", struct gp_vm_decl, host, gp_form_name,
                  .doc = "Its host; by default wherever in the cluster it is defined"),
        GP_STRING("uuid", struct gp_vm_decl, uuid, gp_form_uuid,
                  .doc = "UUID of the domain: another VM that took the name is left alone")),
};

static const struct gp_table spec = {
    .doc = "Which VMs get a GPU or partition of which pool",
    GP_FIELDS(spec,
        GP_STRING("pool", struct gp_binding_decl, pool, gp_form_name, .required = true,
                  .at = GP_SPAN(struct gp_binding_decl, pool_at),
                  .doc = "Name of the pool; which partition a VM gets is found by itself and kept"),
        GP_EITHER("apply", struct gp_binding_decl, next_start, applies, .fallback = "now",
                  .doc = "now: the VM is stopped and started if it must be; next-start: it waits until "
                         "the VM next starts"),
        GP_EITHER("ifUnrestorable", struct gp_binding_decl, without_gpu, unrestorables,
                  .fallback = "stay-down",
                  .doc = "How a VM may come up if its partition cannot be made again"),
        GP_GROUP("resources", resources, .doc = "What a VM needs of its partition"),
        GP_U32("count", struct gp_binding_decl, gpu_count, 1, 64, .fallback = "1",
               .at = GP_SPAN(struct gp_binding_decl, gpu_count_at),
               .doc = "Whole GPUs per VM, passthrough only; this version gives a VM one"),
        GP_OBJECT("stop", struct gp_binding_decl, stop, struct gp_stop_policy, stop,
                  .doc = "How these VMs are stopped, where it differs from the cluster's policy"),
        GP_OBJECTS("vms", struct gp_binding_decl, vms, vm_count, struct gp_vm_decl, vm,
                   .required = true, .doc = "The VMs")),
};

static const struct gp_table document = {
    .doc = "VMs that get a GPU or partition of one pool",
    .size = sizeof(struct gp_binding_decl),
    .at = GP_SPAN(struct gp_binding_decl, at),
    GP_FIELDS(document,
        GP_CONST("apiVersion", gp_api_version, "Version of the format"),
        GP_CONST("kind", "GpuBinding", "What the document declares"),
        GP_GROUP("metadata", metadata, .required = true,
                 .doc = "How the binding is called and in which cluster it is"),
        GP_GROUP("spec", spec, .required = true,
                 .doc = "Which VMs get a GPU or partition of which pool")),
};

const struct gp_kind gp_kind_binding = {"GpuBinding", "VMs that get a GPU or partition of one pool",
                                        &document};
