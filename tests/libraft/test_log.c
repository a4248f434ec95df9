/* The log in memory: what it forgets, what it still knows, who needs it. */
#include "base/alloc.h"
#include "cluster.h"
#include "log.h"
#include "suite.h"

static void append(struct raft_log *log, raft_term term, unsigned count)
{
    while (count-- > 0) {
        struct raft_entry entry = {.term = term,
                                   .index = log_last(log) + 1,
                                   .data = raft_data_new(100),
                                   .len = 100};

        log_append(log, &entry);
    }
}

static raft_term term_at(const struct raft_log *log, raft_index index)
{
    raft_term term = 0;

    return log_term_at(log, index, &term) ? term : 0;
}

/* 1 to 10 of term 1, 11 to 20 of term 3, 21 to 30 of term 4. */
static void setup_log(struct raft_log *log)
{
    *log = (struct raft_log){0};
    append(log, 1, 10);
    append(log, 3, 10);
    append(log, 4, 10);
}

START_TEST(what_is_forgotten_keeps_its_term)
{
    struct raft_log log;

    setup_log(&log);
    log_forget(&log, 25, log.bytes / 2);
    ck_assert_uint_eq(log.forgotten, 15);
    log_forget(&log, 25, 0);
    ck_assert_uint_eq(log.forgotten, 25); /* not what is not yet applied */
    ck_assert_ptr_null(log_at(&log, 25));
    ck_assert_uint_eq(log_at(&log, 26)->index, 26);
    ck_assert_uint_eq(log_last(&log), 30);
    ck_assert_uint_eq(term_at(&log, 10), 1);
    ck_assert_uint_eq(term_at(&log, 11), 3);
    ck_assert_uint_eq(term_at(&log, 30), 4);
    ck_assert_uint_eq(term_at(&log, 31), 0);
    ck_assert_uint_eq(log_first_of_term(&log, 2), 11);
    ck_assert_uint_eq(log_first_of_term(&log, 5), 31);
    log_close(&log);
}
END_TEST

static const struct {
    raft_index upto, first_of_1, first_of_4;
} compactions[] = {{5, 6, 21}, {10, 11, 21}, {20, 21, 21}, {25, 26, 26},
                   {30, 31, 31}};

START_TEST(compaction_may_be_behind_or_ahead_of_it)
{
    struct raft_log log;

    setup_log(&log);
    log_forget(&log, 12, 0);
    log_compact(&log, compactions[_i].upto);
    ck_assert_uint_eq(log.base, compactions[_i].upto);
    ck_assert_uint_ge(log.forgotten, log.base);
    ck_assert_uint_eq(log_last(&log), 30);
    ck_assert_uint_eq(log_first_of_term(&log, 1), compactions[_i].first_of_1);
    ck_assert_uint_eq(log_first_of_term(&log, 4), compactions[_i].first_of_4);
    ck_assert_uint_eq(term_at(&log, log.base - 1), 0);
    append(&log, 6, 1);
    ck_assert_uint_eq(term_at(&log, 31), 6);
    ck_assert_uint_eq(log_last_term(&log), 6);
    log_close(&log);
}
END_TEST

START_TEST(truncation_takes_terms_along)
{
    struct raft_log log;

    setup_log(&log);
    log_forget(&log, 12, 0);
    log_truncate(&log, 21);
    ck_assert_uint_eq(log_last_term(&log), 3);
    log_truncate(&log, 15);
    append(&log, 5, 2);
    ck_assert_uint_eq(term_at(&log, 14), 3);
    ck_assert_uint_eq(term_at(&log, 15), 5);
    log_close(&log);
}
END_TEST

/* Memory has about fifty entries of theirs (cluster.c), and no snapshots are
 * taken: what the follower lacks can only come from the leader's storage. */
START_TEST(who_lags_is_fed_from_the_storage)
{
    struct cluster_config config = {
        .seed = 7, .count = 3, .voters = 3, .on_files = _i == 1};
    struct cluster *cluster = cluster_make(&config);
    unsigned away, leader;

    ck_assert(cluster_commit(cluster, 10, 10000));
    away = ((unsigned)cluster_leader(cluster) + 1) % 3;
    cluster_crash(cluster, away);
    ck_assert(cluster_commit(cluster, 1000, 60000));
    leader = (unsigned)cluster_leader(cluster);
    ck_assert_ptr_null(raft_entry_at(cluster_core(cluster, leader), 500));
    ck_assert_uint_ne(raft_term_at(cluster_core(cluster, leader), 500), 0);
    cluster_start(cluster, away);
    ck_assert(cluster_run_until_converged(cluster, 20000));
    ck_assert_uint_eq(cluster->servers[away].state.count, 1010);
    ck_assert_uint_eq(cluster->counts.installs, 0);
    cluster_free(cluster);
}
END_TEST

Suite *log_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *tcase = tcase_create("log");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, what_is_forgotten_keeps_its_term);
    tcase_add_loop_test(tcase, compaction_may_be_behind_or_ahead_of_it, 0,
                        BASE_COUNT_OF(compactions));
    tcase_add_test(tcase, truncation_takes_terms_along);
    tcase_add_loop_test(tcase, who_lags_is_fed_from_the_storage, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}
