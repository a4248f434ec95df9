/* See lone.h. */
#include "lone.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "memberlist/crypt.h"

static void keep(struct lone *lone, const struct gossip_peer *to,
                 const uint8_t *data, size_t len)
{
    struct lone_sent *sent;

    ck_assert_uint_gt(len, 0);
    if (lone->sent_count == LONE_SENT_MAX)
        return;
    sent = &lone->sent[lone->sent_count++];
    snprintf(sent->to, sizeof(sent->to), "%s", to->name);
    sent->addr = to->addr;
    sent->type = data[0];
    sent->body = (struct base_buf)BASE_BUF_INIT;
    base_buf_append(&sent->body, data + 1, len - 1);
}

static int on_send(void *ctx, const struct gossip_peer *to, const void *data,
                   size_t len)
{
    struct lone *lone = ctx;
    struct base_cursor in = base_cursor_of(data, len), lens;
    size_t parts, i;

    lone->packet_count++;
    if (len > lone->packet_bytes_max)
        lone->packet_bytes_max = len;
    if (lone->config.keyring != NULL)
        return lone->send_status;
    if (*in.at == ML_CRC)
        base_cursor_bytes(&in, ML_CRC_BYTES);
    if (lone->send_status < 0 &&
        (lone->send_fails == ML_LABEL || lone->send_fails == *in.at))
        return lone->send_status;
    if (*in.at != ML_COMPOUND) {
        keep(lone, to, in.at, base_cursor_left(&in));
        return 0;
    }
    base_cursor_u8(&in);
    parts = base_cursor_u8(&in);
    ck_assert_uint_le(parts, 127); /* what the oldest peers can count */
    lens = in;
    base_cursor_bytes(&in, 2 * parts);
    for (i = 0; i < parts; i++) {
        size_t part = base_cursor_u16be(&lens);

        keep(lone, to, base_cursor_bytes(&in, part), part);
    }
    ck_assert(!in.failed && base_cursor_left(&in) == 0);
    return 0;
}

static int on_dial(void *ctx, const struct gossip_peer *to,
                   uint32_t timeout_ms, gossip_stream_fn done, void *arg,
                   struct gossip_dial **out)
{
    (void)ctx;
    (void)to;
    (void)timeout_ms;
    (void)done;
    (void)arg;
    (void)out;
    return BASE_EUNREACH;
}

static const struct gossip_transport_ops wire = {
    .version = 1, .send_packet = on_send, .dial_stream = on_dial};

static void on_join(void *ctx, const struct gossip_node *node)
{
    struct lone *lone = ctx;

    lone->joins += strcmp(node->name, "self") != 0;
}

static void on_leave(void *ctx, const struct gossip_node *node)
{
    (void)node;
    ((struct lone *)ctx)->leaves++;
}

static void on_update(void *ctx, const struct gossip_node *node)
{
    (void)node;
    ((struct lone *)ctx)->updates++;
}

static void on_conflict(void *ctx, const struct gossip_node *existing,
                        const struct gossip_node *other)
{
    ck_assert_str_eq(existing->name, other->name);
    ((struct lone *)ctx)->conflicts++;
}

static void on_message(void *ctx, const void *data, size_t len)
{
    struct lone *lone = ctx;

    lone->messages++;
    lone->last_message_len = len;
    if (len > sizeof(lone->last_message))
        len = sizeof(lone->last_message);
    memcpy(lone->last_message, data, len);
}

static const struct gossip_delegate delegate = {
    .version = 1,
    .on_join = on_join,
    .on_leave = on_leave,
    .on_update = on_update,
    .on_conflict = on_conflict,
    .on_message = on_message,
};

struct lone *lone_new(void)
{
    struct lone *lone;

    BASE_NEW(lone);
    lone->sim = base_sim_new(1);
    base_addr_parse(&lone->config.advertise, "10.0.0.1:7946", 0);
    lone->env = base_sim_host_env(
        base_sim_host_new(lone->sim, "h", &lone->config.advertise, 1),
        "gossip");
    lone->metrics = base_metrics_new();
    lone->env->metrics = lone->metrics;
    lone->send_fails = ML_LABEL;
    lone->config.name = "self";
    lone->config.params = gossip_params_lan;
    lone->config.params.probe_interval_ms = 0;
    lone->config.params.gossip_interval_ms = 0;
    lone->config.params.push_pull_interval_ms = 0;
    lone->config.params.compression = false;
    lone->config.transport = (struct gossip_transport){&wire, lone};
    lone->config.delegate = &delegate;
    lone->config.delegate_ctx = lone;
    return lone;
}

