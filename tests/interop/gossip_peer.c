/*
 * The peer's start, its settings and what the pool tells it: gossip_peer.h says
 * what it is for. Reading lines is a thread's, since it blocks; all else
 * happens on the loop.
 */
#include "gossip_peer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "lossy_net.h"

#define KEYS_MAX 8

void peer_say(json_t *object)
{
    json_dumpf(object, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(object);
}

/* Settings, each with what it is where it is not given. */
static const char *text_of(const struct peer *peer, const char *key)
{
    return json_string_value(json_object_get(peer->settings, key));
}

static uint32_t number_of(const struct peer *peer, const char *key,
                          uint32_t otherwise)
{
    const json_t *value = json_object_get(peer->settings, key);

    return value != NULL ? (uint32_t)json_integer_value(value) : otherwise;
}

static bool flag_of(const struct peer *peer, const char *key, bool otherwise)
{
    const json_t *value = json_object_get(peer->settings, key);

    return value != NULL ? json_is_true(value) : otherwise;
}

/* Whoever asks gets what the setting "answers" has for that name. */
static void answer(struct peer *peer, const struct gossip_event *event)
{
    const json_t *text = json_object_get(
        json_object_get(peer->settings, "answers"), event->name);
    int rv;

    if (text == NULL)
        return;
    rv = gossip_query_respond(peer->serf, event->query,
                              json_string_value(text),
                              json_string_length(text));
    if (rv < 0)
        peer_say(json_pack("{s:s, s:s, s:s}", "event", "answer-failed", "name",
                           event->name, "why", gossip_strerror(rv)));
}

static void on_event(void *ctx, const struct gossip_event *event)
{
    struct peer *peer = ctx;
    json_t *line = json_pack("{s:s}", "event",
                             gossip_event_kind_name(event->kind));
    json_t *members = json_array();

    for (size_t i = 0; i < event->member_count; i++)
        json_array_append_new(members, json_string(event->members[i].name));
    json_object_set_new(line, "members", members);
    if (event->name != NULL) {
        json_object_set_new(line, "name", json_string(event->name));
        json_object_set_new(
            line, "payload",
            json_stringn(event->payload_len > 0 ? event->payload : "",
                         event->payload_len));
    }
    peer_say(line);
    if (event->kind == GOSSIP_EVENT_QUERY)
        answer(peer, event);
}

static void on_conflict_lost(void *ctx)
{
    struct peer *peer = ctx;

    peer_say(json_pack("{s:s}", "event", "conflict-lost"));
    base_loop_stop(peer->loop);
}

size_t peer_tags(json_t *object, struct gossip_tag tags[PEER_TAGS_MAX])
{
    size_t count = 0;
    const char *key;
    json_t *value;

    json_object_foreach (object, key, value)
        if (count < PEER_TAGS_MAX)
            tags[count++] = (struct gossip_tag){key, json_string_value(value)};
    return count;
}

static int add_keys(struct peer *peer)
{
    const char *path = text_of(peer, "keyring_file");
    struct gossip_key key;
    size_t i;
    json_t *text;
    int rv = 0;

    json_array_foreach (json_object_get(peer->settings, "keys"), i, text) {
        rv = gossip_key_parse(&key, json_string_value(text));
        if (rv == 0)
            rv = gossip_keyring_add(peer->keyring, key.bytes, key.len);
        if (rv < 0)
            return rv;
    }
    return path != NULL && i == 0 ? gossip_keyring_load(peer->keyring, path)
                                  : 0;
}

static struct gossip_params params_of(const struct peer *peer)
{
    struct gossip_params params = gossip_params_lan;

    params.compression = flag_of(peer, "compression", true);
    params.verify_incoming = flag_of(peer, "verify_incoming", true);
    params.verify_outgoing = flag_of(peer, "verify_outgoing", true);
    params.packet_bytes_max =
        number_of(peer, "packet_bytes_max", params.packet_bytes_max);
    return params;
}

static int start_serf(struct peer *peer, const struct base_addr *bind)
{
    struct gossip_tag tags[PEER_TAGS_MAX];
    struct gossip_serf_config config = {
        .name = text_of(peer, "name"),
        .advertise = *bind,
        .tags = tags,
        .protocol = (uint8_t)number_of(peer, "protocol", 0),
        .params = params_of(peer),
        .keyring = peer->keyring,
        .label = text_of(peer, "label"),
        .rejoin_after_leave = flag_of(peer, "rejoin_after_leave", false),
        .reconnect_interval_ms = number_of(peer, "reconnect_interval_ms", 0),
        .user_event_bytes_max = number_of(peer, "user_event_bytes_max", 0),
        .coalesce_period_ms = number_of(peer, "coalesce_ms", 0),
        .quiescent_period_ms = number_of(peer, "coalesce_ms", 0),
        .user_coalesce_period_ms = number_of(peer, "user_coalesce_ms", 0),
        .user_quiescent_period_ms = number_of(peer, "user_coalesce_ms", 0),
        .snapshot_path = text_of(peer, "snapshot"),
        .keyring_path = text_of(peer, "keyring_file"),
        .transport = gossip_net_transport_ops(peer->transport),
        .on_event = on_event,
        .on_conflict_lost = on_conflict_lost,
        .ctx = peer,
    };
    int rv;

    config.tag_count = peer_tags(json_object_get(peer->settings, "tags"), tags);
    rv = gossip_serf_new(base_loop_env(peer->loop), &config, &peer->serf);
    if (rv == 0)
        gossip_net_transport_attach(peer->transport,
                                    gossip_serf_memberlist(peer->serf));
    return rv;
}

static int start(struct peer *peer)
{
    struct base_addr bind;
    int rv = base_addr_parse(&bind, text_of(peer, "bind"), 0);

    if (rv == 0)
        rv = add_keys(peer);
    if (rv == 0)
        rv = gossip_net_transport_new(lossy_net(base_loop_net(peer->loop)),
                                      &bind, &peer->transport);
    if (rv == 0)
        rv = start_serf(peer, &bind);
    return rv;
}

/* A line on its way from the reader's thread to the loop; NULL: the end. */
struct line {
    struct peer *peer;
    char *text;
};

static void on_line(void *arg)
{
    struct line *line = arg;
    json_t *command = line->text != NULL ? json_loads(line->text, 0, NULL)
                                         : NULL;

    if (command != NULL)
        peer_do(line->peer, command);
    else
        base_loop_stop(line->peer->loop);
    json_decref(command);
    free(line->text);
    base_free(line);
}

static void *read_lines(void *arg)
{
    struct peer *peer = arg;
    bool more = true;

    while (more) {
        struct line *line = BASE_NEW(line);
        size_t size = 0;

        line->peer = peer;
        more = getline(&line->text, &size, stdin) > 0;
        if (!more) {
            free(line->text);
            line->text = NULL;
        }
        if (base_env_post(base_loop_env(peer->loop), on_line, line) < 0) {
            free(line->text);
            base_free(line);
            more = false;
        }
    }
    return NULL;
}

static void run(struct peer *peer)
{
    pthread_t reader;

    peer_say(json_pack("{s:s}", "event", "ready"));
    if (pthread_create(&reader, NULL, read_lines, peer) == 0) {
        pthread_detach(reader); /* it may wait for a line to the end */
        base_loop_run(peer->loop);
    }
}

int main(int argc, char **argv)
{
    struct base_workers *workers = base_workers_new();
    struct base_log_sink *sink = base_log_sink_fd(2, false);
    struct base_log log = {sink, "peer", BASE_LOG_DEBUG};
    struct peer peer = {.keyring = gossip_keyring_new(),
                        .metrics = base_metrics_new()};
    int rv = GOSSIP_EINVAL;

    setvbuf(stdout, NULL, _IOLBF, 0);
    peer.loop = base_loop_new("peer", &log, peer.metrics, workers);
    peer.settings = json_loads(argc == 2 ? argv[1] : "", 0, NULL);
    if (peer.settings != NULL)
        rv = start(&peer);
    if (rv == 0)
        run(&peer);
    else
        fprintf(stderr, "gossip-peer: %s\n", gossip_strerror(rv));
    gossip_serf_free(peer.serf);
    gossip_net_transport_free(peer.transport);
    gossip_keyring_free(peer.keyring);
    base_workers_free(workers);
    fflush(stdout);
    /* The reader may still hold the loop: the process ends with it. */
    _Exit(rv < 0);
}
