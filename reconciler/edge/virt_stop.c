/* Stopping guests, all at once. Each guest is a small machine of states; the calls that ask it are
 * jobs, a few at a time, and one list of all domains tells who is off. So many guests take as long
 * as the slowest. */
#include "clock.h"
#include "virt_private.h"

#include "cleanup.h"
#include "text.h"

#include <libvirt/libvirt-qemu.h>
#include <stdlib.h>
#include <string.h>

/* libvirtd takes five calls at a time of one client (libvirtd.conf, max_client_requests): one stays
 * free for looking, so that guests whose agents hang do not hold up the rest. */
#define ASKING_MAX 4
/* An agent that lives answers in milliseconds, under load in a second or two. */
#define PING_S      5
#define POLL_MIN_MS 50
#define POLL_MAX_MS 500
/* QEMU gets 10 s to end by itself, then libvirt kills it (src/qemu/qemu_process.c,
 * virProcessKillPainfully). */
#define FORCE_MS 40000
/* One look: what libvirtd answers from memory. */
#define LOOK_MS   15000
#define CANCEL_MS 100
/* Where the policy says nothing. */
#define TIMEOUT_MS 180000

enum how { ASK_FIRST, ASK_AGAIN, FORCE };

struct ask_job {
    struct gp_job job;
    enum how how;
    char *uuid;
    enum gp_stop_method method[2];
    bool unsure; /* it failed, but the request may have been taken */
};

/* ---- asking one guest; in a job ---- */

static void ask_free(struct gp_job *job)
{
    free(((struct ask_job *)job)->uuid);
    free(job);
}

static bool agent_answers(virDomainPtr domain)
{
    char *answer = virDomainQemuAgentCommand(domain, "{\"execute\":\"guest-ping\"}", PING_S, 0);

    free(answer);
    return answer != NULL;
}

/* What libvirt answers is a refusal. A request that got no answer, from libvirt or from the agent behind it, may have
 * been taken. */
static struct gp_error *shut_down(virDomainPtr domain, unsigned flags, bool *unsure)
{
    struct gp_error *err;

    if ((flags ? virDomainShutdownFlags(domain, flags) : virDomainShutdown(domain)) == 0)
        return NULL;
    err = gp_virt_error();
    *unsure |= err->code == GP_E_TIMEOUT || virConnectIsAlive(virDomainGetConnect(domain)) != 1;
    return err;
}

static struct gp_error *ask(virDomainPtr domain, enum gp_stop_method method, bool *unsure)
{
    unsigned flags = method == GP_STOP_AGENT  ? VIR_DOMAIN_SHUTDOWN_GUEST_AGENT
                     : method == GP_STOP_ACPI ? VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN
                                              : VIR_DOMAIN_SHUTDOWN_DEFAULT;

    if (method == GP_STOP_AGENT && !agent_answers(domain))
        return gp_virt_error();
    return shut_down(domain, flags, unsure);
}

/* The methods in turn until one is taken. Where the hypervisor knows none of them, it is asked
 * without saying how. What fails for another reason falls through as well: an agent that does not
 * answer is why ACPI comes next. */
static struct gp_error *ask_in_turn(virDomainPtr domain, const enum gp_stop_method method[2], bool *unsure)
{
    struct gp_error *err = NULL;

    for (unsigned i = 0; i < 2 && method[i] != GP_STOP_NONE; i++) {
        gp_error_free(err);
        err = ask(domain, method[i], unsure);
        if (!err || err->code == GP_E_GONE || err->code == GP_E_PERM)
            return err;
    }
    if (err && err->code != GP_E_UNSUPPORTED && err->code != GP_E_INVALID)
        return err;
    gp_error_free(err);
    return shut_down(domain, VIR_DOMAIN_SHUTDOWN_DEFAULT, unsure);
}

/* What nobody could see before anything had begun, or what came up since then. */
static struct gp_error *may_be_asked(virDomainPtr domain)
{
    int state, saved;

    if (virDomainGetState(domain, &state, NULL, 0) < 0)
        return gp_virt_error();
    if (state == VIR_DOMAIN_PAUSED)
        return gp_error_new(GP_E_BUSY, "is paused, and cannot answer a request to stop");
    saved = virDomainHasManagedSaveImage(domain, 0);
    if (saved > 0)
        return gp_error_new(GP_E_BUSY, "has a managed-save image");
    if (gp_virt_has_job(domain))
        return gp_error_new(GP_E_BUSY, "%s", gp_virt_job_reason);
    return NULL;
}

