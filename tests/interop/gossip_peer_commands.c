/*
 * What a gossip peer can be told (gossip_peer.h): a table of commands. Answers
 * that come later keep the command's id until then. A command that fails says
 * so in "error".
 */
#include "gossip_peer.h"

#include <string.h>

#include "base/alloc.h"
#include "lossy_net.h"

#define NAMES_MAX 32

static void reply(json_int_t id, json_t *body)
{
    json_object_set_new(body, "id", json_integer(id));
    peer_say(body);
}

static void reply_status(json_int_t id, int status)
{
    if (status < 0)
        reply(id, json_pack("{s:s}", "error", gossip_strerror(status)));
    else
        reply(id, json_object());
}

/* The id travels as the argument of a callback. */
static void *arg_of(json_int_t id)
{
    return (void *)(intptr_t)id;
}

static json_int_t id_of(const void *arg)
{
    return (json_int_t)(intptr_t)arg;
}

/* For calls with a callback: the answer is theirs, unless they fail at once. */
static void unless_begun(json_int_t id, int rv)
{
    if (rv < 0)
        reply_status(id, rv);
}

static void on_done(void *arg, int status)
{
    reply_status(id_of(arg), status);
}

static const char *text_in(const json_t *command, const char *key)
{
    return json_string_value(json_object_get(command, key));
}

static const void *payload_in(const json_t *command, size_t *len)
{
    const json_t *text = json_object_get(command, "payload");

    *len = json_string_length(text);
    return json_string_value(text);
}

static size_t names_in(const json_t *command, const char *key,
                       const char *names[NAMES_MAX])
{
    const json_t *list = json_object_get(command, key);
    size_t count = 0;

    for (; count < json_array_size(list) && count < NAMES_MAX; count++)
        names[count] = json_string_value(json_array_get(list, count));
    return count;
}

/* ---- what is known ------------------------------------------------------- */

json_t *peer_member(const struct gossip_member *member)
{
    char addr[BASE_ADDR_TEXT_MAX];
    json_t *tags = json_object(), *vsn = json_array();

    for (size_t i = 0; i < member->tag_count; i++)
        json_object_set_new(tags, member->tags[i].key,
                            json_string(member->tags[i].value));
    for (size_t i = 0; i < sizeof(member->vsn); i++)
        json_array_append_new(vsn, json_integer(member->vsn[i]));
    return json_pack("{s:s, s:s, s:o, s:o}", "addr",
                     base_addr_format(&member->addr, addr), "status",
                     gossip_member_status_name(member->status), "tags", tags,
                     "vsn", vsn);
}

static void add_member(void *arg, const struct gossip_member *member)
{
    json_object_set_new(arg, member->name, peer_member(member));
}

static void do_members(struct peer *peer, json_int_t id, json_t *command)
{
    json_t *members = json_object();

    (void)command;
    gossip_serf_each_member(peer->serf, add_member, members);
    reply(id, json_pack("{s:o}", "members", members));
}

static void add_node(void *arg, const struct gossip_node *node)
{
    static const char *const states[] = {"alive", "suspect", "dead", "left"};

    json_object_set_new(
        arg, node->name,
        json_pack("{s:s, s:I}", "state", states[node->state], "incarnation",
                  (json_int_t)node->incarnation));
}

/* memberlist's view, below serf's. */
static void do_nodes(struct peer *peer, json_int_t id, json_t *command)
{
    json_t *nodes = json_object();

    (void)command;
    gossip_memberlist_each(gossip_serf_memberlist(peer->serf), add_node, nodes);
    reply(id, json_pack("{s:o}", "nodes", nodes));
}

static void add_counter(void *arg, const struct base_metric *metric)
{
    char key[256];

    if (metric->kind != BASE_METRIC_COUNTER)
        return;
    snprintf(key, sizeof(key), "%s%s%s", metric->name,
             metric->label_value != NULL ? " " : "",
             metric->label_value != NULL ? metric->label_value : "");
    json_object_set_new(arg, key, json_integer((json_int_t)metric->count));
}

