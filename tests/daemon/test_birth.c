/*
 * Births with bootstrap_expect: who proposes, what is accepted once and for
 * ever, and what a power failure in the middle may not change.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/pb.h"
#include "server/internal.h"
#include "sim/federation.h"
#include "suite.h"

static struct federation *begin(uint64_t seed)
{
    struct federation *f = federation_new(seed);

    base_sim_set_digest(federation_world(f), false);
    federation_add(f, "dc1", 3);
    federation_start(f);
    return f;
}

static const struct server *server_of(struct federation *f, size_t number)
{
    return sim_server_server(federation_server(f, "dc1", number));
}

static size_t accepted_count(struct federation *f)
{
    size_t i, count = 0;

    for (i = 1; i <= 3; i++)
        count += server_of(f, i) && server_of(f, i)->birth.accepted;
    return count;
}

static bool any_accepted(void *f)
{
    return accepted_count(f) > 0;
}

static bool has_leader(void *f)
{
    return federation_leader(f, "dc1") != NULL;
}

START_TEST(the_lowest_id_proposes)
{
    struct federation *f = begin(1);
    const struct server *first = NULL;
    size_t i;

    ck_assert(federation_until(f, any_accepted, f, 20000));
    ck_assert_uint_eq(accepted_count(f), 1);
    for (i = 1; i <= 3; i++)
        if (server_of(f, i)->birth.accepted)
            first = server_of(f, i);
    for (i = 1; i <= 3; i++)
        ck_assert_int_le(strcmp(first->config.node_id,
                                server_of(f, i)->config.node_id),
                         0);
    ck_assert(federation_until(f, has_leader, f, 20000));
    /* All hold the same list. */
    ck_assert_uint_eq(accepted_count(f), 3);
    for (i = 1; i <= 3; i++)
        ck_assert_str_eq(server_of(f, i)->birth.accepted->cluster_id,
                         first->birth.accepted->cluster_id);
    federation_free(f);
}
END_TEST

/* What a server says to a list, asked as its peers do. */
struct answer {
    bool done;
    int status;
    Server__BirthReply *reply;
};

static void on_answer(void *arg, int status, const char *text, const void *body,
                      size_t len)
{
    struct answer *answer = arg;

    (void)text;
    answer->done = true;
    answer->status = status;
    if (status == 0)
        answer->reply = base_pb_unpack(&server__birth_reply__descriptor, body,
                                       len, base_pb_budget(len));
}

/* Proposes a list; true if it was accepted. reason is a part of the refusal. */
static bool propose(struct federation *f, size_t number,
                    const Server__Birth *list, const char *reason)
{
    struct rpc_request request = {.method = "Cluster.Birth",
                                  .timeout_ms = 5000};
    struct base_buf body = BASE_BUF_INIT;
    struct answer answer = {0};
    bool accepted;

    base_pb_pack(list, &body);
    request.body = base_buf_data(&body);
    request.body_len = base_buf_len(&body);
    ck_assert_int_eq(rpc_server_call_local(
                         server_rpc(sim_server_server(
                             federation_server(f, "dc1", number))),
                         &request, on_answer, &answer, NULL),
                     0);
    base_buf_close(&body);
    base_sim_run_for_ms(federation_world(f), 100);
    ck_assert(answer.done);
    ck_assert_int_eq(answer.status, 0);
    accepted = answer.reply->accepted;
    if (reason)
        ck_assert_msg(strstr(answer.reply->reason, reason) != NULL, "%s",
                      answer.reply->reason);
    base_pb_free(answer.reply);
    return accepted;
}

START_TEST(a_second_list_is_refused_for_ever)
{
    struct federation *f = begin(2);
    Server__Birth *list;
    int round;

    ck_assert(federation_until(f, has_leader, f, 20000));
    list = base_pb_dup(server_of(f, 1)->birth.accepted);
    for (round = 0; round < 2; round++) {
        ck_assert(propose(f, 1, server_of(f, 1)->birth.accepted, NULL));
        list->cluster_id[0] = list->cluster_id[0] == 'f' ? 'e' : 'f';
        ck_assert(!propose(f, 1, list, "another list"));
        /* It is so after a power failure too. */
        sim_server_crash(federation_server(f, "dc1", 1));
        sim_server_boot(federation_server(f, "dc1", 1));
        base_sim_run_for_ms(federation_world(f), 1000);
    }
    base_pb_free(list);
    federation_free(f);
}
END_TEST

/* Lists that no honest server sends. The servers are kept apart, so that none
 * of their own is accepted meanwhile. */
