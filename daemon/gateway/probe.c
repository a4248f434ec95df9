/*
 * A round takes the gateway's addresses one after the other. At each up to
 * three knocks, since a gateway may pick a server that has just died; then, to
 * know whose fault it is, the servers themselves.
 */
#include "gateway/probe.h"

#include "base/alloc.h"
#include "gateway/knock.h"

#define EVERY_MS 10000u
#define AFTER_FAILURE_MS 1000u
#define KNOCK_TIMEOUT_MS 3000u
#define KNOCKS_MAX 3u
#define SERVERS_MAX 5u /* asked past the gateway */
#define BAD_ROUNDS_MAX 2u

enum outcome { PASSED, FAILED, UNTESTED, OUTCOME_COUNT };

struct probe {
    struct probe_config config;
    struct base_timer next;
    struct knocker *knocker;
    struct knock *knock; /* NULL between rounds */
    char *name;          /* of this round; NULL: only connect */
    size_t address;      /* of the gateway's, the one under test */
    unsigned knocks;     /* at it */
    size_t server;       /* the next to ask past it */
    char *why;           /* the last knock at the gateway failed */
    unsigned bad_rounds; /* in a row */
    bool passing;
    struct base_counter *outcomes[OUTCOME_COUNT];
};

/* ---- the end of a round ---------------------------------------------------
 */

static void end_round(struct probe *probe, enum outcome outcome,
                      const char *words)
{
    char *kept = base_strdup(words);

    base_counter_add(probe->outcomes[outcome], 1);
    base_free(probe->why);
    base_free(probe->name);
    probe->why = probe->name = NULL;
    probe->bad_rounds = outcome == FAILED ? probe->bad_rounds + 1 : 0;
    base_timer_start_ms(&probe->next,
                        outcome == FAILED ? AFTER_FAILURE_MS : EVERY_MS);
    /* One bad round tells nothing: not of a gateway that worked, and not of a
     * proxy that is only starting. */
    if (outcome != FAILED || probe->bad_rounds >= BAD_ROUNDS_MAX) {
        probe->passing = outcome != FAILED;
        probe->config.on_result(probe->config.ctx, probe->passing, kept);
    }
    base_free(kept);
}

static void fail(struct probe *probe)
{
    char addr[BASE_ADDR_TEXT_MAX];
    char *words = base_asprintf(
        "%s: %s%s%s",
        base_addr_format(&probe->config.through[probe->address], addr),
        probe->name != NULL ? probe->name : "", probe->name != NULL ? ": " : "",
        probe->why);

    end_round(probe, FAILED, words);
    base_free(words);
}

/* ---- past the gateway -----------------------------------------------------
 */

static const struct route *servers(const struct probe *probe)
{
    return routes_find(probe->config.routes(probe->config.ctx), probe->name);
}

static void ask_server(struct probe *probe);

static void on_server(void *arg, enum knock_result result, const char *why)
{
    struct probe *probe = arg;

    (void)why;
    probe->knock = NULL;
    if (result == KNOCK_ANSWERED)
        fail(probe);
    else
        ask_server(probe);
}

static void knock(struct probe *probe, const struct base_addr *to,
                  void (*done)(void *arg, enum knock_result result,
                               const char *why))
{
    struct knock_config config = {.net = probe->config.net,
                                  .to = *to,
                                  .from = probe->config.from,
                                  .name = probe->name,
                                  .timeout_ms = KNOCK_TIMEOUT_MS,
                                  .done = done,
                                  .arg = probe};

    probe->knock = knock_start(probe->knocker, &config);
}

static void ask_server(struct probe *probe)
{
    const struct route *row = servers(probe);

    if (row == NULL || probe->server >= row->target_count ||
        probe->server >= SERVERS_MAX)
        end_round(probe, UNTESTED,
                  "takes connections; no local server answers");
    else
        knock(probe, &row->targets[probe->server++], on_server);
}

/* ---- through the gateway --------------------------------------------------
 */

static void ask_gateway(struct probe *probe);

static void on_gateway(void *arg, enum knock_result result, const char *why)
{
    struct probe *probe = arg;

    probe->knock = NULL;
    if (result == KNOCK_ANSWERED) {
        probe->address++;
        probe->knocks = 0;
        ask_gateway(probe);
        return;
    }
    base_free(probe->why);
    probe->why = base_strdup(why);
    if (result == KNOCK_NO_CONNECTION)
        fail(probe);
    else if (++probe->knocks < KNOCKS_MAX)
        ask_gateway(probe);
    else
        ask_server(probe);
}

static void ask_gateway(struct probe *probe)
{
    const struct probe_config *config = &probe->config;

    if (probe->address < PROBE_ADDRESSES_MAX &&
        config->through[probe->address].family != 0)
        knock(probe, &config->through[probe->address], on_gateway);
    else if (probe->name != NULL)
        end_round(probe, PASSED, "a server answered through every address");
    else
        end_round(probe, UNTESTED,
                  config->name(config->ctx) != NULL
                      ? "takes connections; no local server is healthy"
                      : "takes connections; exposes no servers");
}

static void begin_round(void *arg)
{
    struct probe *probe = arg;
    const char *name = probe->config.name(probe->config.ctx);
    const struct route *row =
        name != NULL ? routes_find(probe->config.routes(probe->config.ctx),
                                   name)
                     : NULL;

    probe->name =
        row != NULL && row->target_count > 0 ? base_strdup(name) : NULL;
    probe->address = 0;
    probe->knocks = 0;
    probe->server = 0;
    ask_gateway(probe);
}

void probe_refresh(struct probe *probe)
{
    if (!probe->passing && probe->knock == NULL)
        base_timer_start_ns(&probe->next, 0);
}

/* ---- life -----------------------------------------------------------------
 */

struct probe *probe_new(const struct probe_config *config)
{
    static const char *const labels[OUTCOME_COUNT] = {
        [PASSED] = "passed", [FAILED] = "failed", [UNTESTED] = "untested"};
    struct base_env *env = config->env;
    struct probe *probe;
    size_t i;

    BASE_NEW(probe);
    probe->config = *config;
    probe->knocker = knocker_new();
    base_timer_init(&probe->next, env, "probe", begin_round, probe);
    for (i = 0; i < OUTCOME_COUNT; i++)
        probe->outcomes[i] = base_metrics_counter(
            env->metrics, "isthmus.gateway.probe", "result", labels[i]);
    base_timer_start_ns(&probe->next, 0);
    return probe;
}

void probe_free(struct probe *probe)
{
    if (probe == NULL)
        return;
    base_timer_stop(&probe->next);
    knock_free(probe->knock);
    knocker_free(probe->knocker);
    base_free(probe->name);
    base_free(probe->why);
    base_free(probe);
}
