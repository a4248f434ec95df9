/*
 * A scenario that does everything at random: dials, writes, half closes,
 * closes, slow readers, moves between loops, links that flap, power cuts. What
 * arrives must be a prefix of what was written, nothing may leak or crash, and
 * two runs of a seed must be equal.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "sim_pair.h"

#define USERS_MAX 24
#define STEPS 1500

/* A program's view of one end. Bytes count up, so that a gap shows. */
struct user {
    struct chaos *chaos;
    int host;
    struct base_dial *dial;
    struct base_stream *stream;
    uint8_t next_in;
    uint8_t next_out;
    bool greedy;
};

struct chaos {
    struct pair pair;
    struct base_env *other[2]; /* a second loop of each machine */
    struct base_listener *listeners[2];
    struct user users[USERS_MAX];
    uint64_t bytes;
};

static void take(struct user *user)
{
    const uint8_t *data = base_stream_data(user->stream);
    size_t len = base_stream_len(user->stream);
    size_t i;

    for (i = 0; i < len; i++) {
        if (data[i] != user->next_in++)
            ck_abort_msg("a byte is missing or wrong");
    }
    user->chaos->bytes += len;
    base_stream_consume(user->stream, len);
}

static void hang_up(struct user *user)
{
    if (user->dial != NULL)
        base_net_dial_cancel(user->chaos->pair.net[user->host], user->dial);
    if (user->stream != NULL)
        base_stream_close(user->stream);
    user->dial = NULL;
    user->stream = NULL;
}

static void on_readable(void *arg)
{
    struct user *user = arg;

    if (user->greedy)
        take(user);
}

static void on_closed(void *arg, int err)
{
    struct user *user = arg;

    if (err != 0)
        hang_up(user);
}

static const struct base_stream_events events = {
    .on_readable = on_readable,
    .on_closed = on_closed,
};

static struct user *idle_user(struct chaos *chaos)
{
    size_t i;

    for (i = 0; i < USERS_MAX; i++) {
        if (chaos->users[i].stream == NULL && chaos->users[i].dial == NULL)
            return &chaos->users[i];
    }
    return NULL;
}

static void start(struct user *user, int host, struct base_stream *stream)
{
    user->host = host;
    user->stream = stream;
    user->next_in = user->next_out = 0;
    user->greedy = base_sim_random_below(user->chaos->pair.sim, 2) == 0;
    base_stream_set_events(stream, &events, user);
}

static void accept_on(struct chaos *chaos, int host, struct base_stream *stream)
{
    struct user *user = idle_user(chaos);

    if (user == NULL)
        base_stream_close(stream);
    else
        start(user, host, stream);
}

static void on_accept_a(void *arg, struct base_stream *stream)
{
    accept_on(arg, 0, stream);
}
static void on_accept_b(void *arg, struct base_stream *stream)
{
    accept_on(arg, 1, stream);
}

static void on_dialled(void *arg, int status, struct base_stream *stream)
{
    struct user *user = arg;

    user->dial = NULL;
    if (status == 0)
        start(user, user->host, stream);
}

static void boot(struct chaos *chaos, int i)
{
    struct base_addr at = sim_addr(i == 0 ? "10.0.0.1:80" : "10.0.0.2:80");

    pair_boot(&chaos->pair, i);
    chaos->other[i] = base_sim_host_env(chaos->pair.host[i], "other");
    ck_assert_int_eq(base_net_listen(chaos->pair.net[i], &at,
                                     i == 0 ? on_accept_a : on_accept_b, chaos,
                                     &chaos->listeners[i]),
                     0);
}

static void power_cut(struct chaos *chaos, int i)
{
    size_t n;

    base_sim_host_crash(chaos->pair.host[i]);
    for (n = 0; n < USERS_MAX; n++) {
        if (chaos->users[n].host == i)
            hang_up(&chaos->users[n]);
    }
    base_net_listener_close(chaos->pair.net[i], chaos->listeners[i]);
    boot(chaos, i);
}

static uint64_t draw(struct chaos *chaos, uint64_t bound)
{
    return base_sim_random_below(chaos->pair.sim, bound);
}