START_TEST(bad_lists_are_refused)
{
    struct federation *f = federation_new(3);
    Server__BirthServer *servers[3];
    Server__Birth list = SERVER__BIRTH__INIT;
    size_t i, j;

    federation_add(f, "dc1", 3);
    federation_start(f);
    for (i = 1; i <= 3; i++)
        sim_server_cut(federation_server(f, "dc1", i), true);
    base_sim_run_for_ms(federation_world(f), 1000);
    for (i = 0; i < 3; i++) {
        servers[i] = base_alloc(sizeof(*servers[i]));
        server__birth_server__init(servers[i]);
        servers[i]->id = (char *)server_of(f, i + 1)->config.node_id;
        servers[i]->address = (char *)"s/10.1.0.1:8300";
    }
    for (i = 0; i < 3; i++)
        for (j = i + 1; j < 3; j++)
            if (strcmp(servers[j]->id, servers[i]->id) < 0) {
                Server__BirthServer *other = servers[i];

                servers[i] = servers[j];
                servers[j] = other;
            }
    list.cluster_id = (char *)"00000000-0000-4000-8000-000000000001";
    list.expect = 3;
    list.servers = servers;
    list.n_servers = 2;
    ck_assert(!propose(f, 1, &list, "bootstrap_expect servers"));
    list.n_servers = 3;
    list.expect = 1;
    ck_assert(!propose(f, 1, &list, "differs"));
    list.expect = 3;
    list.cluster_id = (char *)"no uuid";
    ck_assert(!propose(f, 1, &list, "UUID"));
    list.cluster_id = (char *)"00000000-0000-4000-8000-000000000001";
    for (i = 0; i < 4; i++) {
        static const char *const bad[] = {"", "10.1.0.1:8300", "s/name:8300",
                                          "s/10.1.0.1"};

        servers[1]->address = (char *)bad[i];
        ck_assert(!propose(f, 1, &list, "id or address"));
    }
    servers[1]->address = (char *)"s/10.1.0.2:8300";
    servers[2]->id = servers[1]->id;
    ck_assert(!propose(f, 1, &list, "sorted"));
    servers[0]->id = (char *)"0";
    servers[1]->id = (char *)"1";
    servers[2]->id = (char *)"2";
    ck_assert(!propose(f, 1, &list, "not on the list"));
    ck_assert_uint_eq(accepted_count(f), 0);
    for (i = 0; i < 3; i++)
        base_free(servers[i]);
    federation_free(f);
}
END_TEST

/* Power fails in every server as soon as the first has accepted; they come
 * back, and it is that list with which the cluster is born. */
START_TEST(a_restart_in_the_middle_changes_nothing)
{
    struct federation *f = begin(4);
    char id[UUID_TEXT] = "";
    size_t i;

    ck_assert(federation_until(f, any_accepted, f, 20000));
    for (i = 1; i <= 3; i++)
        if (server_of(f, i)->birth.accepted)
            strcpy(id, server_of(f, i)->birth.accepted->cluster_id);
    for (i = 1; i <= 3; i++)
        sim_server_crash(federation_server(f, "dc1", i));
    for (i = 1; i <= 3; i++)
        sim_server_boot(federation_server(f, "dc1", i));
    ck_assert(federation_until(f, has_leader, f, 30000));
    ck_assert_str_eq(server_cluster_id(server_of(f, 1)), id);
    ck_assert_uint_eq(federation_clusters(f, "dc1"), 1);
    federation_free(f);
}
END_TEST

/* Fewer than bootstrap_expect never begin. */
START_TEST(two_of_three_wait)
{
    struct federation *f = begin(5);

    sim_server_crash(federation_server(f, "dc1", 2));
    base_sim_run_for_ms(federation_world(f), 30000);
    ck_assert_uint_eq(accepted_count(f), 0);
    sim_server_boot(federation_server(f, "dc1", 2));
    ck_assert(federation_until(f, has_leader, f, 30000));
    federation_free(f);
}
END_TEST

Suite *birth_suite(void)
{
    Suite *suite = suite_create("birth");
    TCase *tcase = tcase_create("birth");

    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, the_lowest_id_proposes);
    tcase_add_test(tcase, a_second_list_is_refused_for_ever);
    tcase_add_test(tcase, bad_lists_are_refused);
    tcase_add_test(tcase, a_restart_in_the_middle_changes_nothing);
    tcase_add_test(tcase, two_of_three_wait);
    suite_add_tcase(suite, tcase);
    return suite;
}
