/* TLS objects: files and what is wrong with them, names, reload, resumption,
 * and handshakes that fail with words a person can act on. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "meeting.h"
#include "tls_priv.h"

Suite *tls_suite(void);

/* ---- files ---- */

static void assert_refused(struct world *world, struct rpc_tls_config config,
                           int status, const char *words)
{
    struct rpc_tls *tls = (struct rpc_tls *)(void *)&config;
    char *why = NULL;

    ck_assert_int_eq(rpc_tls_new(&config, world->client.env, &tls, &why),
                     status);
    ck_assert_ptr_null(tls);
    ck_assert_ptr_nonnull(why);
    ck_assert_msg(strstr(why, words) != NULL, "\"%s\" lacks \"%s\"", why,
                  words);
    base_free(why);
}

START_TEST(files_that_cannot_be_used_are_named)
{
    struct world *world = world_new(REAL);
    struct certs_pair a = certs_leaf(world->ca, NAMES("a"), 30);
    struct certs_pair b = certs_leaf(world->ca, NAMES("b"), 30);
    const char *rubbish = certs_file(world->certs, "rubbish.pem", "hello\n");
    struct rpc_tls_config good = {.ca_file = certs_ca_file(world->ca),
                                  .cert_file = a.cert_file,
                                  .key_file = a.key_file,
                                  .verify_incoming = true};
    struct rpc_tls_config config = good;

    config.ca_file = "/nowhere/ca.pem";
    assert_refused(world, config, RPC_ECERT,
                   "CA file /nowhere/ca.pem: No such file");
    config = good;
    config.ca_file = rubbish;
    assert_refused(world, config, RPC_ECERT, rubbish);
    config = good;
    config.cert_file = rubbish;
    assert_refused(world, config, RPC_ECERT, "certificate file");
    config = good;
    config.cert_file = "/nowhere/cert.pem";
    assert_refused(world, config, RPC_ECERT, "/nowhere/cert.pem");
    config = good;
    config.key_file = rubbish;
    assert_refused(world, config, RPC_ECERT, "key file");
    config = good;
    config.key_file = "/nowhere/key.pem";
    assert_refused(world, config, RPC_ECERT, "/nowhere/key.pem");
    config = good;
    config.key_file = b.key_file;
    assert_refused(world, config, RPC_ECERT,
                   "does not match the certificate in");
    config = good;
    config.key_file = NULL;
    assert_refused(world, config, RPC_EINVAL, "needs its key");
    config = good;
    config.ca_file = NULL;
    assert_refused(world, config, RPC_EINVAL, "CA file is needed");
    world_free(world);
}
END_TEST

START_TEST(our_own_names_and_end_are_known)
{
    struct world *world = world_new(REAL);
    struct rpc_tls *tls =
        meeting_tls(world, world->ca, NAMES("Server.dc1.consul", "localhost"));
    struct rpc_peer own;
    int64_t want = (int64_t)time(NULL) + 30 * 24 * 3600;

    rpc_tls_own_names(tls, &own);
    ck_assert_uint_eq(own.name_count, 2);
    ck_assert_str_eq(own.names[0], "server.dc1.consul");
    ck_assert_int_le(llabs(rpc_tls_not_after(tls) - want), 5);
    rpc_tls_free(tls);
    world_free(world);
}
END_TEST

/* ---- handshakes ---- */