void lone_start(struct lone *lone)
{
    ck_assert_int_eq(gossip_memberlist_new(lone->env, &lone->config,
                                           &lone->ml), 0);
    base_sim_run_for_ms(lone->sim, 1);
    lone_forget(lone);
}

void lone_forget(struct lone *lone)
{
    while (lone->sent_count > 0)
        base_buf_close(&lone->sent[--lone->sent_count].body);
    lone->packet_count = 0;
    lone->packet_bytes_max = 0;
}

void lone_free(struct lone *lone)
{
    gossip_memberlist_free(lone->ml);
    gossip_keyring_free(lone->keyring);
    lone_forget(lone);
    base_metrics_free(lone->metrics);
    base_sim_free(lone->sim);
    base_free(lone);
}

void lone_packet(struct lone *lone, const void *data, size_t len)
{
    struct base_addr from;
    void *copy = base_memdup(data, len); /* its end is where it says */

    base_addr_parse(&from, "10.0.0.9:7946", 0);
    gossip_packet_in(lone->ml, &from, copy, len);
    base_free(copy);
    base_sim_run_for_ms(lone->sim, 1);
}

void lone_tell(struct lone *lone, enum ml_type type, const void *message)
{
    struct base_buf packet = BASE_BUF_INIT;

    ml_put(&packet, type, message);
    lone_packet(lone, base_buf_data(&packet), base_buf_len(&packet));
    base_buf_close(&packet);
}

void lone_alive(struct lone *lone, const char *name, uint8_t last,
                uint32_t incarnation)
{
    static const uint8_t vsn[] = {1, 5, 2, 0, 0, 0};
    const uint8_t ip[] = {10, 0, 1, last};
    struct ml_alive alive = {0};

    alive.incarnation = incarnation;
    alive.node = mp_str_of(name);
    alive.addr = mp_bytes_of(ip, 4);
    alive.port = 7946;
    alive.vsn = mp_bytes_of(vsn, 6);
    lone_tell(lone, ML_ALIVE, &alive);
}

void lone_claim(struct lone *lone, enum ml_type type, const char *name,
                uint32_t incarnation, const char *from)
{
    struct ml_claim claim = {incarnation, mp_str_of(name), mp_str_of(from)};

    lone_tell(lone, type, &claim);
}

int lone_state(struct lone *lone, const char *name)
{
    struct gossip_node node;

    return gossip_memberlist_find(lone->ml, name, &node) ? (int)node.state
                                                         : -1;
}

uint32_t lone_incarnation(struct lone *lone, const char *name)
{
    struct gossip_node node;

    return gossip_memberlist_find(lone->ml, name, &node) ? node.incarnation
                                                         : 0;
}

uint64_t lone_dropped(struct lone *lone, const char *reason)
{
    return base_counter_value(
        base_metrics_counter(lone->metrics, "isthmus.memberlist.dropped",
                             "reason", reason));
}

const struct lone_sent *lone_last(const struct lone *lone, enum ml_type type)
{
    size_t i;

    for (i = lone->sent_count; i-- > 0;)
        if (lone->sent[i].type == type)
            return &lone->sent[i];
    return NULL;
}

size_t lone_sent_count(const struct lone *lone, enum ml_type type)
{
    size_t count = 0, i;

    for (i = 0; i < lone->sent_count; i++)
        count += lone->sent[i].type == type;
    return count;
}

void lone_assert_well(struct lone *lone)
{
    struct ml_ping ping = {0};
    size_t before;

    lone_forget(lone);
    before = lone->packet_count;
    ping.seq_no = 99;
    ping.node = mp_str_of("self");
    lone_tell(lone, ML_PING, &ping);
    ck_assert_uint_gt(lone->packet_count, before);
    ck_assert_int_eq(lone_state(lone, "self"), GOSSIP_ALIVE);
    ml_members_check(&lone->ml->members);
}
