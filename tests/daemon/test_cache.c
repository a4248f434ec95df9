/*
 * The agent's cache in virtual time: how many queries reach the server, what
 * readers get, and what is kept how long.
 */
#include "agent/cache.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "read_bed.h"
#include "suite.h"

#define SERVICE "Health.Service"
#define GATEWAYS "FederationState.ListMeshGateways"
#define WATCHERS 500

struct reader {
    struct cache_read *read;
    const char *method, *token, *name;
    uint64_t index; /* of the last answer */
    uint32_t wait_ms;
    unsigned told, failed;
    int status;
    uint64_t max_age_ms; /* 0: any */
    bool hit, again; /* again: asks with its index as soon as it is told */
    uint64_t age_ms;
};

static struct read_bed bed;
static struct cache *cache;

static void open_cache(size_t entries_max, size_t bytes_max, uint32_t ttl_ms)
{
    struct cache_config config = {bed.env, bed.rpc, entries_max, bytes_max,
                                  ttl_ms};

    cache_free(cache);
    cache = cache_new(&config);
}

static void setup(void)
{
    read_bed_open(&bed);
    open_cache(0, 0, 0);
}

static void teardown(void)
{
    cache_free(cache);
    cache = NULL;
    read_bed_close(&bed);
}

static int ask(struct reader *reader);

static void on_answer(void *arg, const struct cache_answer *answer)
{
    struct reader *reader = arg;

    reader->read = NULL;
    reader->told++;
    reader->status = answer->status;
    reader->failed += answer->status != 0;
    reader->hit = answer->hit;
    reader->age_ms = answer->age_ms;
    ck_assert_int_eq(answer->reply == NULL, answer->status != 0);
    if (answer->reply)
        reader->index = answer->reply->index;
    if (reader->again)
        ck_assert_int_eq(ask(reader), 0);
}

static int ask(struct reader *reader)
{
    Server__Query query = SERVER__QUERY__INIT;
    struct cache_ask what = {
        .method = reader->method ? reader->method : SERVICE,
        .token = reader->token ? reader->token : "",
        .query = &query,
        .max_age_ms = reader->max_age_ms ? reader->max_age_ms : UINT64_MAX};

    query.name = (char *)(uintptr_t)(reader->name ? reader->name : "consul");
    query.min_index = reader->index;
    query.max_wait_ms = reader->wait_ms;
    return cache_read(cache, &what, on_answer, reader, &reader->read);
}

static void read_once(struct reader *reader)
{
    ck_assert_int_eq(ask(reader), 0);
    read_bed_run_ms(&bed, 100);
    ck_assert_uint_eq(reader->told, 1);
}

static void set_index(uint64_t index)
{
    Server__QueryReply reply = SERVER__QUERY_REPLY__INIT;

    reply.index = index;
    read_bed_set(&bed, SERVICE, &reply);
}

static unsigned asked(void)
{
    return read_bed_method(&bed, SERVICE)->asked;
}

/* ---- one for all ---------------------------------------------------------- */

START_TEST(many_watchers_cost_one_query)
{
    static struct reader readers[WATCHERS];
    size_t i;

    memset(readers, 0, sizeof(readers));
    for (i = 0; i < WATCHERS; i++) {
        readers[i].again = true;
        ck_assert_int_eq(ask(&readers[i]), 0);
    }
    read_bed_run_ms(&bed, 1000);
    /* The first one, and the one that waits now. */
    ck_assert_uint_eq(asked(), 2);
    for (i = 0; i < WATCHERS; i++)
        ck_assert_uint_eq(readers[i].told, 1);
    set_index(7);
    read_bed_run_ms(&bed, 10);
    for (i = 0; i < WATCHERS; i++) {
        ck_assert_uint_eq(readers[i].told, 2);
        ck_assert_uint_eq(readers[i].index, 7);
    }
    read_bed_run_ms(&bed, 1000);
    ck_assert_uint_eq(asked(), 3);
    for (i = 0; i < WATCHERS; i++) {
        readers[i].again = false;
        cache_read_cancel(readers[i].read);
    }
}
END_TEST

START_TEST(what_differs_shares_nothing)
{
    struct reader readers[] = {{.name = "a"},
                               {.name = "b"},
                               {.name = "b", .token = "secret"},
                               {.name = "b", .token = "other"}};
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(readers); i++) {
        read_once(&readers[i]);
        ck_assert(!readers[i].hit);
        ck_assert_uint_eq(asked(), 2 * (i + 1));
    }
    ck_assert_str_eq(read_bed_method(&bed, SERVICE)->token, "other");
    readers[2].told = 0;
    readers[2].index = 0;
    read_once(&readers[2]);
    ck_assert(readers[2].hit);
    ck_assert_uint_eq(asked(), 8);
}
END_TEST