START_TEST(two_ends_know_each_other_afterwards)
{
    struct world *world = world_new(REAL);
    struct rpc_tls *server =
        meeting_tls(world, world->ca, SERVER_NAMES("s1", "dc1"));
    struct rpc_tls *client =
        meeting_tls(world, world->ca, NAMES("client.dc1.consul"));
    struct meeting *meeting = meeting_new(world, server, client);

    meeting->alpns[0] = "isthmus/raft";
    meeting->alpns[1] = "isthmus/rpc-multi";
    meeting->alpn_required = true;
    meet(meeting, "s1.server.dc1.consul", true, "isthmus/rpc-multi");
    ck_assert_int_eq(meeting->client.status, 0);
    ck_assert_int_eq(meeting->server.status, 0);
    ck_assert_str_eq(meeting->client.peer.alpn, "isthmus/rpc-multi");
    ck_assert_str_eq(meeting->server.peer.alpn, "isthmus/rpc-multi");
    ck_assert(rpc_peer_has_name(&meeting->client.peer, "s1.server.dc1.consul"));
    ck_assert(rpc_peer_has_name(&meeting->server.peer, "client.dc1.consul"));
    ck_assert(meeting->server.peer.secure);
    meeting_free(meeting);
    rpc_tls_free(server);
    rpc_tls_free(client);
    world_free(world);
}
END_TEST

static const struct {
    const char *const *server_names;
    const char *asked;
    bool verify_name;
    int status;
    const char *why;
} name_rows[] = {
    {SERVER_NAMES("s1", "dc1"), "s1.server.dc1.consul", true, 0, NULL},
    {SERVER_NAMES("s1", "dc1"), "S1.Server.DC1.consul", true, 0, NULL},
    {SERVER_NAMES("s1", "dc1"), "s2.server.dc1.consul", true, RPC_ENAME,
     "does not bear the name s2.server.dc1.consul"},
    {SERVER_NAMES("s1", "dc1"), "s2.server.dc1.consul", false, 0, NULL},
    {NAMES("*.server.dc1.consul"), "s1.server.dc1.consul", true, RPC_ENAME,
     "does not bear the name"},
    {NAMES("server.dc2.consul"), "server.dc1.consul", true, RPC_ENAME,
     "does not bear the name"},
};

START_TEST(the_servers_name_is_checked)
{
    struct world *world = world_new(REAL);
    struct rpc_tls *server =
        meeting_tls(world, world->ca, name_rows[_i].server_names);
    struct rpc_tls *client = meeting_tls(world, world->ca, NAMES("client"));
    struct meeting *meeting = meeting_new(world, server, client);

    meet(meeting, name_rows[_i].asked, name_rows[_i].verify_name, NULL);
    ck_assert_int_eq(meeting->client.status, name_rows[_i].status);
    if (name_rows[_i].why != NULL) {
        ck_assert_ptr_nonnull(strstr(meeting->client.why, name_rows[_i].why));
        ck_assert_int_eq(meeting->server.status, RPC_ETLS);
        ck_assert_ptr_nonnull(strstr(meeting->server.why, "alert 42"));
    }
    meeting_free(meeting);
    rpc_tls_free(server);
    rpc_tls_free(client);
    world_free(world);
}
END_TEST

START_TEST(a_common_name_is_no_name)
{
    struct world *world = world_new(REAL);
    struct certs_pair pair;
    struct rpc_tls *server;
    struct rpc_tls *client = meeting_tls(world, world->ca, NAMES("client"));
    struct meeting *meeting;

    /* The helper makes the CN of the first name; this one has no others. */
    pair = certs_leaf_cn(world->ca, "server.dc1.consul");
    server = meeting_open_tls(world, certs_ca_file(world->ca), &pair, true);
    meeting = meeting_new(world, server, client);
    meet(meeting, "server.dc1.consul", true, NULL);
    ck_assert_int_eq(meeting->client.status, RPC_ENAME);
    meet(meeting, "server.dc1.consul", false, NULL);
    ck_assert_int_eq(meeting->client.status, 0);
    ck_assert_uint_eq(meeting->client.peer.name_count, 0);
    meeting_free(meeting);
    rpc_tls_free(server);
    rpc_tls_free(client);
    world_free(world);
}
END_TEST

