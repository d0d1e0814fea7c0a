#include "decode.h"
#include "forms.h"
#include "text.h"
#include "words.h"

#define INTERVAL_DOC "How often the ref is looked at; objects are fetched only when it moved"

static const char *const trust_modes[] = {"none", "ssh", NULL};

/* One row a line, whatever it needs. clang-format would part them. */
/* clang-format off */
static const struct gp_table metadata = {
    .doc = "How the host is called",
    GP_FIELDS(metadata,
        GP_STRING("name", struct gp_agent_decl, name, gp_form_name,
                  .doc = "The host's name in its GpuCluster; by default the short host name")),
};

static const struct gp_table remote = {
    .doc = "A repository that holds the declaration",
    .size = sizeof(struct gp_remote_decl),
    .at = GP_SPAN(struct gp_remote_decl, at),
    GP_FIELDS(remote,
        GP_STRING("url", struct gp_remote_decl, url, gp_form_url, .required = true,
                  .doc = "Where it is"),
        GP_STRING("identity", struct gp_remote_decl, identity, gp_form_path,
                  .doc = "Private SSH key"),
        GP_STRING("knownHosts", struct gp_remote_decl, known_hosts, gp_form_path,
                  .doc = "Host keys of the server, as known_hosts has them"),
        GP_STRING("caFile", struct gp_remote_decl, ca_file, gp_form_path,
                  .doc = "Certificates that may sign an https server's"),
        GP_STRING("tokenFile", struct gp_remote_decl, token_file, gp_form_path,
                  .doc = "File with the token for https")),
};

static const struct gp_table git = {
    .doc = "Where the declaration comes from",
    GP_FIELDS(git,
        GP_OBJECTS("remotes", struct gp_agent_decl, remotes, remote_count, struct gp_remote_decl,
                   remote, .required = true, .doc = "Repositories with the same content, tried in order"),
        GP_STRING("ref", struct gp_agent_decl, ref, gp_form_ref, .fallback = "refs/heads/main",
                  .doc = "The branch; canary hosts follow another one"),
        GP_STRING("path", struct gp_agent_decl, path, gp_form_tree_path, .fallback = ".",
                  .doc = "Folder in the repository whose files are read"),
        GP_DURATION("interval", struct gp_agent_decl, interval_ms, .fallback = "60s",
                    .doc = INTERVAL_DOC)),
};

static const struct gp_table trust = {
    .doc = "Which commits are believed",
    GP_FIELDS(trust,
        GP_EITHER("mode", struct gp_agent_decl, trust_ssh, trust_modes, .required = true,
                  .doc = "ssh: commits are signed by a key of allowedSigners; none: every commit of the ref"),
        GP_STRING("allowedSigners", struct gp_agent_decl, allowed_signers, gp_form_path,
                  .doc = "Keys that may sign, in the format of ssh-keygen(1), ALLOWED SIGNERS"),
        GP_STRING("floor", struct gp_agent_decl, floor, gp_form_commit,
                  .doc = "Commit that every believed one descends from")),
};

#define CEILING(key_, array, index, doc_)                                                          \
    GP_WORD(key_, struct gp_agent_decl, array[index], enum gp_allow, gp_allow_words, .doc = (doc_))

static const struct gp_table on_commit = {
    .doc = "The most that a commit may do, whatever the repository says",
    GP_FIELDS(on_commit,
        CEILING("none", ceiling_on_commit, GP_CLASS_NONE, "Changes that stop no running VM"),
        CEILING("vm", ceiling_on_commit, GP_CLASS_VM, "Changes that stop only VMs whose own device changes"),
        CEILING("gpu", ceiling_on_commit, GP_CLASS_GPU, "Changes that stop further VMs of the GPU"),
        CEILING("host", ceiling_on_commit, GP_CLASS_HOST, "Changes that reload a driver or reboot")),
};

static const struct gp_table on_drift = {
    .doc = "The most that repair may do, whatever the repository says",
    GP_FIELDS(on_drift,
        CEILING("none", ceiling_on_drift, GP_CLASS_NONE, "Repairs that stop no running VM"),
        CEILING("vm", ceiling_on_drift, GP_CLASS_VM, "Repairs that stop only VMs whose own device changes"),
        CEILING("gpu", ceiling_on_drift, GP_CLASS_GPU, "Repairs that stop further VMs of the GPU"),
        CEILING("host", ceiling_on_drift, GP_CLASS_HOST, "Repairs that reload a driver or reboot")),
};

static const struct gp_table ceilings = {
    .doc = "Limits that the repository cannot lift: the stricter of both holds",
    GP_FIELDS(ceilings,
        GP_GROUP("onCommit", on_commit, .doc = "The most that a commit may do"),
        GP_GROUP("onDrift", on_drift, .doc = "The most that repair may do"),
        GP_U32("maxVmsStopped", struct gp_agent_decl, ceiling_vms_stopped, 0, 100000,
               .unset = UINT32_MAX, .doc = "VMs stopped per pass; without limit by default"),
        GP_U32("maxGpusChanged", struct gp_agent_decl, ceiling_gpus_changed, 0, 100000,
               .unset = UINT32_MAX, .doc = "GPUs reshaped per pass; without limit by default")),
};

