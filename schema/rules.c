/* Every rule, by id. An id has one meaning for ever; a number is never used for another. */
#include "schema.h"

#include "text.h"

const struct gp_rule gp_rules[] = {
    {"GP-D801", "Drift: partition count",
     "The GPU has another number of partitions than was last applied, for example after a reboot "
     "or "
     "because somebody changed it by hand. What happens is up to policy.onDrift: `gpupart drift` "
     "shows "
     "it, `gpupart apply` repairs it where that is allowed."},
    {"GP-D802", "Drift: mode",
     "The GPU is in another mode (partitioned, passthrough, paravirtual) than was last applied."},
    {"GP-D803", "Drift: binding missing",
     "A VM that was given a partition no longer has it in its definition."},
    {"GP-D804", "Drift: binding extra", "A VM has a device of gpupart's that no binding names."},
    {"GP-D805", "Drift: device gone",
     "A GPU or partition that was in use is no longer there: a card was taken out, moved or "
     "failed. "
     "Nothing is done to a card that now stands in its place."},
    {"GP-D807", "Drift: marks copied from elsewhere",
     "A VM carries gpupart's mark of another host, VM or device, as copies, clones and reverted "
     "snapshots do. Its device counts as foreign: it is told about, never detached."},
    {"GP-D808", "Drift: VM renamed",
     "A VM that was bound has another name now. Write the new name into its binding."},
    {"GP-D809", "Drift: profile differs",
     "The partitions have another profile than was last applied, at the same count."},
    {"GP-E001", "Not YAML",
     "The text cannot be read as YAML 1.2 in UTF-8. The place told is where the reader gave up, "
     "which "
     "may stand a line after the cause: look for a missing quote, bracket or wrong indentation."},
    {"GP-E002", "Unknown key",
     "No such key exists at this place. `gpupart explain KEY` tells where a key belongs and what "
     "it "
     "takes."},
    {"GP-E003", "Unknown apiVersion or kind",
     "This version of gpupart knows other versions or kinds, or the kind does not belong here: "
     "GpuCluster and GpuBinding are read from the repository, GpuAgent from the host's own "
     "configuration."},
    {"GP-E004", "Key stands twice",
     "The same key stands twice in one object. Programs differ in which one they believe, so "
     "neither is."},
    {"GP-E005", "Anchor, alias, merge key or tag",
     "A declaration is read by people who review it: what it says stands where it holds. Write the "
     "value "
     "out."},
    {"GP-E006", "Too large or too deep",
     "The file passes a limit: 16 MiB, 2,000,000 values, 10,000 documents, 32 levels, 1,000 "
     "mistakes. "
     "Divide it into several files."},
    {"GP-E007", "Wrong value",
     "The key takes something else: the message says what. Booleans are true and false, numbers "
     "are "
     "decimal, both without quotes."},
    {"GP-E008", "Key missing", "The object lacks a key that it must have."},
    {"GP-E009", "Wrong or missing unit",
     "Sizes are written with KiB, MiB, GiB or TiB (3GiB), durations with ms, s, m, h or d (90s), "
     "both "
     "without a space."},
    {"GP-E010", "Name stands twice",
     "Two documents of one kind, or two hosts or pools of one cluster, have the same name."},
    {"GP-E101", "No GPU that can be partitioned",
     "The host has no GPU that anything here can partition; the reasons stand with each GPU in "
     "`gpupart "
     "inventory`."},
    {"GP-E110", "Mode not supported by this GPU",
     "The GPU cannot be used in the pool's mode, by its hardware or by what drives it on this "
     "host."},
    {"GP-E112", "Nested virtualization",
     "The host is itself a guest. Devices passed through twice may not be isolated; acceptRisk: "
     "[nested] "
     "takes the risk."},
    {"GP-E113", "Paravirtual prerequisite missing",
     "Sharing a GPU with VMs through virtio-gpu needs a render node and a QEMU with OpenGL."},
    {"GP-E120", "Isolation is weak",
     "The GPU shares its IOMMU group with other devices, or interrupt remapping or a reset is "
     "missing: a "
     "guest could reach what is not its own. `gpupart doctor` tells which; acceptRisk names the "
     "risks "
     "that may be taken."},
    {"GP-E121", "Guest memory does not fit",
     "A guest with a passed-through device has all its memory pinned. It would not fit beside the "
     "others "
     "and reserveMemory."},
    {"GP-E201", "Host has no GPU for the pool",
     "The pool names this host, and no GPU of it fits match and select."},
    {"GP-E202", "GPU cannot be partitioned yet",
     "A GPU of the pool lacks something before it can be partitioned: firmware setting, driver or "
     "tool."},
    {"GP-E203", "GPU in two pools",
     "Two pools match the same GPU. Narrow one of them with select or hosts."},
    {"GP-E205", "Selected GPUs differ",
     "GPUs of one pool must be alike: same model, same way to be partitioned."},
    {"GP-E206", "Partition used by a VM that may not be stopped",
     "The GPU must be reshaped, and a VM that the plan may not stop has a partition of it."},
    {"GP-E207", "Vendors differ",
     "The partitioned pools of the cluster are of different vendors. homogeneity: ignore, warn or "
     "enforce "
     "says what is made of it."},
    {"GP-E208", "Families differ",
     "The partitioned pools of the cluster are of different GPU families of one vendor. "
     "homogeneity: "
     "ignore, warn or enforce says what is made of it."},
    {"GP-E210", "Count not in the valid set",
     "A GPU can be cut into certain numbers of equal partitions only. The message lists them; "
     "`gpupart "
     "inventory` shows them with the memory of each."},
    {"GP-E211", "Profile unknown, ambiguous or not of that count",
     "The profile is none of the model's, or means several, or gives another number of partitions "
     "than "
     "count says. Leave one of the two out, or make them agree."},
    {"GP-E212", "Unknown pool", "The binding names a pool that its cluster does not have."},
    {"GP-E213", "Unknown model",
     "match.model takes a name of the catalogue. A GPU that the catalogue does not know is matched "
     "by "
     "device: \"vendor:device\"."},
    {"GP-E214", "Partitions do not fit the mode",
     "Mode partitioned needs partitions; passthrough and paravirtual have none."},
    {"GP-E215", "Keys that contradict each other",
     "Each key is right by itself, and together they mean nothing: the message says why."},
    {"GP-E216", "Unknown host", "A host is named that the cluster does not have."},
    {"GP-E301", "Second partition for a VM",
     "A VM has one GPU or partition. It stands in two bindings, or twice in one."},
    {"GP-E302", "GPU both passthrough and partitioned",
     "A GPU is in one mode. Something uses it as a whole while partitions of it are wanted, or the "
     "reverse."},
    {"GP-E303", "VM defined on another host",
     "The binding expects the VM on this host, and captures show it on another."},
    {"GP-E304", "VM running or defined on two hosts",
     "The same VM is defined on two hosts of the cluster. It gets nothing until it is clear which "
     "one is "
     "meant."},
    {"GP-E305", "Two domains on one partition",
     "Two VMs name the same partition. Only one of them can run."},
    {"GP-E307", "Memory is not what was asserted",
     "resources.vram or match.vram says another size than the GPU or partition has. A guest can "
     "use less "
     "than the nominal size: the host's driver keeps a part."},
    {"GP-E308", "Resource out of the driver's range",
     "encode, decode or compute asks for more or less than the driver can give."},
    {"GP-E309", "Count outside passthrough",
     "spec.count of a binding gives a VM several whole GPUs. A VM has one partition."},
    {"GP-E311", "Too many bindings go at once",
     "The commit removes more than 3 and more than 25 % of this host's bindings. If that is meant, "
     "its "
     "message says `Gpupart-Allow-Removal: N`."},
    {"GP-E320", "libvirt-guests would save VMs",
     "libvirt-guests is set to suspend VMs when the host shuts down, which VMs with passed-through "
     "devices cannot. Set ON_SHUTDOWN=shutdown."},
    {"GP-E401", "Commit is not signed", "The host believes signed commits only (trust.mode: ssh)."},
    {"GP-E402", "Signer unknown",
     "The signature is valid, and its key is not among the host's allowedSigners."},
    {"GP-E403", "History was rewritten",
     "The head does not descend from the newest commit that was verified. If that is meant, a "
     "person says "
     "so on the host: `gpupart trust --reset-to COMMIT --reason S`."},
    {"GP-E404", "Unknown cluster", "A binding or agent names a GpuCluster that is not declared."},
    {"GP-E405", "Machine id differs",
     "The host declares another machineId: this is a clone or a host set up anew. It is only "
     "looked at."},
    {"GP-E406", "Repository looser than the host",
     "The repository allows what the host's ceilings do not. The host's word holds."},
    {"GP-E407", "Host in two clusters",
     "Two clusters name the same host. It is only looked at until one of them lets go."},
    {"GP-E501", "Budget is used up",
     "The pass would stop more VMs or change more GPUs than policy.budget or the host's ceilings "
     "allow; "
     "the rest follows in later passes."},
    {"GP-E502", "Waits for a window",
     "The change is allowed within policy.windows only, and none is open or long enough."},
    {"GP-E503", "Waits for approval",
     "A person must allow the change: `gpupart approve ID --for D --reason S`."},
    {"GP-E504", "Plan id changed",
     "What would be done now is not what was reviewed. Look at the new plan."},
    {"GP-E505", "VM refuses to stop",
     "The VM did not shut down in time and stop.onTimeout is fail: it keeps running, what was "
     "begun is "
     "restored. If it goes down later it is started again."},
    {"GP-E506", "GPU held by a process",
     "A process of the host uses the GPU and its unit is not in hostClients.stop."},
    {"GP-E507", "VM cannot be stopped now",
     "The VM is paused, transient, migrating, being backed up, has a saved image, or is managed by "
     "another program; the message says which. Nothing of it is changed."},
    {"GP-W111", "GPU not in the catalogue",
     "Nothing is known of this model beforehand. What its driver says on the host holds."},
    {"GP-W203", "Part of a homogeneous set left out",
     "The host has further GPUs just like those of the pool that are in none."},
    {"GP-W204", "Mixed configuration present", "GPUs that are alike are partitioned differently."},
    {"GP-W209", "Other vendor in other modes",
     "GPUs of another vendor are used undivided beside the partitioned ones."},
    {"GP-W305", "Glob matches nothing", "No VM of the host fits the glob."},
    {"GP-W306", "No capacity: VMs are waiting",
     "There are more VMs than partitions. Those named wait until one is free or the count is "
     "raised."},
    {"GP-W310", "Device managed by another tool too",
     "mdevctl, a cloud or another program manages this device. Two masters undo each other's "
     "work."},
    {"GP-W311", "Guest unknown",
     "It is not known whether this guest's driver works with the partition."},
    {"GP-W312", "Guest not supported",
     "This guest's driver is known not to work with the partition."},
    {"GP-W322", "No failover headroom",
     "If one host fails, the others have too few partitions for its VMs."},
    {"GP-W508", "A start that is owed waits",
     "gpupart stopped the VM, or a stop that it asked for came late, and the VM cannot be started "
     "yet; "
     "the message says why. It is started as soon as that is gone."},
    {"GP-W701", "Facts are old", "What is known of the host is too old to rely on."},
    {"GP-W702", "Host never reported", "Nothing is known of the host."},
};

const size_t gp_rule_count = sizeof gp_rules / sizeof *gp_rules;

const struct gp_rule *gp_rule_find(const char *id)
{
    for (size_t i = 0; i < gp_rule_count; i++)
        if (gp_streq(gp_rules[i].id, id))
            return &gp_rules[i];
    return NULL;
}
