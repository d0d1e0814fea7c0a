/* Stopping guests, all at once. Each guest is a small machine of states; the requests to it are jobs with connections of
 * their own, as many at a time as libvirtd takes (virt_ask.c), and one list of all domains tells who is off. So guests
 * take as long as the slowest, and many of them a little longer: each has all its time from when it is asked. */
#include "clock.h"
#include "virt_ask.h"

#include "cleanup.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

#define POLL_MIN_MS 50
#define POLL_MAX_MS 500
/* Nobody's turn for so long: libvirtd is not well. Its own waits for a guest end sooner: 60 s until it is down, 30 s for
 * another job of it, 5 s for its agent to answer at all. */
#define TURN_MS 180000
/* One look: what libvirtd answers from memory. */
#define LOOK_MS   15000
#define CANCEL_MS 100
/* Where the policy says nothing. */
#define TIMEOUT_MS 180000

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
    WAITING, /* to be asked, as guest->next says, once there is room for it */
    ASKING,  /* a request is under way */
    ASKED,
    ENDED
};

struct guest {
    const struct gp_virt_stop *stop;
    struct gp_error **result;
    bool *ret_reached; /* or NULL */
    enum phase phase;
    enum gp_ask_how next;
    struct gp_ask *ask;
    bool reached; /* a request was taken, or may have been */
    bool again;   /* it was asked again at half time */
    int id;       /* of the run that is to end */
    uint64_t half_ms, end_ms; /* from when it was asked, or forced off */
};

struct stopping {
    struct gp_virt *virt;
    struct guest *guests;
    size_t count;
    uint64_t turns, turn_ms; /* requests of the process so far; when the last one began */
    struct look_job *look;
    uint64_t next_look_ms, look_end_ms;
    uint32_t pause_ms;
};

static uint32_t time_of(const struct guest *guest)
{
    const uint32_t timeout_ms = guest->stop->policy.timeout_ms;

    return guest->next == GP_ASK_FORCE ? GP_STOP_FORCE_MS : timeout_ms ? timeout_ms : TIMEOUT_MS;
}

/* Its time has not begun. A guest that is only asked again goes on with what it has. */
static bool waits_for_turn(const struct guest *guest)
{
    return guest->phase == UNSEEN || (guest->phase == WAITING && guest->next != GP_ASK_AGAIN);
}

static uint64_t end_of(const struct stopping *all, const struct guest *guest)
{
    return waits_for_turn(guest) ? all->turn_ms + TURN_MS : guest->end_ms;
}

static void let_go(struct guest *guest)
{
    if (!guest->ask)
        return;
    gp_job_put(&guest->ask->job);
    guest->ask = NULL;
}

static void end(struct guest *guest, struct gp_error *err)
{
    if (guest->ret_reached)
        *guest->ret_reached = guest->reached || guest->ask;
    let_go(guest);
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
        end(guest,
            gp_error_new(code, "%s%s", why,
                         guest->reached ? "; it was asked to stop, so it may yet go down" : ""));
    }
}

static void begin_asking(struct stopping *all, struct guest *guest, uint64_t now)
{
    const struct gp_stop_policy *policy = &guest->stop->policy;
    enum gp_stop_method method[2] = {policy->method[0], policy->method[1]};

    if (method[0] == GP_STOP_NONE) {
        method[0] = GP_STOP_AGENT;
        method[1] = GP_STOP_ACPI;
    }
    if (guest->next == GP_ASK_AGAIN && method[1] != GP_STOP_NONE) {
        method[0] = method[1];
        method[1] = GP_STOP_NONE;
    }
    guest->ask = gp_ask_begin(all->virt, guest->stop->uuid, guest->next, method);
    if (!guest->ask)
        return;
    if (waits_for_turn(guest)) {
        guest->half_ms = now + time_of(guest) / 2;
        guest->end_ms = now + time_of(guest);
    }
    guest->phase = ASKING;
}

