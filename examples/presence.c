/*
 * Who is here, and a chat among them: libgossip (and libbase below it) alone.
 *
 *   presence ann 127.0.0.1:7946
 *   presence bob 127.0.0.2:7946 127.0.0.1:7946
 * Lines typed reach everybody once, "/who" lists the members, ctrl-D leaves.
 * Real agents may join too: serf agent -bind=127.0.0.3 -join=127.0.0.1
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/loop.h"
#include "gossip/net_transport.h"
#include "gossip/serf.h"

struct app {
    struct base_loop *loop;
    struct gossip_net_transport *transport;
    struct gossip_serf *serf;
};

/* A typed line on its way from the reader's thread to the loop. */
struct typed {
    struct app *app;
    char text[400]; /* "": the end */
};

static void show_member(void *arg, const struct gossip_member *member)
{
    char addr[BASE_ADDR_TEXT_MAX];

    (void)arg;
    printf("  %-16s %-22s %s\n", member->name,
           base_addr_format(&member->addr, addr),
           gossip_member_status_name(member->status));
}

static void on_event(void *ctx, const struct gossip_event *event)
{
    (void)ctx;
    for (size_t i = 0; i < event->member_count; i++)
        printf("* %s %s\n", event->members[i].name,
               gossip_event_kind_name(event->kind));
    if (event->kind == GOSSIP_EVENT_USER)
        printf("%s: %.*s\n", event->name, (int)event->payload_len,
               event->payload_len > 0 ? (const char *)event->payload : "");
}

static void on_left(void *arg, int status)
{
    (void)status;
    base_loop_stop(((struct app *)arg)->loop);
}

static void on_joined(void *arg, int status, size_t joined)
{
    (void)arg;
    if (status < 0)
        fprintf(stderr, "presence: join: %s\n", gossip_strerror(status));
    printf("* reached %zu\n", joined);
}

/* On the loop: what was typed. */
static void on_typed(void *arg)
{
    struct typed *typed = arg;
    struct gossip_serf *serf = typed->app->serf;

    if (typed->text[0] == '\0')
        (void)gossip_serf_leave(serf, on_left, typed->app);
    else if (strcmp(typed->text, "/who") == 0)
        gossip_serf_each_member(serf, show_member, NULL);
    else
        (void)gossip_serf_user_event(serf, "chat", typed->text,
                                     strlen(typed->text), false);
    base_free(typed);
}

/* On its own thread, since reading a terminal blocks; posting is the one call
 * that any thread may make. */
static void *read_lines(void *arg)
{
    struct app *app = arg;
    bool more = true;

    while (more) {
        struct typed *typed = BASE_NEW(typed);

        typed->app = app;
        more = fgets(typed->text, sizeof(typed->text), stdin) != NULL;
        if (more)
            typed->text[strcspn(typed->text, "\n")] = '\0';
        if ((more && typed->text[0] == '\0') ||
            base_env_post(base_loop_env(app->loop), on_typed, typed) < 0)
            base_free(typed); /* an empty line */
    }
    return NULL;
}

static int start(struct app *app, const char *name, const char *bind)
{
    struct gossip_serf_config config = {
        .name = name, .params = gossip_params_lan, .on_event = on_event};
    int rv = base_addr_parse(&config.advertise, bind, 0);

    if (rv == 0)
        rv = gossip_net_transport_new(base_loop_net(app->loop),
                                      &config.advertise, &app->transport);
    if (rv < 0)
        return rv;
    config.transport = gossip_net_transport_ops(app->transport);
    rv = gossip_net_transport_advertise(app->transport, &config.advertise);
    if (rv == 0)
        rv = gossip_serf_new(base_loop_env(app->loop), &config, &app->serf);
    if (rv == 0)
        gossip_net_transport_attach(app->transport,
                                    gossip_serf_memberlist(app->serf));
    return rv;
}

int main(int argc, char **argv)
{
    struct base_workers *workers = base_workers_new();
    struct app app = {.loop = base_loop_new("presence", NULL, NULL, workers)};
    pthread_t reader;
    int rv = GOSSIP_EINVAL;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 3)
        fprintf(stderr, "usage: presence NAME IP:PORT [IP:PORT to join]...\n");
    else
        rv = start(&app, argv[1], argv[2]);
    if (rv == 0 && argc > 3)
        rv = gossip_serf_join(app.serf, (const char *const *)argv + 3,
                              (size_t)argc - 3, 7946, false, on_joined, NULL);
    if (rv == 0 && pthread_create(&reader, NULL, read_lines, &app) == 0) {
        base_loop_run(app.loop);
        pthread_join(reader, NULL);
    }
    if (rv < 0)
        fprintf(stderr, "presence: %s\n", gossip_strerror(rv));
    gossip_serf_free(app.serf);
    gossip_net_transport_free(app.transport);
    base_loop_free(app.loop);
    base_workers_free(workers);
    return rv < 0;
}