static void do_counters(struct peer *peer, json_int_t id, json_t *command)
{
    json_t *counters = json_object();

    (void)command;
    base_metrics_each(peer->metrics, add_counter, counters);
    reply(id, json_pack("{s:o}", "counters", counters));
}

static void do_rtt(struct peer *peer, json_int_t id, json_t *command)
{
    uint64_t rtt = gossip_serf_rtt_ns(peer->serf, text_in(command, "a"),
                                      text_in(command, "b"));

    reply(id, json_pack("{s:I}", "rtt_ns", (json_int_t)rtt));
}

/* ---- members ------------------------------------------------------------- */

static void on_joined(void *arg, int status, size_t joined)
{
    if (status < 0)
        reply_status(id_of(arg), status);
    else
        reply(id_of(arg), json_pack("{s:I}", "joined", (json_int_t)joined));
}

static void do_join(struct peer *peer, json_int_t id, json_t *command)
{
    const char *targets[NAMES_MAX];
    size_t count = names_in(command, "targets", targets);

    unless_begun(id, gossip_serf_join(
        peer->serf, targets, count, 7946,
        json_is_true(json_object_get(command, "ignore_old")), on_joined,
        arg_of(id)));
}

static void do_leave(struct peer *peer, json_int_t id, json_t *command)
{
    (void)command;
    unless_begun(id, gossip_serf_leave(peer->serf, on_done, arg_of(id)));
}

static void do_force_leave(struct peer *peer, json_int_t id, json_t *command)
{
    unless_begun(id, gossip_serf_force_leave(
        peer->serf, text_in(command, "name"),
        json_is_true(json_object_get(command, "prune")), on_done, arg_of(id)));
}

static void do_tags(struct peer *peer, json_int_t id, json_t *command)
{
    struct gossip_tag tags[PEER_TAGS_MAX];
    size_t count = peer_tags(json_object_get(command, "tags"), tags);

    reply_status(id, gossip_serf_set_tags(peer->serf, tags, count));
}

/* ---- events, queries, keys ----------------------------------------------- */

static void do_event(struct peer *peer, json_int_t id, json_t *command)
{
    size_t len;
    const void *payload = payload_in(command, &len);

    reply_status(id, gossip_serf_user_event(
        peer->serf, text_in(command, "name"), payload, len,
        json_is_true(json_object_get(command, "coalesce"))));
}

/* A query of ours: what came back, in lists, so that a repeat shows. */
struct asked {
    json_int_t id;
    json_t *acks;
    json_t *responses;
};

static void on_ack(void *arg, const char *from)
{
    json_array_append_new(((struct asked *)arg)->acks, json_string(from));
}

static void on_response(void *arg, const char *from, const void *payload,
                        size_t len)
{
    json_array_append_new(((struct asked *)arg)->responses,
                          json_pack("[s, s%]", from, len > 0 ? payload : "",
                                    len));
}

static void on_query_done(void *arg)
{
    struct asked *asked = arg;

    reply(asked->id, json_pack("{s:o, s:o}", "acks", asked->acks, "responses",
                               asked->responses));
    base_free(asked);
}

static void do_query(struct peer *peer, json_int_t id, json_t *command)
{
    static const struct gossip_query_events events = {
        on_ack, on_response, on_query_done};
    const char *nodes[NAMES_MAX];
    struct gossip_tag tags[PEER_TAGS_MAX];
    struct gossip_query_params params = {
        .nodes = nodes,
        .node_count = names_in(command, "nodes", nodes),
        .tags = tags,
        .tag_count = peer_tags(json_object_get(command, "tags"), tags),
        .want_acks = json_is_true(json_object_get(command, "acks")),
        .relay_factor = (uint8_t)json_integer_value(
            json_object_get(command, "relay")),
        .timeout_ms = (uint32_t)json_integer_value(
            json_object_get(command, "timeout_ms")),
    };
    struct asked *asked = BASE_NEW(asked);
    size_t len;
    const void *payload = payload_in(command, &len);
    int rv;

    *asked = (struct asked){id, json_array(), json_array()};
    rv = gossip_serf_query(peer->serf, text_in(command, "name"), payload, len,
                           &params, &events, asked, NULL);
    if (rv == 0)
        return;
    json_decref(asked->acks);
    json_decref(asked->responses);
    base_free(asked);
    reply_status(id, rv);
}

