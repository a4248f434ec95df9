/*
 * Questions that are held, and when each is answered. Whatever happens only
 * starts the timers of those that it concerns, and the timer looks again.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "xds/xds_private.h"

/* Envoy warms a cluster only when it was told its endpoints, if there are
 * none; so an empty answer is an answer, but not for names that nobody has. */
static bool has_what_it_asks(const struct xds_wait *wait)
{
    const struct xds_sub *sub = wait->sub;
    size_t i;

    if (!wait->node->has[sub->type])
        return false;
    for (i = 0; i < sub->name_count; i++)
        if (xds_resources_find(&wait->node->resources[sub->type],
                               sub->names[i]))
            return true;
    return sub->names == NULL;
}

/* Who has nothing yet is told why. */
static bool fails(const struct xds_wait *wait, struct xds_answer *answer)
{
    enum xds_feed_state state = xds_feed_state(wait->node->feed,
                                               &answer->status, &answer->text);

    if (wait->version[0] != '\0' ||
        (state != XDS_FEED_UNKNOWN && state != XDS_FEED_FAILS))
        return false;
    answer->outcome = state == XDS_FEED_UNKNOWN ? XDS_UNKNOWN : XDS_FAILED;
    return true;
}

/* What was refused is offered again only when the time is over: the answer may
 * have been lost on its way. */
static bool has_news(const struct xds_wait *wait, bool over)
{
    char digest[XDS_DIGEST_TEXT];

    if (!has_what_it_asks(wait))
        return false;
    xds_sub_digest(wait->node, wait->sub, digest, NULL);
    return strcmp(digest, wait->version) != 0 &&
           (over || strcmp(digest, wait->sub->rejected) != 0);
}

/* ---- answers -------------------------------------------------------------- */

static void tell(struct xds_wait *wait, const struct xds_answer *answer)
{
    xds_done_fn done = wait->done;
    void *arg = wait->arg;

    xds_wait_free(wait);
    done(arg, answer);
}

static void note_sent(struct xds_wait *wait, const char *digest)
{
    struct xds_sub *sub = wait->sub;
    struct xds_node *node = wait->node;

    strcpy(sub->sent, digest);
    strcpy(sub->base, wait->version);
    sub->rejected[0] = '\0';
    xds_count(node->xds, "isthmus.xds.sent", "type", xds_type_word(sub->type));
    if (sub->type != XDS_CLUSTERS)
        return;
    xds_names_close(&node->sent);
    node->sent = xds_names_of(&node->resources[XDS_CLUSTERS]);
}

static void send_resources(struct xds_wait *wait)
{
    struct base_buf list = BASE_BUF_INIT, body = BASE_BUF_INIT;
    struct xds_answer answer = {.outcome = XDS_RESOURCES};
    char digest[XDS_DIGEST_TEXT];

    xds_sub_digest(wait->node, wait->sub, digest, &list);
    base_buf_printf(&body,
                    "{\"version_info\":\"%s\",\"type_url\":\"%s\","
                    "\"nonce\":\"%llu\",\"resources\":[",
                    digest, xds_type_url(wait->sub->type),
                    (unsigned long long)++wait->node->xds->nonces);
    base_buf_append(&body, base_buf_data(&list), base_buf_len(&list));
    base_buf_append(&body, "]}", 2);
    note_sent(wait, digest);
    answer.body = (const char *)base_buf_data(&body);
    answer.len = base_buf_len(&body);
    tell(wait, &answer);
    base_buf_close(&list);
    base_buf_close(&body);
}

static void on_due(void *arg)
{
    struct xds_wait *wait = arg;
    struct base_env *env = wait->node->xds->config.env;
    struct xds_answer answer = {.outcome = XDS_UNCHANGED};

    if (fails(wait, &answer) ||
        !has_news(wait, base_env_now_ms(env) >= wait->deadline_ms))
        tell(wait, &answer);
    else
        send_resources(wait);
}

/* ---- questions ------------------------------------------------------------ */