START_TEST(a_server_of_another_ca_is_refused)
{
    struct world *world = world_new(REAL);
    struct rpc_tls *server =
        meeting_tls(world, world->other_ca, SERVER_NAMES("s1", "dc1"));
    struct rpc_tls *client = meeting_tls(world, world->ca, NAMES("client"));
    struct meeting *meeting = meeting_new(world, server, client);

    /* Its name matters not: without verify_name the chain still counts. */
    meet(meeting, "s1.server.dc1.consul", false, NULL);
    ck_assert_int_eq(meeting->client.status, RPC_ETLS);
    ck_assert_ptr_nonnull(
        strstr(meeting->client.why, "certificate of the server"));
    ck_assert_ptr_nonnull(strstr(meeting->server.why, "peer refused"));
    meeting_free(meeting);
    rpc_tls_free(server);
    rpc_tls_free(client);
    world_free(world);
}
END_TEST

START_TEST(an_expired_server_is_refused)
{
    struct world *world = world_new(REAL);
    struct certs_pair pair =
        certs_leaf(world->ca, SERVER_NAMES("s1", "dc1"), -1);
    struct rpc_tls *server =
        meeting_open_tls(world, certs_ca_file(world->ca), &pair, true);
    struct rpc_tls *client = meeting_tls(world, world->ca, NAMES("client"));
    struct meeting *meeting = meeting_new(world, server, client);

    meet(meeting, "s1.server.dc1.consul", true, NULL);
    ck_assert_int_eq(meeting->client.status, RPC_ETLS);
    ck_assert_ptr_nonnull(strstr(meeting->client.why, "expired"));
    meeting_free(meeting);
    rpc_tls_free(server);
    rpc_tls_free(client);
    world_free(world);
}
END_TEST

START_TEST(a_client_of_another_ca_is_refused_with_its_reason)
{
    struct world *world = world_new(REAL);
    struct rpc_tls *server =
        meeting_tls(world, world->ca, SERVER_NAMES("s1", "dc1"));
    struct certs_pair pair = certs_leaf(world->other_ca, NAMES("client"), 30);
    struct rpc_tls *client =
        meeting_open_tls(world, certs_ca_file(world->ca), &pair, true);
    struct meeting *meeting = meeting_new(world, server, client);

    meet(meeting, "s1.server.dc1.consul", true, NULL);
    ck_assert_int_eq(meeting->server.status, RPC_ETLS);
    ck_assert_ptr_nonnull(
        strstr(meeting->server.why, "certificate of the client"));
    meeting_free(meeting);
    rpc_tls_free(server);
    rpc_tls_free(client);
    world_free(world);
}
END_TEST

START_TEST(another_protocol_than_asked_for_is_refused)
{
    struct world *world = world_new(REAL);
    struct rpc_tls *server =
        meeting_tls(world, world->ca, SERVER_NAMES("s1", "dc1"));
    struct rpc_tls *client = meeting_tls(world, world->ca, NAMES("client"));
    struct meeting *meeting = meeting_new(world, server, client);

    /* A server that knows no ALPN at all says nothing. */
    meet(meeting, "s1.server.dc1.consul", true, "isthmus/raft");
    ck_assert_int_eq(meeting->client.status, RPC_EALPN);
    meeting->alpns[0] = "isthmus/rpc-multi";
    meet(meeting, "s1.server.dc1.consul", true, "isthmus/raft");
    ck_assert_int_eq(meeting->client.status, RPC_EALPN);
    ck_assert_int_eq(meeting->server.status, RPC_EALPN);
    meeting_free(meeting);
    rpc_tls_free(server);
    rpc_tls_free(client);
    world_free(world);
}
END_TEST

