/*
 * Anti-entropy with the catalog: one RPC at a time. First what must leave, then
 * the node and each entry that the catalog does not know as it is; a full comparison at the
 * start, each minute, and whenever one failed. A failure waits 1 s, doubling to
 * 30 s. The catalog writes only what differs, so saying something twice is
 * harmless.
 */
#include <string.h>

#include "agent/local_private.h"
#include "base/alloc.h"
#include "base/pb.h"
#include "daemon/server.pb-c.h"
#include "rpc/error.h"
#include "rpc/server.h"

#define COMPARE_INTERVAL_MS 60000u
#define RETRY_FIRST_MS 1000u
#define RETRY_MAX_MS 30000u
#define CALL_TIMEOUT_MS 30000u

static void step(void *arg);

void local_sync_soon(struct local_state *local)
{
    /* While it waits out a failure, more news change nothing. */
    if (local->sync.pending == NULL && local->sync.failures == 0)
        base_timer_start_ms(&local->sync.timer, 0);
}

/* ---- how a step ended ----------------------------------------------------- */

/* A tenth either way, so that agents that failed together come back apart. */
static uint32_t jitter(struct local_state *local, uint32_t ms)
{
    return ms - ms / 10 +
           (uint32_t)base_env_random_below(local->env, ms / 5 + 1);
}

static void failed(struct local_state *local, int status, const char *text)
{
    struct local_sync *sync = &local->sync;
    uint32_t wait_ms = RETRY_MAX_MS;

    if (sync->failures < 5)
        wait_ms = RETRY_FIRST_MS << sync->failures;
    sync->failures++;
    base_counter_add(base_metrics_counter(local->env->metrics,
                                          "isthmus.agent.sync_failed", NULL,
                                          NULL),
                     1);
    if (base_log_limit_pass(&sync->log_limit, base_env_now_ns(local->env)))
        base_log(&local->log, BASE_LOG_WARN,
                 "the catalog could not be told, will retry",
                 kv_str("error", text && *text != '\0' ? text
                                                       : rpc_strerror(status)),
                 kv_uint("retry_ms", wait_ms));
    base_timer_start_ms(&sync->timer, jitter(local, wait_ms));
}

static void succeeded(struct local_state *local)
{
    local->sync.failures = 0;
    base_timer_start_ms(&local->sync.timer, 0); /* what is next? */
}

static void call(struct local_state *local, const char *method,
                 const void *message, rpc_done_fn done)
{
    struct base_buf body = BASE_BUF_INIT;
    struct rpc_request request = {.method = method,
                                  .token = local->token,
                                  .timeout_ms = CALL_TIMEOUT_MS};
    int rv;

    base_pb_pack(message, &body);
    request.body = base_buf_data(&body);
    request.body_len = base_buf_len(&body);
    rv = rpc_server_call_local(local->rpc, &request, done, local,
                               &local->sync.pending);
    base_buf_close(&body);
    if (rv != 0)
        failed(local, rv, NULL);
}

/* ---- what leaves ---------------------------------------------------------- */

static void on_deregistered(void *arg, int status, const char *text,
                            const void *body, size_t len)
{
    struct local_state *local = arg;
    const char *id = local->sync.told_id;
    size_t i;

    (void)body;
    (void)len;
    local->sync.pending = NULL;
    if (status != 0) {
        failed(local, status, text);
        return;
    }
    for (i = 0; i < local->gone_count; i++) {
        const struct local_gone *gone = &local->gone[i];

        if ((gone->service_id != NULL) == local->sync.told_service &&
            strcmp(gone->service_id ? gone->service_id : gone->check_id, id) ==
                0) {
            local_forget_gone(local, i);
            break;
        }
    }
    succeeded(local);
}

static void tell_gone(struct local_state *local)
{
    const struct local_gone *gone = &local->gone[0];
    Server__Deregister change = SERVER__DEREGISTER__INIT;
    Server__Write write = SERVER__WRITE__INIT;

    change.node = local->node->node;
    if (gone->service_id)
        change.service_id = gone->service_id;
    else
        change.check_id = gone->check_id;
    write.deregister = &change;
    local->sync.told_service = gone->service_id != NULL;
    base_free(local->sync.told_id);
    local->sync.told_id =
        base_strdup(gone->service_id ? gone->service_id : gone->check_id);
    call(local, "Catalog.Deregister", &write, on_deregistered);
}

/* ---- what is there -------------------------------------------------------- */

