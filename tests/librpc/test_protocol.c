/* The tables of federation.md section 3, names of section 2, certificates'
 * names against them. */
#include <string.h>

#include "base/error.h"
#include "peer.h"
#include "rpc/error.h"
#include "rpc/protocol.h"
#include "suite.h"

Suite *protocol_suite(void);

static const struct {
    enum rpc_protocol protocol;
    int byte;
    const char *alpn;
} rows[] = {
    {RPC_PROTOCOL_SINGLE, 0, "isthmus/rpc-single"},
    {RPC_PROTOCOL_RAFT, 1, "isthmus/raft"},
    {RPC_PROTOCOL_MULTI, 4, "isthmus/rpc-multi"},
    {RPC_PROTOCOL_SNAPSHOT, 5, "isthmus/rpc-snapshot"},
    {RPC_PROTOCOL_GOSSIP_PACKET, -1, "consul/wan-gossip/packet"},
    {RPC_PROTOCOL_GOSSIP_STREAM, -1, "consul/wan-gossip/stream"},
};

START_TEST(each_protocol_has_its_byte_and_alpn)
{
    ck_assert_int_eq(rpc_protocol_by_alpn(rows[_i].alpn), rows[_i].protocol);
    ck_assert_str_eq(rpc_protocol_row(rows[_i].protocol)->alpn, rows[_i].alpn);
    if (rows[_i].byte >= 0)
        ck_assert_int_eq(rpc_protocol_by_byte((uint8_t)rows[_i].byte),
                         rows[_i].protocol);
    else
        ck_assert_uint_eq(rpc_protocol_row(rows[_i].protocol)->first_byte,
                          RPC_BYTE_NONE);
}
END_TEST

START_TEST(no_other_byte_is_a_protocol)
{
    if (_i != 0 && _i != 1 && _i != 4 && _i != 5)
        ck_assert_int_eq(rpc_protocol_by_byte((uint8_t)_i),
                         RPC_PROTOCOL_COUNT);
}
END_TEST

START_TEST(foreign_alpns_are_unknown)
{
    ck_assert_int_eq(rpc_protocol_by_alpn(""), RPC_PROTOCOL_COUNT);
    ck_assert_int_eq(rpc_protocol_by_alpn("consul/rpc-multi"),
                     RPC_PROTOCOL_COUNT);
    ck_assert_int_eq(rpc_protocol_by_alpn("isthmus/raft2"),
                     RPC_PROTOCOL_COUNT);
}
END_TEST

START_TEST(server_names_follow_section_2)
{
    char name[254];

    ck_assert_int_eq(rpc_server_name(name, "S1", "DC2", "Consul"), 0);
    ck_assert_str_eq(name, "s1.server.dc2.consul");
    ck_assert_int_eq(rpc_server_name(name, "", "dc1", "consul"), 0);
    ck_assert_str_eq(name, "server.dc1.consul");
    ck_assert_int_eq(rpc_server_name(name, "*", "dc1", "a.example"), 0);
    ck_assert_str_eq(name, "server.dc1.a.example");
}
END_TEST

START_TEST(names_that_dns_cannot_hold_are_refused)
{
    char name[254];
    char label[65];
    char domain[254];

    memset(label, 'a', 64);
    label[64] = '\0';
    ck_assert_int_eq(rpc_server_name(name, label, "dc1", "consul"),
                     RPC_EINVAL);
    memset(domain, 'a', 253);
    domain[253] = '\0';
    ck_assert_int_eq(rpc_server_name(name, "n", "dc1", domain), RPC_EINVAL);
    ck_assert_int_eq(rpc_server_name(name, "n", "", "consul"), RPC_EINVAL);
    ck_assert_int_eq(rpc_server_name(name, "n", "d c", "consul"), RPC_EINVAL);
    ck_assert_int_eq(rpc_server_name(name, "n", "dc", "consul."), RPC_EINVAL);
}
END_TEST

static struct rpc_peer peer_of(const char *name)
{
    struct rpc_peer peer = {.secure = true};

    rpc_peer_add_name(&peer, name, strlen(name));
    return peer;
}