static void some_dial(struct chaos *chaos)
{
    static const char *const places[] = {"10.0.0.1:80", "10.0.0.2:80",
                                         "10.0.0.2:81", "127.0.0.1:80"};
    struct user *user = idle_user(chaos);
    struct base_addr to = sim_addr(places[draw(chaos, 4)]);

    if (user == NULL)
        return;
    user->host = (int)draw(chaos, 2);
    ck_assert_int_eq(base_net_dial(chaos->pair.net[user->host], &to, NULL, 3000,
                                   on_dialled, user, &user->dial),
                     0);
}

static void some_write(struct user *user)
{
    size_t len = 1 + draw(user->chaos, 1000);
    uint8_t next = user->next_out;
    uint8_t *bytes;
    size_t i;

    if (draw(user->chaos, 4) == 0)
        len *= 700;
    bytes = base_alloc(len);
    for (i = 0; i < len; i++)
        bytes[i] = next++;
    if (base_stream_write(user->stream, bytes, len) == 0)
        user->next_out = next;
    base_free(bytes);
}

static void some_move(struct user *user)
{
    struct chaos *chaos = user->chaos;

    base_stream_detach(user->stream);
    base_sim_run_for_ms(chaos->pair.sim, draw(chaos, 3));
    base_stream_attach(user->stream, draw(chaos, 2) == 0
                                         ? chaos->pair.env[user->host]
                                         : chaos->other[user->host]);
    base_stream_set_events(user->stream, &events, user);
}

static void some_use(struct user *user)
{
    if (user->stream == NULL)
        return;
    switch (draw(user->chaos, 12)) {
    case 0:
        hang_up(user);
        break;
    case 1:
        base_stream_shutdown(user->stream);
        break;
    case 2:
        some_move(user);
        break;
    case 3:
        base_stream_set_in_limit(user->stream, 1 + draw(user->chaos, 100000));
        break;
    case 4:
        user->greedy = !user->greedy;
        break;
    case 5:
    case 6:
        take(user);
        break;
    default:
        some_write(user);
    }
}

static void some_fault(struct chaos *chaos)
{
    struct base_sim_link *link = &chaos->pair.link[draw(chaos, 2)];

    link->up = draw(chaos, 3) > 0;
    link->delay_max_us = (uint32_t)(1000 + draw(chaos, 20000));
    if (draw(chaos, 5) == 0)
        power_cut(chaos, (int)draw(chaos, 2));
    if (draw(chaos, 10) == 0)
        base_sim_run_for_ms(chaos->pair.sim, draw(chaos, 70000));
}

static void run_chaos(uint64_t seed, char digest[65], uint64_t *bytes)
{
    struct chaos *chaos;
    int i;

    BASE_NEW(chaos);
    pair_open(&chaos->pair, seed);
    for (i = 0; i < USERS_MAX; i++)
        chaos->users[i].chaos = chaos;
    boot(chaos, 0);
    boot(chaos, 1);
    for (i = 0; i < STEPS; i++) {
        uint64_t what = draw(chaos, 40);

        if (what == 0)
            some_fault(chaos);
        else if (what < 8)
            some_dial(chaos);
        else
            some_use(&chaos->users[draw(chaos, USERS_MAX)]);
        base_sim_run_for_ms(chaos->pair.sim, draw(chaos, 10));
    }
    for (i = 0; i < USERS_MAX; i++)
        hang_up(&chaos->users[i]);
    base_sim_run_for_ms(chaos->pair.sim, 5000); /* accepts on their way */
    for (i = 0; i < USERS_MAX; i++)
        hang_up(&chaos->users[i]);
    ck_assert_uint_eq(base_sim_stats(chaos->pair.sim).streams_open, 0);
    base_sim_digest(chaos->pair.sim, digest);
    *bytes = chaos->bytes;
    pair_close(&chaos->pair);
    base_free(chaos);
}

START_TEST(chaos_is_the_same_twice)
{
    char first[65], second[65];
    uint64_t bytes[2];

    run_chaos((uint64_t)_i, first, &bytes[0]);
    run_chaos((uint64_t)_i, second, &bytes[1]);
    ck_assert_str_eq(first, second);
    ck_assert_uint_eq(bytes[0], bytes[1]);
    ck_assert_uint_gt(bytes[0], 1000000);
}
END_TEST

Suite *sim_chaos_suite(void)
{
    Suite *suite = suite_create("sim_chaos");
    TCase *tcase = tcase_create("chaos");

    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, chaos_is_the_same_twice, 1, 9);
    suite_add_tcase(suite, tcase);
    return suite;
}