static void on_node_registered(void *arg, int status, const char *text,
                               const void *body, size_t len)
{
    struct local_state *local = arg;

    (void)body;
    (void)len;
    local->sync.pending = NULL;
    if (status != 0) {
        failed(local, status, text);
        return;
    }
    local->sync.node_there = local->sync.node_known = true;
    succeeded(local);
}

static void tell_node(struct local_state *local)
{
    Server__Register change = SERVER__REGISTER__INIT;
    Server__Write write = SERVER__WRITE__INIT;

    change.node = local->node;
    write.register_ = &change;
    local->sync.told_node = true;
    call(local, "Catalog.Register", &write, on_node_registered);
}

static void on_registered(void *arg, int status, const char *text,
                          const void *body, size_t len)
{
    struct local_state *local = arg;
    struct local_entry *entry;

    (void)body;
    (void)len;
    local->sync.pending = NULL;
    if (status != 0) {
        failed(local, status, text);
        return;
    }
    entry = local_find(local, local->sync.told_id);
    if (entry && entry->version == local->sync.told_version) {
        entry->dirty = entry->output_dirty = false;
        base_timer_stop(&entry->output_timer);
    }
    succeeded(local);
}

static void tell_entry(struct local_state *local, struct local_entry *entry)
{
    Fedstate__Node named = FEDSTATE__NODE__INIT;
    Server__Register change = SERVER__REGISTER__INIT;
    Server__Write write = SERVER__WRITE__INIT;

    /* A token that may write services need not be one that may write nodes. */
    named.node = local->node->node;
    change.node = local->sync.node_there ? &named : local->node;
    change.services = &entry->service;
    change.n_services = *entry->service->id != '\0'; /* else the node's */
    change.checks = entry->checks;
    change.n_checks = entry->check_count;
    write.register_ = &change;
    base_free(local->sync.told_id);
    local->sync.told_id = base_strdup(entry->service->id);
    local->sync.told_version = entry->version;
    local->sync.told_node = false;
    call(local, "Catalog.Register", &write, on_registered);
}

/* ---- the full comparison -------------------------------------------------- */

static bool packs_equal(const void *a, const void *b)
{
    struct base_buf x = BASE_BUF_INIT, y = BASE_BUF_INIT;
    bool equal;

    base_pb_pack(a, &x);
    base_pb_pack(b, &y);
    equal = base_buf_len(&x) == base_buf_len(&y) &&
            memcmp(base_buf_data(&x), base_buf_data(&y), base_buf_len(&x)) == 0;
    base_buf_close(&x);
    base_buf_close(&y);
    return equal;
}

/* Indexes are the catalog's; outputs may lag (check_update_interval). */
static bool same_check(const Fedstate__Check *known,
                       const struct local_entry *entry, size_t at)
{
    Fedstate__Check theirs = *known, ours = *entry->checks[at];

    theirs.create_index = theirs.modify_index = 0;
    if (entry->output_dirty)
        theirs.output = ours.output;
    return packs_equal(&theirs, &ours);
}

static const Fedstate__Service *known_service(const Server__QueryReply *reply,
                                              const char *id)
{
    size_t i;

    for (i = 0; i < reply->n_instances; i++) {
        const Fedstate__Service *service = reply->instances[i]->service;

        if (service && strcmp(service->id, id) == 0)
            return service;
    }
    return NULL;
}

static const Fedstate__Check *known_check(const Server__QueryReply *reply,
                                          const char *id)
{
    size_t i;

    for (i = 0; i < reply->n_checks; i++)
        if (strcmp(reply->checks[i]->check_id, id) == 0)
            return reply->checks[i];
    return NULL;
}

static bool is_known_service(const Server__QueryReply *reply,
                             const Fedstate__Service *service)
{
    const Fedstate__Service *known = known_service(reply, service->id);
    Fedstate__Service theirs;

    if (known == NULL)
        return false;
    theirs = *known;
    theirs.create_index = theirs.modify_index = 0;
    return packs_equal(&theirs, service);
}

static bool is_known(const Server__QueryReply *reply,
                     const struct local_entry *entry)
{
    size_t i;

    if (*entry->service->id != '\0' && !is_known_service(reply, entry->service))
        return false;
    for (i = 0; i < entry->check_count; i++) {
        const Fedstate__Check *check =
            known_check(reply, entry->checks[i]->check_id);

        if (check == NULL || !same_check(check, entry, i))
            return false;
    }
    return true;
}