static struct gp_error *destroy(virDomainPtr domain)
{
    if (virDomainDestroyFlags(domain, VIR_DOMAIN_DESTROY_GRACEFUL) == 0 ||
        virDomainDestroyFlags(domain, VIR_DOMAIN_DESTROY_DEFAULT) == 0 ||
        virDomainDestroy(domain) == 0)
        return NULL;
    return gp_virt_error();
}

/* It may have gone down on the way, and with it the monitor that was to answer ("Connection reset by peer", seen with a
 * guest that needs a millisecond): libvirt then hears of its end a moment later. */
static bool is_going(const struct gp_job *job, virDomainPtr domain)
{
    enum { WAIT_MS = 5000, POLL_MS = 50 };
    const uint64_t deadline_ms = gp_monotonic_ms() + WAIT_MS;

    while (virDomainIsActive(domain) != 0) {
        if (job->err->code != GP_E_IO || gp_monotonic_ms() >= deadline_ms || atomic_load(&job->given_up))
            return false;
        gp_sleep_ms(POLL_MS);
    }
    return true;
}

static void ask_run(struct gp_job *job)
{
    gp_cleanup(gp_virt_domain_free_p) virDomainPtr domain = NULL;
    struct ask_job *asked = (struct ask_job *)job;

    job->err = gp_virt_lookup(job->virt, asked->uuid, &domain);
    if (job->err || virDomainIsActive(domain) == 0)
        return;
    if (asked->how == ASK_FIRST)
        job->err = may_be_asked(domain);
    if (job->err || atomic_load(&job->given_up))
        return;
    asked->unsure = asked->how == FORCE;
    job->err = asked->how == FORCE ? destroy(domain) : ask_in_turn(domain, asked->method, &asked->unsure);
    if (job->err && is_going(job, domain)) {
        gp_error_free(job->err);
        job->err = NULL;
    }
}

/* ---- looking at all of them; in a job ---- */

struct look {
    char uuid[VIR_UUID_STRING_BUFLEN];
    int id; /* -1: off */
};

struct look_job {
    struct gp_job job;
    struct look *found;
    size_t count;
};

static void look_free(struct gp_job *job)
{
    free(((struct look_job *)job)->found);
    free(job);
}

static void look_run(struct gp_job *job)
{
    struct look_job *look = (struct look_job *)job;
    virDomainPtr *domains = NULL;
    int count = virConnectListAllDomains(job->virt->conn, &domains, 0);

    if (count < 0) {
        job->err = gp_virt_error();
        return;
    }
    look->found = calloc((size_t)count + 1, sizeof *look->found);
    if (!look->found)
        abort();
    for (int i = 0; i < count; i++) {
        struct look *found = &look->found[look->count++];
        unsigned id = virDomainGetID(domains[i]);

        (void)virDomainGetUUIDString(domains[i], found->uuid);
        found->id = id == (unsigned)-1 ? -1 : (int)id;
        (void)virDomainFree(domains[i]);
    }
    free(domains);
}

/* ---- the guests ---- */

enum phase {
    UNSEEN,  /* before the first look */
    WAITING, /* to be asked, as guest->next says, once there is room */
    ASKING,  /* a request is under way */
    ASKED,
    ENDED
};

struct guest {
    const struct gp_virt_stop *stop;
    struct gp_error **result;
    bool *ret_reached; /* or NULL */
    enum phase phase;
    enum how next;
    struct ask_job *job;
    bool reached; /* a request was taken, or may have been */
    bool again;   /* it was asked again at half time */
    int id;       /* of the run that is to end */
    uint64_t half_ms, end_ms;
};

struct stopping {
    struct gp_virt *virt;
    struct guest *guests;
    size_t count, asking;
    struct look_job *look;
    uint64_t next_look_ms, look_end_ms;
    uint32_t pause_ms;
};

static void let_go(struct stopping *all, struct guest *guest)
{
    if (!guest->job)
        return;
    gp_job_put(&guest->job->job);
    guest->job = NULL;
    all->asking--;
}

static void end(struct stopping *all, struct guest *guest, struct gp_error *err)
{
    if (guest->ret_reached)
        *guest->ret_reached = guest->reached || guest->job;
    let_go(all, guest);
    guest->phase = ENDED;
    *guest->result = err ? gp_error_wrap(err, "vm %s was not stopped", guest->stop->name) : NULL;
}

/* All that still count on the connection have lost it. */
static void end_all(struct stopping *all, enum gp_errc code, const char *why)
{
    for (size_t i = 0; i < all->count; i++) {
        struct guest *guest = &all->guests[i];

        if (guest->phase == ENDED)
            continue;
        end(all, guest,
            gp_error_new(code, "%s%s", why,
                         guest->reached ? "; it was asked to stop, so it may yet go down" : ""));
    }
}