static json_t *key_counts(const struct gossip_key_count *keys, size_t count)
{
    json_t *object = json_object();

    for (size_t i = 0; i < count; i++)
        json_object_set_new(object, keys[i].key,
                            json_integer((json_int_t)keys[i].nodes));
    return object;
}

static void on_key(void *arg, int status,
                   const struct gossip_key_result *result)
{
    json_t *body = json_pack(
        "{s:I, s:I, s:I, s:o, s:o}", "nodes", (json_int_t)result->node_count,
        "responses", (json_int_t)result->response_count, "errors",
        (json_int_t)result->error_count, "keys",
        key_counts(result->keys, result->key_count), "primaries",
        key_counts(result->primaries, result->primary_count));

    if (status < 0)
        json_object_set_new(body, "error",
                            json_string(gossip_strerror(status)));
    reply(id_of(arg), body);
}

static void do_key(struct peer *peer, json_int_t id, json_t *command)
{
    static const char *const words[] = {
        [GOSSIP_KEY_INSTALL] = "install", [GOSSIP_KEY_USE] = "use",
        [GOSSIP_KEY_REMOVE] = "remove", [GOSSIP_KEY_LIST] = "list"};
    unsigned operation = 0;

    while (operation < GOSSIP_KEY_LIST &&
           strcmp(words[operation], text_in(command, "operation")) != 0)
        operation++;
    unless_begun(id, gossip_serf_key(
        peer->serf, (enum gossip_key_operation)operation,
        text_in(command, "key"), 0, on_key, arg_of(id)));
}

/* ---- the net ------------------------------------------------------------- */

/* "kinds": "acks", "streams", or addresses; an empty list loses nothing. */
static void do_lose(struct peer *peer, json_int_t id, json_t *command)
{
    struct lossy_rules rules = {0};
    const char *what[NAMES_MAX];
    size_t count = names_in(command, "kinds", what);
    int rv = 0;

    (void)peer;
    for (size_t i = 0; i < count && rv == 0; i++) {
        if (strcmp(what[i], "acks") == 0)
            rules.acks = true;
        else if (strcmp(what[i], "streams") == 0)
            rules.streams = true;
        else
            rv = base_addr_parse_ip(&rules.addrs[rules.addr_count++], what[i]);
    }
    lossy_net_rules(&rules);
    reply_status(id, rv);
}

static const struct {
    const char *name;
    void (*run)(struct peer *peer, json_int_t id, json_t *command);
} commands[] = {
    {"members", do_members},   {"nodes", do_nodes},
    {"counters", do_counters}, {"rtt", do_rtt},
    {"join", do_join},         {"leave", do_leave},
    {"force-leave", do_force_leave}, {"tags", do_tags},
    {"event", do_event},       {"query", do_query},
    {"key", do_key},           {"lose", do_lose},
};

void peer_do(struct peer *peer, json_t *command)
{
    json_int_t id = json_integer_value(json_object_get(command, "id"));
    const char *name = text_in(command, "do");

    for (size_t i = 0; i < BASE_COUNT_OF(commands); i++)
        if (name != NULL && strcmp(name, commands[i].name) == 0) {
            commands[i].run(peer, id, command);
            return;
        }
    reply(id, json_pack("{s:s}", "error", "no such command"));
}
