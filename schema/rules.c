/* Every rule, by id. An id has one meaning for ever; a number is never used for another. */
#include "schema.h"

#include "text.h"

/* An approval is heard where policy asks for one (core/gate.c): what is only reported, it does not let happen. */
#define TO_REPAIR                                                                                                          \
    "Look at `gpupart plan`. Where policy.onDrift, or ceilings.onDrift of the host's GpuAgent, says report, no pass "      \
    "repairs it and no approval helps: write approve, window or auto there. Or "

const struct gp_rule gp_rules[] = {
    {"GP-D801", "Drift: partition count",
     "The GPU has another number of partitions than was last applied, for example after a reboot or because somebody "
     "changed it by hand. What happens is up to policy.onDrift: `gpupart drift` shows it, `gpupart apply` repairs it "
     "where that is allowed.",
     TO_REPAIR "write the count that is there into the pool."},
    {"GP-D802", "Drift: mode",
     "The GPU is in another mode (partitioned, passthrough, paravirtual) than was last applied.",
     TO_REPAIR "write the mode that is there into the pool."},
    {"GP-D803", "Drift: binding missing",
     "A VM that was given a partition no longer has it in its definition.",
     TO_REPAIR "take the VM out of its binding if somebody meant it."},
    {"GP-D804", "Drift: binding extra",
     "A VM has a device of gpupart's that no binding names.",
     TO_REPAIR "take the device out of the VM's definition, or bind the VM."},
    {"GP-D805", "Drift: device gone",
     "A GPU or partition that was in use is no longer there: a card was taken out, moved or failed. Nothing is done "
     "to a card that now stands in its place.",
     "Put the card back, or take it out of its pool; where another card stands in its place now, apply shapes that "
     "one only if a pool claims it."},
    {"GP-D807", "Drift: marks copied from elsewhere",
     "A VM carries gpupart's mark of another host, VM or device, as copies, clones and reverted snapshots do. Its "
     "device counts as foreign: it is told about, never detached.",
     "Take the device with the alias ua-gpupart-… and the gpupart metadata out of the copy's definition (virsh "
     "edit); bind the copy if it shall have a GPU."},
    {"GP-D808", "Drift: VM renamed",
     "A VM that was bound has another name now. Write the new name into its binding.",
     "Write the VM's new name into its binding, or the UUID of the VM that is meant."},
    {"GP-D809", "Drift: profile differs",
     "The partitions have another profile than was last applied, at the same count.",
     TO_REPAIR "write the profile that is there into the pool."},
    {"GP-E001", "Not YAML",
     "The text cannot be read as YAML 1.2 in UTF-8. The place told is where the reader gave up, which may stand a "
     "line after the cause: look for a missing quote, bracket or wrong indentation.",
     "Mend the text at that place; an editor that knows YAML shows it."},
    {"GP-E002", "Unknown key",
     "No such key exists at this place. `gpupart explain KEY` tells where a key belongs and what it takes.",
     "Take the key that the message proposes, or leave it out."},
    {"GP-E003", "Unknown apiVersion or kind",
     "This version of gpupart knows other versions or kinds, or the kind does not belong here: GpuCluster and "
     "GpuBinding are read from the repository, GpuAgent from the host's own configuration.",
     "Write apiVersion: gpupart/v1, and keep each kind where it belongs."},
    {"GP-E004", "Key stands twice",
     "The same key stands twice in one object. Programs differ in which one they believe, so neither is.",
     "Leave one of the two out."},
    {"GP-E005", "Anchor, alias, merge key or tag",
     "A declaration is read by people who review it: what it says stands where it holds. Write the value out.",
     "Write the value out at each place."},
    {"GP-E006", "Too large or too deep",
     "The file passes a limit: 16 MiB, 2,000,000 values, 10,000 documents, 32 levels, 1,000 mistakes. Divide it into "
     "several files.",
     "Divide the file into several, or the object into simpler ones."},
    {"GP-E007", "Wrong value",
     "The key takes something else: the message says what. Booleans are true and false, numbers are decimal, both "
     "without quotes.",
     "Write a value of the form that the message tells."},
    {"GP-E008", "Key missing",
     "The object lacks a key that it must have.",
     "Add the key; `gpupart explain KEY` tells what it takes."},
    {"GP-E009", "Wrong or missing unit",
     "Sizes are written with KiB, MiB, GiB or TiB (3GiB), durations with ms, s, m, h or d (90s), both without a "
     "space.",
     "Write the number and its unit without a space."},
    {"GP-E010", "Name stands twice",
     "Two documents of one kind, or two hosts or pools of one cluster, have the same name.",
     "Rename one of the two, or leave it out."},
    {"GP-E012", "URL without a host that can be asked",
     "The URL of a git remote begins as one does, and its host or port cannot be read, so no pass could ask the remote.",
     "Write HOST:PORT with a port of 1 to 65535, or HOST alone; an IPv6 address stands in brackets: [2001:db8::1]:PORT."},
    {"GP-E101", "No GPU that can be partitioned",
     "The host has no GPU that anything here can partition; the reasons stand with each GPU in `gpupart inventory`.",
     "Look with lspci whether the card is seen at all, then at firmware settings, slot and power; a VM that is given "
     "all GPUs of its host has none to see."},
    {"GP-E110", "Mode not supported by this GPU",
     "The GPU cannot be used in the pool's mode, by its hardware or by what drives it on this host.",
     "Choose another mode, another GPU (match, select), or install what the message says is missing."},
    {"GP-E112", "Nested virtualization",
     "The host is itself a guest. Devices passed through twice may not be isolated; acceptRisk: [nested] takes the "
     "risk.",
     "Use a host of bare metal; where a test bed is meant, write acceptRisk: [nested] into the cluster."},
    {"GP-E113", "Paravirtual prerequisite missing",
     "Sharing a GPU with VMs through virtio-gpu needs a render node, which a graphics driver of the host makes, and "
     "definitions with virtio-gpu, which this version does not write.",
     "Take the pool out, or use mode partitioned or passthrough. What virtio-gpu its VMs have stays as their "
     "definitions say."},
    {"GP-E120", "Isolation is weak",
     "The GPU shows the host's console, or it or a partition of it shares its IOMMU group with another device: a "
     "guest could reach what is not its own.",
     "Move the card to a slot with an IOMMU group of its own, or turn ACS on in the firmware; where the risk is "
     "meant, name it in acceptRisk."},
    {"GP-E121", "Guest memory does not fit",
     "A guest with a passed-through device has all its memory pinned. It would not fit beside the others and "
     "reserveMemory.",
     "Give the guests less memory, bind fewer of them on this host, or lower reserveMemory in its GpuAgent."},
    {"GP-E201", "Host has no GPU for the pool",
     "The pool names this host, and no GPU of it fits match and select; or the GPU that a VM had is gone, and there is no "
     "other for it.",
     "Take the host out of the pool's hosts, or make match and select fit one of the GPUs that the message lists. A VM "
     "whose GPU is gone waits for the card, for a partition elsewhere, or for ifUnrestorable: without-gpu."},
    {"GP-E202", "GPU cannot be partitioned yet",
     "A GPU of the pool lacks something before it can be partitioned: firmware setting, driver or tool.",
     "Do what the message says is missing; `gpupart inventory` shows the same reason until it is done."},
    {"GP-E203", "GPU in two pools",
     "Two pools match the same GPU. Narrow one of them with select or hosts.",
     "Narrow match, select or hosts of one of the two pools."},
    {"GP-E205", "Selected GPUs differ",
     "GPUs of one pool must be alike: same model, same way to be partitioned.",
     "Divide the pool by model or select, so that each pool has GPUs of one kind."},
    {"GP-E206", "Partition used by a VM that may not be stopped",
     "The GPU must be reshaped, or its IOMMU group is wanted for somebody else, and a VM that the plan may not stop has a "
     "partition of it.",
     "Bind that VM, take the partition away from it, or shut it down; then apply again."},
    {"GP-E207", "Vendors differ",
     "The partitioned pools of the cluster are of different vendors. homogeneity: ignore, warn or enforce says what "
     "is made of it.",
     "Use GPUs of one vendor for partitioned pools, or say homogeneity: ignore if the mix is meant."},
    {"GP-E208", "Families differ",
     "The partitioned pools of the cluster are of different GPU families of one vendor. homogeneity: ignore, warn or "
     "enforce says what is made of it.",
     "Use GPUs of one family for partitioned pools, or say homogeneity: ignore if the mix is meant."},
    {"GP-E210", "Count not in the valid set",
     "A GPU can be cut into certain numbers of equal partitions only. The message lists them; `gpupart inventory` "
     "shows them with the memory of each.",
     "Take one of the counts that the message lists."},
    {"GP-E211", "Profile unknown, ambiguous or not of that count",
     "The profile is none of the model's, or means several, or gives another number of partitions than count says. "
     "Leave one of the two out, or make them agree.",
     "Take one of the profiles that the message lists, or leave out one of count and profile."},
    {"GP-E212", "Unknown pool",
     "The binding names a pool that its cluster does not have.",
     "Name a pool of the cluster, or add the pool."},
    {"GP-E213", "Unknown model",
     "match.model takes a name of the catalogue. A GPU that the catalogue does not know is matched by device: "
     "\"vendor:device\".",
     "Take a name that `gpupart inventory` prints, or match by device."},
    {"GP-E214", "Partitions do not fit the mode",
     "Mode partitioned needs partitions; passthrough and paravirtual have none.",
     "Add partitions to a pool of mode partitioned, or take them out of one of another mode."},
    {"GP-E215", "Keys that contradict each other",
     "Each key is right by itself, and together they mean nothing: the message says why.",
     "Leave out one of the keys that the message names."},
    {"GP-E216", "Unknown host",
     "A host is named that the cluster does not have.",
     "Add the host to the cluster's hosts, or mend its name."},
    {"GP-E301", "Second partition for a VM",
     "A VM has one GPU or partition. It stands in two bindings, or twice in one.",
     "Take the VM out of one of the bindings, or take away the GPU that it was given by hand."},
    {"GP-E302", "GPU both passthrough and partitioned",
     "A GPU is in one mode. Something uses it as a whole while partitions of it are wanted, or the reverse.",
     "Take the GPU out of one of the pools (select, match), or take it away from the VM that has the whole of it."},
    {"GP-E303", "VM defined on another host",
     "The binding expects the VM on this host, and captures show it on another.",
     "Write the host that has the VM, mend its name, or define the VM there."},
    {"GP-E304", "VM running or defined on two hosts",
     "The same VM is defined on two hosts of the cluster. It gets nothing until it is clear which one is meant.",
     "Undefine the VM on all hosts but one (virsh undefine --keep-nvram), or name the one that is meant in the "
     "binding's host."},
    {"GP-E305", "Two domains on one partition",
     "Two VMs name the same partition. Only one of them can run.",
     "Take the device out of one of the two definitions."},
    {"GP-E307", "Memory is not what was asserted",
     "resources.vram or match.vram says another size than the GPU or partition has. A guest can use less than the "
     "nominal size: the host's driver keeps a part.",
     "Write the size that the message tells, or leave it out."},
    {"GP-E308", "Resource out of the driver's range",
     "encode, decode or compute is asked for, and no driver of this host tells how much of it a partition has. It is "
     "neither checked nor set.",
     "Leave it out of the binding, or bind the VM to a pool whose partitions are known to have it."},
    {"GP-E309", "Several GPUs for one VM",
     "spec.count of a binding asks for several whole GPUs for each VM. Of a partitioned pool a VM has one partition, and of a "
     "pool of mode passthrough this version of gpupart gives it one GPU.",
     "Leave count out of the binding."},
    {"GP-E311", "Too many bindings go at once",
     "The commit removes more than 3 and more than 25 % of this host's bindings. If that is meant, its message says "
     "`Gpupart-Allow-Removal: N`.",
     "Put back what was lost; if it is meant, add the trailer that the message tells to the commit's message."},
    {"GP-E320", "libvirt-guests would save VMs",
     "libvirt-guests is set to suspend VMs when the host shuts down, which VMs with passed-through devices cannot. "
     "Set ON_SHUTDOWN=shutdown.",
     "Write ON_SHUTDOWN=shutdown into the file that the message names."},
    {"GP-E401", "Commit is not signed",
     "The host believes signed commits only (trust.mode: ssh).",
     "Sign the commit (git commit -S, gpg.format=ssh) and push it again, or push a signed one after it."},
    {"GP-E402", "Signer unknown",
     "The signature is valid, and its key is not among the host's allowedSigners.",
     "Find out who signed it. If the signer is to be trusted, add the key to the host's allowedSigners."},
    {"GP-E403", "History was rewritten",
     "The head does not descend from the newest commit that was verified or from trust.floor of the host's GpuAgent, or the "
     "verified commit is not known any more: its file in the state directory is corrupt or gone.",
     "Find out who rewrote the branch. Push a head that descends from the commit that the message names, or if it is "
     "meant, say so on the host: `gpupart trust --reset-to COMMIT --reason WHY`, or, where the message names trust.floor, "
     "write another floor into the GpuAgent file. Until then what is applied is kept."},
    {"GP-E404", "Unknown cluster",
     "A binding or agent names a GpuCluster that is not declared.",
     "Add the host to one cluster's hosts, or declare the cluster that is named."},
    {"GP-E405", "Machine id differs",
     "The host declares another machineId: this is a clone or a host set up anew. It is only looked at.",
     "Write the host's own machine id (/etc/machine-id) into the cluster, or give a clone an id and a name of its "
     "own."},
    {"GP-E406", "Repository looser than the host",
     "The repository allows what the host's ceilings do not, or wants something of what neverTouch names: a VM, a GPU, or a "
     "VM that has a part of such a GPU. The host's word holds.",
     "Nothing, if the host's word is meant; else change its GpuAgent, on the host."},
    {"GP-E407", "Host in two clusters",
     "Two clusters name the same host. It is only looked at until one of them lets go.",
     "Take the host out of all clusters but one."},
    {"GP-E501", "Budget is used up",
     "The pass would stop more VMs or change more GPUs than policy.budget or the host's ceilings allow; the rest "
     "follows in later passes.",
     "Wait for the next passes, or raise policy.budget, and ceilings in the host's GpuAgent."},
    {"GP-E502", "Waits for a window",
     "The change is allowed within policy.windows only, and none is open or long enough.",
     "Wait for the window, or widen policy.windows. An approval opens none: where it should be enough, write approve where "
     "policy.onCommit or policy.onDrift says window (ceilings of the host's GpuAgent hold besides)."},
    {"GP-E503", "Waits for approval",
     "A person must act before the change is made: approve a plan, or the first reshaping of a GPU that somebody else "
     "had partitioned; end a pause; or let happen at all what policy only reports. The message says which.",
     "Look at `gpupart plan`. Where it asks for approval: `gpupart approve ID --for 1h --reason WHY`. Where it says "
     "paused: `gpupart resume`. Where it says report, no approval helps: write approve, window or auto into "
     "policy.onCommit or policy.onDrift, whichever the message names (ceilings of the host's GpuAgent hold besides)."},
    {"GP-E504", "Plan id changed",
     "What would be done now is not what was reviewed. Look at the new plan.",
     "Look at `gpupart plan`, and apply with the id that it has now."},
    {"GP-E505", "VM refuses to stop",
     "The VM did not shut down in time and stop.onTimeout is fail: it keeps running, what was begun is restored. If "
     "it goes down later it is started again.",
     "Shut the guest down from within, or look at its console for what keeps it; a longer stop.timeout or onTimeout: "
     "force are the other ways."},
    {"GP-E506", "GPU held, or not known not to be",
     "A process of the host uses the GPU and its unit is not in hostClients.stop; or the GPU, or the VMs of the host, "
     "cannot be looked at: what is not known counts as held, and nothing of it is changed.",
     "Stop the process that the message names, or list its unit in hostClients.stop of the host's GpuAgent. Where libvirt "
     "did not answer, bring it back (systemctl status libvirtd virtqemud); where a file of sysfs cannot be read, look for "
     "the card in the kernel's log."},
    {"GP-E507", "VM cannot be stopped now",
     "The VM is paused, transient, migrating, being backed up, has a saved image, is managed by another program, or names its "
     "device to QEMU by an alias that a mark would change; the message says which. Nothing of it is changed.",
     "Do what the message names (resume it, end the job, remove the saved image, take the alias out of <qemu:override>), or "
     "leave the VM to who manages it; the next pass goes on."},
    {"GP-W011", "Key without effect yet",
     "The key belongs to the format, but this version of gpupart does not read it.",
     "Nothing, if it is written for a later version; else take it out."},
    {"GP-W111", "GPU not in the catalogue",
     "Nothing is known of this model beforehand. What its driver says on the host holds.",
     "Review the valid counts that `gpupart inventory` shows, and name the GPU by device in match."},
    {"GP-W203", "Part of a homogeneous set left out",
     "The host has further GPUs just like those of the pool that are in none.",
     "Add the GPUs to the pool, or to another one; nothing is to be done if they are left out on purpose."},
    {"GP-W204", "Mixed configuration present",
     "A GPU of the same kind as those of a pool is in none, and partitioned otherwise.",
     "Add the GPU to the pool, or nothing if it is left out on purpose."},
    {"GP-W209", "Other vendor in other modes",
     "GPUs of another vendor are used undivided beside the partitioned ones.",
     "Nothing, if it is meant; homogeneity: ignore in the GpuCluster silences it."},
    {"GP-W305", "Glob matches nothing",
     "No VM of the host fits the glob.",
     "Mend the glob, or define the VMs."},
    {"GP-W306", "No capacity: VMs are waiting",
     "There are more VMs than partitions. Those named wait until one is free or the count is raised.",
     "Raise the count, add GPUs to the pool, or take VMs out of the binding."},
    {"GP-W310", "Device managed by another tool too",
     "mdevctl, a cloud or another program manages this device. Two masters undo each other's work.",
     "Leave the device to one of the two: take it out of the other tool's configuration, or the GPU out of the pool."},
    {"GP-W311", "Guest unknown",
     "The guest's definition names a system of which it is not known here whether its driver works with the "
     "partition.",
     "Try the guest's driver, or name its system in the definition (virt-xml --edit --osinfo)."},
    {"GP-W312", "Guest not supported",
     "This guest's driver is known not to work with the partition.",
     "Install a system that the vendor's driver supports."},
    {"GP-W322", "No failover headroom",
     "If one host fails, the others have too few partitions for its VMs.",
     "Add GPUs or raise counts on the other hosts; VMs that need not come up elsewhere are bound with their host's "
     "name."},
    {"GP-W508", "A start that is owed waits",
     "gpupart stopped the VM, or a stop that it asked for came late, and the VM cannot be started yet; the message "
     "says why. It is started as soon as that is gone.",
     "Do what the message says is in the way; the start comes by itself then."},
    {"GP-W509", "Time zone not known",
     "The tz database has no time zone of that name, or there is none (package tzdata). A window in it is closed: nobody knows "
     "at which hour it would open.",
     "Correct the name, as /usr/share/zoneinfo has it, or install tzdata on the host. UTC is known everywhere."},
    {"GP-W701", "Facts are old",
     "The capture that a report is made from is more than a day old.",
     "Capture the host again: gpupart capture DIR."},
    {"GP-W702", "Host never reported",
     "A report was given no capture of the host.",
     "Capture the host (gpupart capture DIR) and give the capture to the report, or take the host out of the cluster."},
};

const size_t gp_rule_count = sizeof gp_rules / sizeof *gp_rules;

const struct gp_rule *gp_rule_find(const char *id)
{
    for (size_t i = 0; i < gp_rule_count; i++)
        if (gp_streq(gp_rules[i].id, id))
            return &gp_rules[i];
    return NULL;
}