static void begin_asking(struct stopping *all, struct guest *guest, uint64_t now)
{
    const struct gp_stop_policy *policy = &guest->stop->policy;
    struct ask_job *job = calloc(1, sizeof *job);

    if (!job || !(job->uuid = strdup(guest->stop->uuid)))
        abort();
    job->job.run = ask_run;
    job->job.free = ask_free;
    job->how = guest->next;
    memcpy(job->method, policy->method, sizeof job->method);
    if (job->method[0] == GP_STOP_NONE) {
        job->method[0] = GP_STOP_AGENT;
        job->method[1] = GP_STOP_ACPI;
    }
    if (job->how == ASK_AGAIN && job->method[1] != GP_STOP_NONE) {
        job->method[0] = job->method[1];
        job->method[1] = GP_STOP_NONE;
    }
    if (job->how == ASK_FIRST && now >= guest->half_ms)
        guest->half_ms = now + (guest->end_ms - now) / 2;
    guest->job = job;
    guest->phase = ASKING;
    all->asking++;
    gp_job_start(&job->job, all->virt);
}

/* A guest that could not be asked at all fails at once: nothing has begun. An earlier request
 * stands, whatever the later one came to. */
static void take_answer(struct stopping *all, struct guest *guest)
{
    struct gp_error *err = gp_steal(guest->job->job.err);
    enum how how = guest->job->how;
    const bool fails = err && (how == FORCE || !guest->reached);

    guest->reached |= !err || guest->job->unsure;
    let_go(all, guest);
    guest->phase = ASKED;
    all->pause_ms = POLL_MIN_MS;
    all->next_look_ms = 0;
    if (fails)
        end(all, guest, err);
    else
        gp_error_free(err);
}

/* The time is over. Never while a look is under way: its answer may be that the guest is off. */
static void time_out(struct stopping *all, struct guest *guest, uint64_t now)
{
    const struct gp_stop_policy *policy = &guest->stop->policy;

    if (guest->next == FORCE) {
        end(all, guest,
            gp_error_new(GP_E_TIMEOUT, "it was forced off, but runs on after %u s",
                         FORCE_MS / 1000));
    } else if (policy->force) {
        guest->reached |= guest->job != NULL;
        let_go(all, guest);
        guest->next = FORCE;
        guest->phase = WAITING;
        guest->end_ms = now + FORCE_MS;
    } else if (guest->reached || guest->phase == ASKING) {
        end(all, guest,
            gp_error_new(GP_E_BUSY,
                         "GP-E505: it still runs %u s after it was asked; the request cannot be recalled, "
                         "so it may yet go down",
                         (policy->timeout_ms ? policy->timeout_ms : TIMEOUT_MS) / 1000));
    } else {
        end(all, guest, gp_error_new(GP_E_BUSY, "its time was over before it could be asked"));
    }
}

static void advance(struct stopping *all, struct guest *guest, uint64_t now)
{
    if (guest->job && gp_job_done(&guest->job->job))
        take_answer(all, guest);
    if (guest->phase != ENDED && !all->look && now >= guest->end_ms)
        time_out(all, guest, now);
    if (guest->phase == ENDED || guest->phase == UNSEEN)
        return;
    /* One that still waits for its first question has its half time when it is asked. */
    if (!guest->again && guest->next != FORCE && guest->phase != WAITING && now >= guest->half_ms) {
        guest->again = true;
        guest->reached |= guest->job != NULL;
        let_go(all, guest);
        guest->next = ASK_AGAIN;
        guest->phase = WAITING;
    }
    if (guest->phase == WAITING && all->asking < ASKING_MAX)
        begin_asking(all, guest, now);
}

/* ---- the look at all of them, time and again ---- */

static const struct look *find(const struct look_job *look, const char *uuid)
{
    for (size_t i = 0; i < look->count; i++)
        if (strcasecmp(look->found[i].uuid, uuid) == 0)
            return &look->found[i];
    return NULL;
}

static void see(struct stopping *all, struct guest *guest, const struct look *look)
{
    if (guest->phase == ENDED)
        return;
    if (!look) {
        end(all, guest,
            gp_error_new(GP_E_GONE, "it is not defined%s", guest->reached ? " any more" : ""));
    } else if (look->id < 0) {
        end(all, guest, NULL);
    } else if (guest->phase == UNSEEN) {
        guest->id = look->id;
        guest->phase = WAITING;
    } else if (look->id != guest->id) {
        end(all, guest,
            gp_error_new(GP_E_CHANGED, "it stopped, and somebody else started it again"));
    }
}