static const struct gp_table never_touch = {
    .doc = "What gpupart leaves alone, whatever the repository says",
    GP_FIELDS(never_touch,
        GP_STRINGS("gpus", struct gp_agent_decl, never_touch_gpus, gp_form_pci,
                   .doc = "PCI addresses of GPUs"),
        GP_STRINGS("vms", struct gp_agent_decl, never_touch_vms, gp_form_vm_plain,
                   .doc = "Names of VMs")),
};

static const struct gp_table host_clients = {
    .doc = "Programs of the host that use its GPUs",
    GP_FIELDS(host_clients,
        GP_STRINGS("stop", struct gp_agent_decl, stop_units, gp_form_unit,
                   .doc = "Units that may be stopped around a change; they are started again after it")),
};

static const struct gp_table nvidia = {
    .doc = "What NVIDIA's GPUs need",
    GP_FIELDS(nvidia,
        GP_STRING("sriovManage", struct gp_agent_decl, sriov_manage, gp_form_path,
                  .fallback = "/usr/lib/nvidia/sriov-manage",
                  .doc = "The vendor's tool that makes the virtual functions")),
};

#define NOT_YET "Not read by this version yet"

static const struct gp_table observed = {
    .doc = "Where this host writes what it saw, for reports on changes; off by default. " NOT_YET,
    GP_FIELDS(observed,
        GP_STRING("url", struct gp_agent_decl, observed_url, gp_form_url, .required = true,
                  .doc = "A repository other than the one that is followed, or a directory")),
};

static const struct gp_table spec = {
    .doc = "What holds on this host only: trust, tools and limits never come from the repository they guard",
    GP_FIELDS(spec,
        GP_STRING("cluster", struct gp_agent_decl, cluster, gp_form_name, .required = true,
                  .doc = "Name of the GpuCluster that this host is in"),
        GP_STRING("connect", struct gp_agent_decl, connect, gp_form_connect,
                  .fallback = "qemu:///system", .doc = "libvirt's URI"),
        GP_GROUP("git", git, .needs = "trust", .doc = "Where the declaration comes from"),
        GP_GROUP("trust", trust, .doc = "Which commits are believed; written out beside git"),
        GP_GROUP("ceilings", ceilings, .doc = "Limits that the repository cannot lift"),
        GP_GROUP("neverTouch", never_touch, .doc = "What gpupart leaves alone"),
        GP_GROUP("hostClients", host_clients, .doc = "Programs of the host that use its GPUs"),
        GP_GROUP("nvidia", nvidia, .doc = "What NVIDIA's GPUs need"),
        GP_SIZE("reserveMemory", struct gp_agent_decl, reserve_memory,
                .doc = "Memory of the host kept free when guests' memory gets pinned"),
        GP_GROUP("observed", observed, .doc = "Where this host writes what it saw. " NOT_YET),
        GP_STRING("metrics", struct gp_agent_decl, metrics, gp_form_path,
                  .doc = "File for the textfile collector of Prometheus' node exporter. " NOT_YET),
        GP_STRINGS("lowerable", struct gp_agent_decl, lowerable, gp_form_rule,
                   .doc = "Rules whose findings are told as notes on this host. " NOT_YET)),
};

/* Keys of the format that no code reads yet: whoever writes one should not rely on it. */
static void warn_not_yet(struct gp_decoder *d, const struct gp_yaml *in_spec)
{
    static const char *const keys[] = {"observed", "metrics", "lowerable"};

    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (gp_yaml_get(in_spec, keys[i]))
            gp_mistake(d->mistakes, "GP-W011", gp_decoder_span(d, gp_yaml_get(in_spec, keys[i])),
                       "'%s' is not read by this version yet: it has no effect", keys[i]);
}

static void check_agent(struct gp_decoder *d, const struct gp_yaml *node, const void *object)
{
    const struct gp_agent_decl *agent = object;
    const struct gp_yaml *in_spec = gp_yaml_get(node, "spec");
    const struct gp_yaml *mode = gp_yaml_get(in_spec, "trust");
    const struct gp_yaml *seen = gp_yaml_get(in_spec, "observed");

    if (agent->trust_ssh && !agent->allowed_signers)
        gp_mistake(d->mistakes, "GP-E215", gp_decoder_span(d, mode),
                   "'mode: ssh' needs 'allowedSigners' beside it: the keys that may sign");
    for (size_t i = 0; i < agent->remote_count && agent->observed_url; i++)
        if (gp_streq(agent->remotes[i].url, agent->observed_url))
            gp_mistake(d->mistakes, "GP-E215", gp_decoder_span(d, seen),
                       "'observed' is the repository that is followed; each thing seen would be a new "
                       "commit to follow");
    warn_not_yet(d, in_spec);
}

static const struct gp_table document = {
    .doc = "The agent's configuration on one host",
    .size = sizeof(struct gp_agent_decl),
    .at = GP_SPAN(struct gp_agent_decl, at),
    .check = check_agent,
    GP_FIELDS(document,
        GP_CONST("apiVersion", gp_api_version, "Version of the format"),
        GP_CONST("kind", "GpuAgent", "What the document declares"),
        GP_GROUP("metadata", metadata, .doc = "How the host is called"),
        GP_GROUP("spec", spec, .required = true, .doc = "What holds on this host only")),
};

const struct gp_kind gp_kind_agent = {"GpuAgent", "The agent's configuration on one host", &document};