START_TEST(a_wait_without_news_ends)
{
    struct reader reader = {.wait_ms = 2000};

    read_once(&reader);
    ck_assert_uint_eq(reader.index, 1);
    ck_assert_int_eq(ask(&reader), 0);
    read_bed_run_ms(&bed, 1900);
    ck_assert_uint_eq(reader.told, 1);
    read_bed_run_ms(&bed, 300); /* the wait, and a sixteenth of jitter */
    ck_assert_uint_eq(reader.told, 2);
    ck_assert_uint_eq(reader.index, 1);
    ck_assert_int_eq(reader.status, 0);
}
END_TEST

START_TEST(an_index_that_goes_backwards_wakes)
{
    struct reader reader = {.wait_ms = 60000};

    set_index(50);
    read_once(&reader);
    ck_assert_int_eq(ask(&reader), 0);
    read_bed_run_ms(&bed, 100);
    set_index(3); /* a state restored */
    read_bed_run_ms(&bed, 100);
    ck_assert_uint_eq(reader.told, 2);
    ck_assert_uint_eq(reader.index, 3);
}
END_TEST

START_TEST(quick_changes_are_taken_together)
{
    struct reader reader = {.again = true};
    uint64_t i;

    ck_assert_int_eq(ask(&reader), 0);
    read_bed_run_ms(&bed, 100);
    for (i = 2; i <= 1001; i++) {
        set_index(i);
        read_bed_run_ms(&bed, 1);
    }
    read_bed_run_ms(&bed, 100);
    ck_assert_uint_eq(reader.index, 1001);
    ck_assert_uint_le(asked(), 60);
    cache_read_cancel(reader.read);
}
END_TEST

/* ---- failures ------------------------------------------------------------- */

START_TEST(a_failure_without_an_answer_is_told)
{
    struct reader reader = {0};

    read_bed_fail(&bed, SERVICE, RPC_EDENIED);
    read_once(&reader);
    ck_assert_int_eq(reader.status, RPC_EDENIED);
    /* And nothing of it stays. */
    read_bed_run_ms(&bed, 10000);
    ck_assert_uint_eq(asked(), 1);
    read_bed_fail(&bed, SERVICE, 0);
    reader.told = 0;
    read_once(&reader);
    ck_assert_int_eq(reader.status, 0);
}
END_TEST

START_TEST(an_answer_stays_through_failures)
{
    struct reader waits = {.again = true}, late = {0};
    struct reader strict = {.max_age_ms = 30000};

    ck_assert_int_eq(ask(&waits), 0);
    read_bed_run_ms(&bed, 100);
    read_bed_fail(&bed, SERVICE, RPC_ENOLEADER);
    read_bed_run_ms(&bed, 60000);
    ck_assert_uint_eq(waits.failed, 0);
    ck_assert_uint_eq(waits.told, 1);
    /* 250 ms, doubling to 4 s: no hot loop. */
    ck_assert_uint_le(asked(), 22);
    ck_assert_uint_ge(asked(), 12);
    read_once(&late);
    ck_assert_int_eq(late.status, 0);
    ck_assert_uint_ge(late.age_ms, 59000);
    read_once(&strict);
    ck_assert_int_eq(strict.status, RPC_ENOLEADER);
    /* Well again: at once, though nothing is new. */
    read_bed_fail(&bed, SERVICE, 0);
    read_bed_run_ms(&bed, 5000);
    late.told = 0;
    late.index = 0;
    read_once(&late);
    ck_assert_uint_eq(late.age_ms, 0);
    set_index(9);
    read_bed_run_ms(&bed, 100);
    ck_assert_uint_eq(waits.index, 9);
    waits.again = false;
    cache_read_cancel(waits.read);
}
END_TEST