START_TEST(old_tls_is_refused)
{
    struct world *world = world_new(REAL);
    struct rpc_tls *server =
        meeting_tls(world, world->ca, SERVER_NAMES("s1", "dc1"));
    struct rpc_tls *client = meeting_tls(world, world->ca, NAMES("client"));
    struct meeting *meeting = meeting_new(world, server, client);

    SSL_CTX_set_security_level(client->contexts.client, 0);
    SSL_CTX_set_cipher_list(client->contexts.client, "ALL:@SECLEVEL=0");
    SSL_CTX_set_min_proto_version(client->contexts.client, TLS1_VERSION);
    SSL_CTX_set_max_proto_version(client->contexts.client, TLS1_1_VERSION);
    meet(meeting, "s1.server.dc1.consul", true, NULL);
    ck_assert_int_eq(meeting->server.status, RPC_ETLS);
    ck_assert_ptr_nonnull(strstr(meeting->client.why, "protocol version"));
    SSL_CTX_set_max_proto_version(client->contexts.client, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(client->contexts.client, "ECDHE+AESGCM");
    meet(meeting, "s1.server.dc1.consul", true, NULL);
    ck_assert_int_eq(meeting->client.status, 0);
    meeting_free(meeting);
    rpc_tls_free(server);
    rpc_tls_free(client);
    world_free(world);
}
END_TEST

/* ---- rotation ---- */

START_TEST(two_roots_in_the_ca_file_accept_both)
{
    struct world *world = world_new(REAL);
    const char *both = certs_bundle(world->certs, world->ca, world->other_ca);
    struct certs_pair old_pair =
        certs_leaf(world->ca, SERVER_NAMES("s1", "dc1"), 30);
    struct certs_pair new_pair =
        certs_leaf(world->other_ca, SERVER_NAMES("s2", "dc1"), 30);
    struct rpc_tls *server = meeting_open_tls(world, both, &old_pair, true);
    struct rpc_tls *client = meeting_open_tls(world, both, &new_pair, true);
    struct meeting *meeting = meeting_new(world, server, client);

    meet(meeting, "server.dc1.consul", true, NULL);
    ck_assert_int_eq(meeting->client.status, 0);
    ck_assert_int_eq(meeting->server.status, 0);
    meeting_free(meeting);
    rpc_tls_free(server);
    rpc_tls_free(client);
    world_free(world);
}
END_TEST

static void copy_file(const char *from, const char *to)
{
    char *command = base_asprintf("cp '%s' '%s'", from, to);

    ck_assert_int_eq(system(command), 0);
    base_free(command);
}

static bool was_resumed(const struct meeting *meeting)
{
    return tls_stream_resumed(meeting->client.stream);
}

/* Lets the session ticket come. */
static void let_ticket_come(struct meeting *meeting)
{
    ck_assert_int_eq(base_stream_write(meeting->server.stream, "tick", 4), 0);
    world_settle(meeting->world);
    ck_assert_uint_eq(base_stream_len(meeting->client.stream), 4);
}

START_TEST(sessions_resume_by_name_and_protocol)
{
    struct world *world = world_new(REAL);
    struct rpc_tls *server =
        meeting_tls(world, world->ca, SERVER_NAMES("s1", "dc1"));
    struct rpc_tls *client = meeting_tls(world, world->ca, NAMES("client"));
    struct meeting *meeting = meeting_new(world, server, client);

    meeting->alpns[0] = "isthmus/raft";
    meeting->alpns[1] = "isthmus/rpc-multi";
    meet(meeting, "s1.server.dc1.consul", true, "isthmus/raft");
    ck_assert(!was_resumed(meeting));
    let_ticket_come(meeting);
    meet(meeting, "s1.server.dc1.consul", true, "isthmus/rpc-multi");
    ck_assert(!was_resumed(meeting));
    meet(meeting, "server.dc1.consul", true, "isthmus/raft");
    ck_assert(!was_resumed(meeting));
    meet(meeting, "s1.server.dc1.consul", true, "isthmus/raft");
    ck_assert(was_resumed(meeting));
    /* Who it is stays known, on both sides. */
    ck_assert(rpc_peer_has_name(&meeting->server.peer, "client"));
    ck_assert(rpc_peer_has_name(&meeting->client.peer, "s1.server.dc1.consul"));
    ck_assert_str_eq(meeting->server.peer.alpn, "isthmus/raft");
    let_ticket_come(meeting);
    meet(meeting, "s1.server.dc1.consul", true, "isthmus/raft");
    ck_assert(was_resumed(meeting));
    meeting_free(meeting);
    rpc_tls_free(server);
    rpc_tls_free(client);
    world_free(world);
}
END_TEST

START_TEST(a_resumed_session_is_checked_like_any_other)
{
    struct world *world = world_new(REAL);
    struct rpc_tls *server =
        meeting_tls(world, world->ca, SERVER_NAMES("s1", "dc1"));
    struct rpc_tls *client = meeting_tls(world, world->ca, NAMES("client"));
    struct meeting *meeting = meeting_new(world, server, client);

    /* A session made without asking for the name. */
    meeting->alpns[0] = "isthmus/raft";
    meet(meeting, "s7.server.dc1.consul", false, "isthmus/raft");
    ck_assert_int_eq(meeting->client.status, 0);
    let_ticket_come(meeting);
    ck_assert_uint_eq(client->session_count, 1);
    meet(meeting, "s7.server.dc1.consul", true, "isthmus/raft");
    ck_assert_int_eq(meeting->client.status, RPC_ENAME);
    ck_assert_uint_eq(client->session_count, 0);
    meeting_free(meeting);
    rpc_tls_free(server);
    rpc_tls_free(client);
    world_free(world);
}
END_TEST

START_TEST(sessions_are_bounded)
{
    struct world *world = world_new(REAL);
    struct rpc_tls *tls = meeting_tls(world, world->ca, NAMES("client"));
    SSL_SESSION *session;
    unsigned i;

    for (i = 0; i < TLS_SESSIONS_MAX + 10; i++) {
        char *key = base_asprintf("server-%u", i);

        tls_sessions_put(tls, key, SSL_SESSION_new());
        tls_sessions_put(tls, key, SSL_SESSION_new());
        base_free(key);
    }
    ck_assert_uint_eq(tls->session_count, TLS_SESSIONS_MAX);
    /* The oldest went first; each is used once. */
    ck_assert_ptr_null(tls_sessions_take(tls, "server-9"));
    session = tls_sessions_take(tls, "server-10");
    ck_assert_ptr_nonnull(session);
    SSL_SESSION_free(session);
    ck_assert_ptr_null(tls_sessions_take(tls, "server-10"));
    rpc_tls_free(tls);
    world_free(world);
}
END_TEST

START_TEST(reload_takes_new_files_and_drops_sessions)
{
    struct world *world = world_new(REAL);
    struct certs_pair pair =
        certs_leaf(world->ca, SERVER_NAMES("s1", "dc1"), 30);
    struct certs_pair next =
        certs_leaf(world->ca, SERVER_NAMES("s9", "dc1"), 60);
    struct rpc_tls *server =
        meeting_open_tls(world, certs_ca_file(world->ca), &pair, true);
    struct rpc_tls *client = meeting_tls(world, world->ca, NAMES("client"));
    struct meeting *meeting = meeting_new(world, server, client);
    struct end old_server;
    struct end old_client;
    struct rpc_peer own;
    char *why = NULL;

    meet(meeting, "server.dc1.consul", true, NULL);
    let_ticket_come(meeting);
    old_server = meeting->server;
    old_client = meeting->client;
    meeting->server = meeting->client = (struct end){0};

    copy_file(next.cert_file, pair.cert_file);
    ck_assert_int_eq(rpc_tls_reload(server, &why), RPC_ECERT);
    ck_assert_ptr_nonnull(strstr(why, "does not match"));
    base_free(why);
    rpc_tls_own_names(server, &own);
    ck_assert_str_eq(own.names[1], "s1.server.dc1.consul");

    copy_file(next.key_file, pair.key_file);
    ck_assert_int_eq(rpc_tls_reload(server, &why), 0);
    ck_assert_ptr_null(why);
    rpc_tls_own_names(server, &own);
    ck_assert_str_eq(own.names[1], "s9.server.dc1.consul");
    /* The client still holds a session, but its ticket's key is gone. */
    meet(meeting, "server.dc1.consul", true, NULL);
    ck_assert_int_eq(meeting->client.status, 0);
    ck_assert(!was_resumed(meeting));
    ck_assert(rpc_peer_has_name(&meeting->client.peer, "s9.server.dc1.consul"));
    let_ticket_come(meeting);
    ck_assert_int_eq(rpc_tls_reload(client, NULL), 0);
    meet(meeting, "server.dc1.consul", true, NULL);
    ck_assert(!was_resumed(meeting));

    /* The old connection has gone on all the while. */
    base_stream_consume(old_client.stream, 4);
    ck_assert_int_eq(base_stream_write(old_server.stream, "alive", 5), 0);
    world_settle(world);
    ck_assert_uint_eq(base_stream_len(old_client.stream), 5);
    end_close(&old_server);
    end_close(&old_client);
    meeting_free(meeting);
    rpc_tls_free(server);
    rpc_tls_free(client);
    world_free(world);
}
END_TEST

START_TEST(a_handshake_can_be_cancelled_or_left_to_the_end)
{
    struct world *world = world_new(REAL);
    struct rpc_tls *server =
        meeting_tls(world, world->ca, SERVER_NAMES("s1", "dc1"));
    struct rpc_tls *client = meeting_tls(world, world->ca, NAMES("client"));
    struct rpc_secure secure = rpc_tls_secure(client);
    struct meeting *meeting = meeting_new(world, server, client);
    struct rpc_handshake *handshake;
    struct raw *raw = raw_dial(world, &meeting->addr);

    base_stream_set_events(raw->stream, NULL, NULL);
    ck_assert_int_eq(secure.ops->client(secure.ctx, raw->stream, "x", false,
                                        NULL, 5000, end_on_secure,
                                        &meeting->client, &handshake),
                     0);
    secure.ops->cancel(handshake);
    raw->stream = NULL;
    world_await_flag(world, &meeting->server.done);
    ck_assert_int_ne(meeting->server.status, 0);
    ck_assert(!meeting->client.done);
    raw_free(raw);

    end_close(&meeting->server);

    /* One under way ends with its object, untold. */
    raw = raw_dial(world, &meeting->addr);
    base_stream_set_events(raw->stream, NULL, NULL);
    ck_assert_int_eq(secure.ops->client(secure.ctx, raw->stream, "x", false,
                                        NULL, 5000, end_on_secure,
                                        &meeting->client, &handshake),
                     0);
    raw->stream = NULL;
    rpc_tls_free(client);
    ck_assert(!meeting->client.done);
    raw_free(raw);
    world_settle(world);
    meeting_free(meeting);
    rpc_tls_free(server);
    world_free(world);
}
END_TEST

Suite *tls_suite(void)
{
    Suite *suite = suite_create("rpc tls");
    TCase *tcase = tcase_create("tls");

    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, files_that_cannot_be_used_are_named);
    tcase_add_test(tcase, our_own_names_and_end_are_known);
    tcase_add_test(tcase, two_ends_know_each_other_afterwards);
    tcase_add_loop_test(tcase, the_servers_name_is_checked, 0,
                        (int)BASE_COUNT_OF(name_rows));
    tcase_add_test(tcase, a_common_name_is_no_name);
    tcase_add_test(tcase, a_server_of_another_ca_is_refused);
    tcase_add_test(tcase, an_expired_server_is_refused);
    tcase_add_test(tcase, a_client_of_another_ca_is_refused_with_its_reason);
    tcase_add_test(tcase, another_protocol_than_asked_for_is_refused);
    tcase_add_test(tcase, old_tls_is_refused);
    tcase_add_test(tcase, two_roots_in_the_ca_file_accept_both);
    tcase_add_test(tcase, sessions_resume_by_name_and_protocol);
    tcase_add_test(tcase, a_resumed_session_is_checked_like_any_other);
    tcase_add_test(tcase, sessions_are_bounded);
    tcase_add_test(tcase, reload_takes_new_files_and_drops_sessions);
    tcase_add_test(tcase, a_handshake_can_be_cancelled_or_left_to_the_end);
    suite_add_tcase(suite, tcase);
    return suite;
}