/* Starts its timer anew, for when it will be answered as things are. */
static void plan(struct xds_wait *wait)
{
    uint64_t now_ms = base_env_now_ms(wait->node->xds->config.env);
    uint64_t left_ms =
        wait->deadline_ms > now_ms ? wait->deadline_ms - now_ms : 0;
    struct xds_answer failure;

    if (fails(wait, &failure)) {
        if (left_ms > XDS_FAILURE_MS)
            wait->deadline_ms = now_ms + (left_ms = XDS_FAILURE_MS);
    } else if (has_news(wait, false)) {
        left_ms = 0;
    }
    if (left_ms == 0)
        base_timer_start_ns(&wait->due, 0);
    else
        base_timer_start_ms(&wait->due, left_ms);
}

void xds_node_wake(struct xds_node *node)
{
    struct xds_wait *wait;

    LIST_FOREACH(wait, &node->waits, link)
        plan(wait);
}

void xds_wait_free(struct xds_wait *wait)
{
    struct xds_node *node = wait->node;
    struct xds *xds = node->xds;

    base_timer_stop(&wait->due);
    LIST_REMOVE(wait, link);
    base_free(wait);
    base_gauge_set(xds->waiting_gauge, (int64_t)--xds->wait_count);
    if (--node->wait_count == 0)
        base_timer_start_ms(&node->forget, XDS_FORGET_MS);
}

void xds_cancel(struct xds_wait *wait)
{
    if (wait)
        xds_wait_free(wait);
}

static void note_rejected(struct xds_node *node, struct xds_sub *sub)
{
    struct xds *xds = node->xds;

    if (strcmp(sub->rejected, sub->sent) == 0)
        return; /* known */
    strcpy(sub->rejected, sub->sent);
    xds_count(xds, "isthmus.xds.rejected", "type", xds_type_word(sub->type));
    if (base_log_limit_pass(&xds->log_limit, base_env_now_ns(xds->config.env)))
        base_log(&xds->log, BASE_LOG_WARN,
                 "Envoy did not take what it was sent; its own log says why",
                 kv_str("node", node->id),
                 kv_str("type", xds_type_word(sub->type)),
                 kv_str("version", sub->sent));
}

/* What the version that it says it has tells of the one that it was sent. */
static void note_version(struct xds_node *node, struct xds_sub *sub,
                         const char *version)
{
    char digest[XDS_DIGEST_TEXT];
    struct xds_names names = {0};

    if (*sub->sent != '\0' && strcmp(version, sub->sent) == 0) {
        strcpy(sub->base, version);
        sub->rejected[0] = '\0';
        if (sub->type == XDS_CLUSTERS && node->sent.items)
            xds_node_took(node, &node->sent);
    } else if (*sub->sent != '\0' && strcmp(version, sub->base) == 0) {
        note_rejected(node, sub);
    } else if (sub->type == XDS_CLUSTERS) {
        /* One that has just begun, or that had them from us before we did. */
        xds_sub_digest(node, sub, digest, NULL);
        if (strcmp(version, digest) == 0)
            names = xds_names_of(&node->resources[XDS_CLUSTERS]);
        xds_node_took(node, &names);
    }
}

struct xds_wait *xds_wait_new(struct xds_node *node, struct xds_sub *sub,
                              const char *version, xds_done_fn done, void *arg)
{
    struct xds *xds = node->xds;
    struct xds_wait *wait;

    BASE_NEW(wait);
    wait->node = node;
    wait->sub = sub;
    wait->done = done;
    wait->arg = arg;
    strcpy(wait->version, version);
    wait->deadline_ms = base_env_now_ms(xds->config.env) + XDS_HOLD_MS;
    base_timer_init(&wait->due, xds->config.env, "xds", on_due, wait);
    note_version(node, sub, version);
    LIST_INSERT_HEAD(&node->waits, wait, link);
    node->wait_count++;
    base_timer_stop(&node->forget);
    base_gauge_set(xds->waiting_gauge, (int64_t)++xds->wait_count);
    plan(wait);
    return wait;
}