START_TEST(who_is_denied_loses_the_answer)
{
    struct reader waits = {0}, next = {0};

    read_once(&waits);
    ck_assert_int_eq(ask(&waits), 0);
    read_bed_run_ms(&bed, 100);
    /* The rules changed, and nothing else: those that may read notice
     * nothing, */
    cache_renew(cache);
    read_bed_run_ms(&bed, 100);
    ck_assert_uint_eq(waits.told, 1);
    ck_assert_uint_eq(asked(), 4);
    /* and those that may not are told. */
    read_bed_method(&bed, SERVICE)->failing = RPC_EDENIED;
    cache_renew(cache);
    read_bed_run_ms(&bed, 100);
    ck_assert_uint_eq(waits.told, 2);
    ck_assert_int_eq(waits.status, RPC_EDENIED);
    read_once(&next);
    ck_assert(!next.hit);
    ck_assert_int_eq(next.status, RPC_EDENIED);
}
END_TEST

/* ---- bounds --------------------------------------------------------------- */

START_TEST(nobody_reads_nobody_asks)
{
    struct reader reader = {0}, next = {0};
    unsigned before;

    open_cache(0, 0, 5000);
    read_once(&reader);
    read_bed_run_ms(&bed, 4000);
    read_once(&next); /* its time begins anew */
    ck_assert(next.hit);
    read_bed_run_ms(&bed, 4000);
    ck_assert_uint_eq(read_bed_method(&bed, SERVICE)->waiting_count, 1);
    read_bed_run_ms(&bed, 2000);
    ck_assert_uint_eq(read_bed_method(&bed, SERVICE)->waiting_count, 0);
    before = asked();
    read_bed_run_ms(&bed, 600000);
    ck_assert_uint_eq(asked(), before);
}
END_TEST

START_TEST(the_longest_unread_goes_first)
{
    struct reader a = {.name = "a"}, b = {.name = "b"}, c = {.name = "c"};
    struct reader waits = {.name = "a", .index = 1}, d = {.name = "d"};

    open_cache(2, 0, 0);
    read_once(&a);
    read_once(&b);
    read_once(&c); /* in the place of a */
    b.told = 0, b.index = 0;
    read_once(&b);
    ck_assert(b.hit);
    /* Those that are read keep their place, and there is no other. */
    ck_assert_int_eq(ask(&waits), 0);
    waits.name = "b";
    b.index = 1;
    ck_assert_int_eq(ask(&b), 0);
    ck_assert_int_eq(ask(&d), BASE_EFULL);
    cache_read_cancel(b.read);
    ck_assert_int_eq(ask(&d), 0);
    cache_read_cancel(d.read);
    cache_read_cancel(waits.read);
}
END_TEST

START_TEST(large_answers_count)
{
    Server__QueryReply reply = SERVER__QUERY_REPLY__INIT;
    struct reader a = {.name = "a"}, b = {.name = "b", .index = 1};
    char *leader = base_calloc(1, 5001);

    open_cache(0, 4000, 0);
    memset(leader, 'x', 5000);
    reply.index = 2;
    reply.leader = leader;
    read_bed_set(&bed, SERVICE, &reply);
    read_once(&a);
    a.told = 0;
    ck_assert_int_eq(ask(&a), 0); /* it is read now */
    ck_assert_int_eq(ask(&b), BASE_EFULL);
    cache_read_cancel(a.read);
    ck_assert_int_eq(ask(&b), 0); /* and now it makes room */
    cache_read_cancel(b.read);
    base_free(leader);
}
END_TEST

START_TEST(only_reads_that_can_wait)
{
    ck_assert(cache_takes(GATEWAYS));
    ck_assert(cache_takes("Catalog.Services"));
    ck_assert(!cache_takes("Snapshot.Save"));
    ck_assert(!cache_takes("FederationState.Status"));
    ck_assert(!cache_takes("Catalog.Register"));
}
END_TEST

Suite *cache_suite(void)
{
    Suite *suite = suite_create("cache");
    TCase *tcase = tcase_create("cache");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, many_watchers_cost_one_query);
    tcase_add_test(tcase, what_differs_shares_nothing);
    tcase_add_test(tcase, a_wait_without_news_ends);
    tcase_add_test(tcase, an_index_that_goes_backwards_wakes);
    tcase_add_test(tcase, quick_changes_are_taken_together);
    tcase_add_test(tcase, a_failure_without_an_answer_is_told);
    tcase_add_test(tcase, an_answer_stays_through_failures);
    tcase_add_test(tcase, who_is_denied_loses_the_answer);
    tcase_add_test(tcase, nobody_reads_nobody_asks);
    tcase_add_test(tcase, the_longest_unread_goes_first);
    tcase_add_test(tcase, large_answers_count);
    tcase_add_test(tcase, only_reads_that_can_wait);
    suite_add_tcase(suite, tcase);
    return suite;
}