static bool is_known_node(const Server__QueryReply *reply,
                          const Fedstate__Node *node)
{
    Fedstate__Node theirs;

    if (reply->n_nodes != 1)
        return false;
    theirs = *reply->nodes[0];
    theirs.create_index = theirs.modify_index = 0;
    return packs_equal(&theirs, node);
}

/* Services on our node that we do not have; the servers' own is not ours. */
static void find_strangers(struct local_state *local,
                           const Server__QueryReply *reply)
{
    size_t i, at;

    for (i = 0; i < reply->n_instances; i++) {
        const Fedstate__Service *service = reply->instances[i]->service;

        if (service && strcmp(service->id, LOCAL_SERVICE_RESERVED) != 0 &&
            local_find(local, service->id) == NULL)
            local_mark_gone(local, service->id, NULL);
    }
    /* Checks of a service that goes, go with it. */
    for (i = 0; i < reply->n_checks; i++) {
        const Fedstate__Check *check = reply->checks[i];
        bool stays = *check->service_id == '\0'
                         ? strcmp(check->check_id, LOCAL_CHECK_RESERVED) != 0
                         : local_find(local, check->service_id) != NULL;

        if (stays && local_find_check(local, check->check_id, &at) == NULL)
            local_mark_gone(local, NULL, check->check_id);
    }
}

static void on_compared(void *arg, int status, const char *text,
                        const void *body, size_t len)
{
    struct local_state *local = arg;
    Server__QueryReply *reply;
    size_t i;

    local->sync.pending = NULL;
    if (status != 0) {
        failed(local, status, text);
        return;
    }
    reply = base_pb_unpack(&server__query_reply__descriptor, body, len,
                           base_pb_budget(len));
    if (reply == NULL) {
        failed(local, RPC_EREMOTE, "malformed answer");
        return;
    }
    local->sync.node_there = reply->n_nodes == 1;
    local->sync.node_known = is_known_node(reply, local->node);
    for (i = 0; i < local->count; i++) {
        struct local_entry *entry = local->entries[i];

        entry->dirty = !is_known(reply, entry);
    }
    find_strangers(local, reply);
    base_pb_free(reply);
    local->sync.compare_due = false;
    base_timer_start_ms(&local->sync.compare_timer,
                        jitter(local, COMPARE_INTERVAL_MS));
    succeeded(local);
}

static void compare(struct local_state *local)
{
    Server__Query query = SERVER__QUERY__INIT;

    query.node = local->node->node;
    call(local, "Catalog.Node", &query, on_compared);
}

static void on_compare_timer(void *arg)
{
    struct local_state *local = arg;

    local->sync.compare_due = true;
    local_sync_soon(local);
}

/* ---- one step after the other --------------------------------------------- */

/* They take turns: one that the catalog refuses must not hold up the others. */
static struct local_entry *next_dirty(const struct local_state *local)
{
    const char *last = local->sync.told_id ? local->sync.told_id : "";
    struct local_entry *first = NULL;
    size_t i;

    for (i = 0; i < local->count; i++) {
        struct local_entry *entry = local->entries[i];

        if (!entry->dirty)
            continue;
        if (strcmp(entry->service->id, last) > 0)
            return entry;
        if (first == NULL)
            first = entry;
    }
    return first;
}

static void step(void *arg)
{
    struct local_state *local = arg;
    struct local_entry *entry;

    if (local->sync.pending)
        return;
    if (local->sync.compare_due) {
        compare(local);
        return;
    }
    if (local->gone_count > 0) {
        tell_gone(local);
        return;
    }
    entry = next_dirty(local);
    if (!local->sync.node_known && (entry == NULL || !local->sync.told_node))
        tell_node(local);
    else if (entry)
        tell_entry(local, entry);
}

void local_sync_init(struct local_state *local)
{
    struct local_sync *sync = &local->sync;

    base_timer_init(&sync->timer, local->env, "local-sync", step, local);
    base_timer_init(&sync->compare_timer, local->env, "local-compare",
                    on_compare_timer, local);
    sync->compare_due = true;
    base_timer_start_ms(&sync->timer, 0);
}

void local_sync_close(struct local_state *local)
{
    struct local_sync *sync = &local->sync;

    if (sync->pending)
        rpc_pending_cancel(sync->pending);
    base_timer_stop(&sync->timer);
    base_timer_stop(&sync->compare_timer);
    base_free(sync->told_id);
}
