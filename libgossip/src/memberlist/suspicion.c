/* One suspicion; see suspicion.h. */
#include "memberlist/suspicion.h"

#include "memberlist/formulas.h"

/* Of the shortest suspicion, which grows with log n as gossip does: in 1 s and
 * more a refutation is round the pool. */
#define LEAD_PART 4

struct accuser {
    uint8_t *name;
    size_t len;
};

struct ml_suspicion {
    struct base_timer timer;
    void (*fire)(void *arg, void *subject);
    void (*last_call)(void *arg, void *subject); /* NULL: none */
    bool called;
    void *arg;
    void *subject;
    uint64_t start_ns;
    uint64_t min_ns;
    uint64_t max_ns;
    uint32_t k;
    uint32_t confirmations;
    struct accuser accusers[ML_ACCUSERS_MAX + 1]; /* the first one too */
};

static void add_accuser(struct ml_suspicion *suspicion, uint32_t at,
                        struct mp_bytes from)
{
    suspicion->accusers[at].name = base_memdup(from.data, from.len);
    suspicion->accusers[at].len = from.len;
}

/* Until the end that the accusers so far make it, or to the last call. */
static void start_timer(struct ml_suspicion *suspicion)
{
    uint64_t total_ns =
        ml_suspicion_total_ns(suspicion->confirmations, suspicion->k,
                              suspicion->min_ns, suspicion->max_ns);
    uint64_t elapsed_ns =
        base_env_now_ns(suspicion->timer.env) - suspicion->start_ns;

    if (suspicion->last_call != NULL)
        total_ns -= suspicion->min_ns / LEAD_PART;
    base_timer_start_ns(&suspicion->timer,
                        total_ns > elapsed_ns ? total_ns - elapsed_ns : 0);
}

static void on_time(void *arg)
{
    struct ml_suspicion *suspicion = arg;

    if (suspicion->last_call == NULL || suspicion->called) {
        suspicion->fire(suspicion->arg, suspicion->subject); /* may free it */
        return;
    }
    suspicion->called = true;
    base_timer_start_ns(&suspicion->timer, suspicion->min_ns / LEAD_PART);
    suspicion->last_call(suspicion->arg, suspicion->subject);
}

void ml_suspicion_on_last_call(struct ml_suspicion *suspicion,
                               void (*last_call)(void *arg, void *subject))
{
    suspicion->last_call = last_call;
    start_timer(suspicion);
}

struct ml_suspicion *ml_suspicion_new(struct base_env *env, uint32_t k,
                                      uint64_t min_ns, uint64_t max_ns,
                                      struct mp_bytes from,
                                      void (*fire)(void *arg, void *subject),
                                      void *arg, void *subject)
{
    struct ml_suspicion *suspicion;

    BASE_NEW(suspicion);
    suspicion->k = k < ML_ACCUSERS_MAX ? k : ML_ACCUSERS_MAX;
    suspicion->min_ns = min_ns;
    suspicion->max_ns = max_ns;
    suspicion->fire = fire;
    suspicion->arg = arg;
    suspicion->subject = subject;
    suspicion->start_ns = base_env_now_ns(env);
    add_accuser(suspicion, 0, from);
    base_timer_init(&suspicion->timer, env, "suspicion", on_time, suspicion);
    start_timer(suspicion);
    return suspicion;
}

void ml_suspicion_free(struct ml_suspicion *suspicion)
{
    uint32_t i;

    if (suspicion == NULL)
        return;
    base_timer_stop(&suspicion->timer);
    for (i = 0; i <= suspicion->confirmations; i++)
        base_free(suspicion->accusers[i].name);
    base_free(suspicion);
}

bool ml_suspicion_confirm(struct ml_suspicion *suspicion, struct mp_bytes from)
{
    uint32_t i;

    if (suspicion->confirmations >= suspicion->k)
        return false;
    for (i = 0; i <= suspicion->confirmations; i++)
        if (suspicion->accusers[i].len == from.len &&
            memcmp(suspicion->accusers[i].name, from.data, from.len) == 0)
            return false;
    suspicion->confirmations++;
    add_accuser(suspicion, suspicion->confirmations, from);
    if (!suspicion->called) /* an answer gets its time */
        start_timer(suspicion);
    return true;
}
