/* One request to one guest to go down: in a job, over a connection of its own.
 *
 * Fact: an agent does not answer a guest-shutdown. libvirt waits for the guest's end instead, and gives up after 60 s
 * (src/qemu/qemu_agent.c, qemuAgentShutdown()). Of one connection libvirtd works at five such calls at a time, and then reads
 * no more of it (libvirtd.conf, max_client_requests): looks at the guests would wait behind them. */
#include "virt_ask.h"

#include "cleanup.h"
#include "clock.h"

#include <libvirt/libvirt-qemu.h>
#include <stdlib.h>
#include <string.h>

/* An agent that lives answers in milliseconds, under load in a second or two. */
#define PING_S 5

/* ---- room ----
 *
 * Fact: for calls that may block libvirtd has 20 workers, whoever asks (libvirtd.conf, max_workers), and a call keeps its own
 * until it is answered, even if nobody waits for that any more. So the requests of the whole process are counted, as sets
 * stop their guests side by side, and until they are answered. Some workers are left to others.
 * A guest that is asked again has room beside those that are asked first, and does not wait for their agents.
 * What forces off is done by other workers as well (prio_workers, 5; src/remote/remote_protocol.x, @priority: high), which are
 * also those that the looks count on: few at a time, as each may take 15 s. */
static const unsigned room[] = {
    [GP_ASK_FIRST] = GP_STOPS_AT_ONCE, [GP_ASK_AGAIN] = GP_STOPS_AT_ONCE + 4, [GP_ASK_FORCE] = 4};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned asking, forcing; /* under way now */
static uint64_t begun;

static unsigned *counter(enum gp_ask_how how)
{
    return how == GP_ASK_FORCE ? &forcing : &asking;
}

static bool take_place(enum gp_ask_how how)
{
    bool taken;

    pthread_mutex_lock(&lock);
    taken = *counter(how) < room[how];
    *counter(how) += taken;
    begun += taken;
    pthread_mutex_unlock(&lock);
    return taken;
}

static void leave_place(struct gp_ask *ask)
{
    pthread_mutex_lock(&lock);
    *counter(ask->how) -= ask->placed;
    pthread_mutex_unlock(&lock);
    ask->placed = false;
}

uint64_t gp_ask_count(void)
{
    uint64_t count;

    pthread_mutex_lock(&lock);
    count = begun;
    pthread_mutex_unlock(&lock);
    return count;
}

/* ---- asking; in the job ---- */

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

static struct gp_error *request(virDomainPtr domain, enum gp_stop_method method, bool *unsure)
{
    unsigned flags = method == GP_STOP_AGENT  ? VIR_DOMAIN_SHUTDOWN_GUEST_AGENT
                     : method == GP_STOP_ACPI ? VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN
                                              : VIR_DOMAIN_SHUTDOWN_DEFAULT;

    if (method == GP_STOP_AGENT && !agent_answers(domain))
        return gp_virt_error();
    return shut_down(domain, flags, unsure);
}

/* The methods in turn until one is taken, or nobody waits for it any more: the guest may have been given up, and kept. Where
 * the hypervisor knows none of them, it is asked without saying how. What fails for another reason falls through as well: an
 * agent that does not answer is why ACPI comes next. */
static struct gp_error *ask_in_turn(struct gp_ask *ask, virDomainPtr domain)
{
    struct gp_error *err = NULL;

    for (unsigned i = 0; i < 2 && ask->method[i] != GP_STOP_NONE; i++) {
        gp_error_free(err);
        err = request(domain, ask->method[i], &ask->unsure);
        if (!err || err->code == GP_E_GONE || err->code == GP_E_PERM || atomic_load(&ask->job.given_up))
            return err;
    }
    if (err && err->code != GP_E_UNSUPPORTED && err->code != GP_E_INVALID)
        return err;
    gp_error_free(err);
    return shut_down(domain, VIR_DOMAIN_SHUTDOWN_DEFAULT, &ask->unsure);
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

static void close_conn(virConnectPtr *conn)
{
    if (*conn)
        (void)virConnectClose(*conn);
}

static void do_ask(struct gp_ask *ask)
{
    gp_cleanup(close_conn) virConnectPtr conn = NULL;
    gp_cleanup(gp_virt_domain_free_p) virDomainPtr domain = NULL;
    struct gp_job *job = &ask->job;

    job->err = gp_virt_connect(ask->uri, false, &conn);
    if (!job->err)
        job->err = gp_virt_lookup(conn, ask->uuid, &domain);
    if (job->err || virDomainIsActive(domain) == 0)
        return;
    if (ask->how == GP_ASK_FIRST)
        job->err = may_be_asked(domain);
    if (job->err || atomic_load(&job->given_up))
        return;
    ask->unsure = ask->how == GP_ASK_FORCE;
    job->err = ask->how == GP_ASK_FORCE ? destroy(domain) : ask_in_turn(ask, domain);
    if (job->err && is_going(job, domain)) {
        gp_error_free(job->err);
        job->err = NULL;
    }
}

static void ask_run(struct gp_job *job)
{
    struct gp_ask *ask = (struct gp_ask *)job;

    do_ask(ask);
    leave_place(ask); /* before the job's end is told: somebody waits for the place */
}

static void ask_free(struct gp_job *job)
{
    struct gp_ask *ask = (struct gp_ask *)job;

    leave_place(ask); /* it did not even run */
    free(ask->uri);
    free(ask->uuid);
    free(ask);
}

struct gp_ask *gp_ask_begin(struct gp_virt *virt, const char *uuid, enum gp_ask_how how,
                            const enum gp_stop_method method[2])
{
    struct gp_ask *ask;

    if (!take_place(how))
        return NULL;
    ask = calloc(1, sizeof *ask);
    if (!ask || !(ask->uuid = strdup(uuid)) || !(ask->uri = strdup(virt->uri)))
        abort();
    ask->job.run = ask_run;
    ask->job.free = ask_free;
    ask->how = how;
    ask->placed = true;
    memcpy(ask->method, method, sizeof ask->method);
    gp_job_start(&ask->job, NULL);
    return ask;
}