/* A guest that could not be asked at all fails at once: nothing has begun. An earlier request
 * stands, whatever the later one came to. */
static void take_answer(struct stopping *all, struct guest *guest)
{
    struct gp_error *err = gp_steal(guest->ask->job.err);
    bool fails;

    guest->reached |= !err || guest->ask->unsure;
    fails = err && (guest->ask->how == GP_ASK_FORCE || !guest->reached);
    let_go(guest);
    guest->phase = ASKED;
    all->pause_ms = POLL_MIN_MS;
    all->next_look_ms = 0;
    if (fails)
        end(guest, err);
    else
        gp_error_free(err);
}

/* The time is over. Never while a look is under way: its answer may be that the guest is off. */
static void time_out(struct guest *guest)
{
    if (guest->next == GP_ASK_FORCE) {
        end(guest, guest->phase == WAITING
                       ? gp_error_new(GP_E_TIMEOUT, "it did not go down in its time, and libvirt is too busy to force it off")
                       : gp_error_new(GP_E_TIMEOUT, "it was forced off, but runs on after %u s", GP_STOP_FORCE_MS / 1000));
    } else if (waits_for_turn(guest)) {
        end(guest, gp_error_new(GP_E_BUSY, "it could not be asked: for %u s libvirt has ended none of the requests to others",
                                TURN_MS / 1000));
    } else if (guest->stop->policy.force) {
        guest->reached |= guest->ask != NULL;
        let_go(guest);
        guest->next = GP_ASK_FORCE;
        guest->phase = WAITING;
    } else {
        end(guest,
            gp_error_new(GP_E_BUSY,
                         "GP-E505: it still runs %u s after it was asked; the request cannot be recalled, "
                         "so it may yet go down",
                         time_of(guest) / 1000));
    }
}

static void advance(struct stopping *all, struct guest *guest, uint64_t now)
{
    if (guest->ask && gp_job_done(&guest->ask->job))
        take_answer(all, guest);
    if (guest->phase != ENDED && !all->look && now >= end_of(all, guest))
        time_out(guest);
    if (guest->phase == ENDED || guest->phase == UNSEEN)
        return;
    if (!guest->again && guest->next != GP_ASK_FORCE && guest->phase != WAITING && now >= guest->half_ms) {
        guest->again = true;
        guest->reached |= guest->ask != NULL;
        let_go(guest);
        guest->next = GP_ASK_AGAIN;
        guest->phase = WAITING;
    }
    if (guest->phase == WAITING)
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

static void see(struct guest *guest, const struct look *look)
{
    if (guest->phase == ENDED)
        return;
    if (!look) {
        end(guest,
            gp_error_new(GP_E_GONE, "it is not defined%s", guest->reached ? " any more" : ""));
    } else if (look->id < 0) {
        end(guest, NULL);
    } else if (guest->phase == UNSEEN) {
        guest->id = look->id;
        guest->phase = WAITING;
    } else if (look->id != guest->id) {
        end(guest,
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
        see(&all->guests[i], find(look, all->guests[i].stop->uuid));
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
        if (!all->look && end_of(all, guest) < due)
            due = end_of(all, guest);
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

/* As long as somebody's request begins, here or elsewhere in the process, those that wait may go on waiting. */
static void watch_turns(struct stopping *all, uint64_t now)
{
    const uint64_t turns = gp_ask_count();

    if (turns != all->turns)
        all->turn_ms = now;
    all->turns = turns;
}

static void begin(struct stopping *all, const struct gp_virt_stop *stops, struct gp_error **results, bool *reached)
{
    all->turn_ms = gp_monotonic_ms();
    for (size_t i = 0; i < all->count; i++) {
        all->guests[i] = (struct guest){
            .stop = &stops[i],
            .result = &results[i],
            .ret_reached = reached ? &reached[i] : NULL,
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
        watch_turns(&all, now);
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