static const struct {
    const char *name;
    bool any_server; /* of any dc */
    bool own_server; /* of dc1 */
} who[] = {
    {"server.dc1.consul", true, true},
    {"SERVER.DC1.CONSUL", true, true},
    {"server.dc2.consul", true, false},
    {"client.dc1.consul", false, false},
    {"s1.server.dc1.consul", false, false}, /* alone it proves no role */
    {"server.dc1.consul.evil", false, false},
    {"server.dc1.evilconsul", false, false},
    {"xserver.dc1.consul", false, false},
    {"server.consul", false, false},
    {"server..consul", false, false},
    {"server.a.b.consul", false, false},
    {"*.dc1.consul", false, false},
    {"server.*.consul", false, false},
    {"localhost", false, false},
};

START_TEST(certificates_may_speak_what_their_names_say)
{
    struct rpc_peer peer = peer_of(who[_i].name);
    int own = who[_i].own_server;
    int any = who[_i].any_server;

#define MAY(p) rpc_peer_may_speak(&peer, RPC_PROTOCOL_##p, "dc1", "consul")
    ck_assert_int_eq(rpc_peer_is_server(&peer, "consul"), any);
    ck_assert(MAY(SINGLE));
    ck_assert(MAY(MULTI));
    ck_assert_int_eq(MAY(RAFT), own);
    ck_assert_int_eq(MAY(SNAPSHOT), own);
    ck_assert_int_eq(MAY(GOSSIP_PACKET), any);
    ck_assert_int_eq(MAY(GOSSIP_STREAM), any);
#undef MAY
}
END_TEST

START_TEST(odd_names_are_left_out)
{
    struct rpc_peer peer = {.secure = true};
    char long_name[300];
    unsigned i;

    memset(long_name, 'a', sizeof(long_name));
    rpc_peer_add_name(&peer, "server.dc1.consul\0.evil", 23);
    rpc_peer_add_name(&peer, "", 0);
    rpc_peer_add_name(&peer, long_name, sizeof(long_name));
    rpc_peer_add_name(&peer, "a b", 3);
    ck_assert_uint_eq(peer.name_count, 0);
    for (i = 0; i < RPC_NAMES_MAX + 3; i++)
        rpc_peer_add_name(&peer, "x.y", 3);
    ck_assert_uint_eq(peer.name_count, RPC_NAMES_MAX);
}
END_TEST

START_TEST(a_server_counts_by_its_own_name)
{
    struct rpc_peer peer = peer_of("server.dc1.consul");

    ck_assert_str_eq(rpc_peer_name(&peer, "consul"), "server.dc1.consul");
    rpc_peer_add_name(&peer, "s1.server.dc1.consul", 20);
    ck_assert_str_eq(rpc_peer_name(&peer, "consul"), "s1.server.dc1.consul");
    peer.name_count = 0;
    ck_assert_str_eq(rpc_peer_name(&peer, "consul"), "");
}
END_TEST

START_TEST(errors_have_words)
{
    ck_assert_str_eq(rpc_strerror(RPC_ECLOSED), "connection closed");
    ck_assert_str_eq(rpc_strerror(BASE_ETIMEOUT), base_strerror(BASE_ETIMEOUT));
    ck_assert_str_eq(rpc_strerror(0), "success");
}
END_TEST

Suite *protocol_suite(void)
{
    Suite *suite = suite_create("rpc protocol");
    TCase *tcase = tcase_create("tables");

    tcase_add_loop_test(tcase, each_protocol_has_its_byte_and_alpn, 0, 6);
    tcase_add_loop_test(tcase, no_other_byte_is_a_protocol, 0, 256);
    tcase_add_test(tcase, foreign_alpns_are_unknown);
    tcase_add_test(tcase, server_names_follow_section_2);
    tcase_add_test(tcase, names_that_dns_cannot_hold_are_refused);
    tcase_add_loop_test(tcase, certificates_may_speak_what_their_names_say, 0,
                        (int)(sizeof(who) / sizeof(who[0])));
    tcase_add_test(tcase, odd_names_are_left_out);
    tcase_add_test(tcase, a_server_counts_by_its_own_name);
    tcase_add_test(tcase, errors_have_words);
    suite_add_tcase(suite, tcase);
    return suite;
}