static void take_look(struct stopping *all, uint64_t now)
{
    struct look_job *look = gp_steal(all->look);

    if (look->job.err) {
        gp_cleanup(gp_free_p) char *why = gp_error_line(look->job.err);

        end_all(all, look->job.err->code, why);
    }
    for (size_t i = 0; i < all->count && !look->job.err; i++)
        see(all, &all->guests[i], find(look, all->guests[i].stop->uuid));
    gp_job_put(&look->job);
    all->next_look_ms = now + all->pause_ms;
    all->pause_ms = all->pause_ms * 3 / 2 < POLL_MAX_MS ? all->pause_ms * 3 / 2 : POLL_MAX_MS;
}

static void begin_look(struct stopping *all, uint64_t now)
{
    all->look = calloc(1, sizeof *all->look);
    if (!all->look)
        abort();
    all->look->job.run = look_run;
    all->look->job.free = look_free;
    all->look_end_ms = now + LOOK_MS;
    gp_job_start(&all->look->job, all->virt);
}

static void look_again(struct stopping *all, uint64_t now)
{
    if (all->look && gp_job_done(&all->look->job)) {
        take_look(all, now);
    } else if (all->look && now >= all->look_end_ms) {
        gp_job_put(&all->look->job);
        all->look = NULL;
        atomic_store(&all->virt->hung, true);
        end_all(all, GP_E_TIMEOUT, "libvirt no longer answers");
    } else if (!all->look && now >= all->next_look_ms) {
        begin_look(all, now);
    }
}

/* The next instant at which something is due. What jobs come to wakes the wait by itself. */
static uint64_t next_due(const struct stopping *all, uint64_t now, bool may_cancel)
{
    uint64_t due = all->look ? all->look_end_ms : all->next_look_ms;

    for (size_t i = 0; i < all->count; i++) {
        const struct guest *guest = &all->guests[i];

        if (guest->phase == ENDED)
            continue;
        if (!all->look && guest->end_ms < due)
            due = guest->end_ms;
        if (!guest->again && guest->half_ms < due)
            due = guest->half_ms > now ? guest->half_ms : due;
    }
    return may_cancel && due > now + CANCEL_MS ? now + CANCEL_MS : due;
}

static bool all_ended(const struct stopping *all)
{
    for (size_t i = 0; i < all->count; i++)
        if (all->guests[i].phase != ENDED)
            return false;
    return true;
}

static void begin(struct stopping *all, const struct gp_virt_stop *stops, struct gp_error **results, bool *reached)
{
    uint64_t now = gp_monotonic_ms();

    for (size_t i = 0; i < all->count; i++) {
        uint32_t timeout_ms = stops[i].policy.timeout_ms ? stops[i].policy.timeout_ms : TIMEOUT_MS;

        all->guests[i] = (struct guest){
            .stop = &stops[i],
            .result = &results[i],
            .ret_reached = reached ? &reached[i] : NULL,
            .half_ms = now + timeout_ms / 2,
            .end_ms = now + timeout_ms,
        };
        results[i] = NULL;
    }
}

void gp_virt_stop(struct gp_virt *virt, const struct gp_virt_stop *stops, size_t count,
                  bool (*cancelled)(void *), void *data, struct gp_error **ret_results, bool *ret_reached)
{
    struct stopping all = {.virt = virt, .count = count, .pause_ms = POLL_MIN_MS};
    struct gp_error *err;
    uint64_t endings = 0;

    all.guests = calloc(count + 1, sizeof *all.guests);
    if (!all.guests)
        abort();
    begin(&all, stops, ret_results, ret_reached);
    err = gp_virt_usable(virt, true);
    if (err)
        end_all(&all, err->code, err->message);
    gp_error_free(err);
    while (!all_ended(&all)) {
        uint64_t now = gp_monotonic_ms();

        gp_job_endings(&endings);
        look_again(&all, now);
        for (size_t i = 0; i < count; i++)
            if (all.guests[i].phase != ENDED)
                advance(&all, &all.guests[i], now);
        if (cancelled && cancelled(data))
            end_all(&all, GP_E_BUSY, "the wait for it was ended");
        if (!all_ended(&all))
            gp_job_wait_any(endings, next_due(&all, now, cancelled != NULL));
    }
    if (all.look)
        gp_job_put(&all.look->job);
    free(all.guests);
}
