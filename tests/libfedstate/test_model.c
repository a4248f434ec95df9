/* Same-ness, usability, addresses and the check of a record. */
#include <stdlib.h>
#include <string.h>

#include "base/pb.h"
#include "fedstate/error.h"
#include "fedstate/model.h"
#include "world.h"

/* What may be changed in a record, and whether it makes it another one. */
struct edit {
    const char *name;
    void (*make)(Fedstate__FederationState *state);
    bool same;
    bool same_but_output;
};

static void nothing(Fedstate__FederationState *state)
{
    (void)state;
}
static void gateway_order(Fedstate__FederationState *state)
{
    Fedstate__CheckServiceNode *first = state->mesh_gateways[0];

    state->mesh_gateways[0] = state->mesh_gateways[1];
    state->mesh_gateways[1] = first;
}
static void address_order(Fedstate__FederationState *state)
{
    Fedstate__Service *service = state->mesh_gateways[0]->service;
    Fedstate__TaggedAddress *first = service->tagged_addresses[0];

    service->tagged_addresses[0] = service->tagged_addresses[1];
    service->tagged_addresses[1] = first;
}
static void indexes(Fedstate__FederationState *state)
{
    Fedstate__CheckServiceNode *gateway = state->mesh_gateways[0];

    state->create_index = state->modify_index = 90;
    state->primary_modify_index = 91;
    gateway->node->create_index = gateway->node->modify_index = 92;
    gateway->service->create_index = gateway->service->modify_index = 93;
    gateway->checks[0]->create_index = gateway->checks[0]->modify_index = 94;
}
static void updated_at(Fedstate__FederationState *state)
{
    state->updated_at_ns = 12345;
}
static void output(Fedstate__FederationState *state)
{
    set_output(state->mesh_gateways[1], "took 3 ms");
}
static void dc(Fedstate__FederationState *state)
{
    set_text(&state->datacenter, "dc9");
}
static void one_less(Fedstate__FederationState *state)
{
    base_pb_free(state->mesh_gateways[--state->n_mesh_gateways]);
}
static void node_address(Fedstate__FederationState *state)
{
    set_text(&state->mesh_gateways[0]->node->address, "10.9.9.9");
}
static void node_id(Fedstate__FederationState *state)
{
    set_text(&state->mesh_gateways[0]->node->id, "another");
}
static void service_port(Fedstate__FederationState *state)
{
    state->mesh_gateways[0]->service->port = 1;
}
static void wan_address(Fedstate__FederationState *state)
{
    Fedstate__Service *service = state->mesh_gateways[0]->service;

    set_text(&service->tagged_addresses[1]->address->address, "198.51.100.7");
}
static void meta(Fedstate__FederationState *state)
{
    set_text(&state->mesh_gateways[0]->service->meta[0]->value, "0");
}
static void status(Fedstate__FederationState *state)
{
    set_status(state->mesh_gateways[0], "critical");
}
static void check_notes(Fedstate__FederationState *state)
{
    set_text(&state->mesh_gateways[0]->checks[0]->notes, "x");
}

static const struct edit edits[] = {
    {"nothing", nothing, true, true},
    {"gateway order", gateway_order, true, true},
    {"address order", address_order, true, true},
    {"indexes", indexes, true, true},
    {"updated at", updated_at, true, true},
    {"output", output, false, true},
    {"datacenter", dc, false, false},
    {"one gateway less", one_less, false, false},
    {"node address", node_address, false, false},
    {"node id", node_id, false, false},
    {"service port", service_port, false, false},
    {"wan address", wan_address, false, false},
    {"service meta", meta, false, false},
    {"check status", status, false, false},
    {"check notes", check_notes, false, false},
};

static Fedstate__FederationState *sample(void)
{
    Fedstate__FederationState *state =
        make_state("dc1", 2, make_gateway("gw1", "10.0.0.1", "192.0.2.1"),
                   make_gateway("gw2", "10.0.0.2", "192.0.2.2"));

    set_output(state->mesh_gateways[0], "ok");
    return state;
}

START_TEST(same_is_every_field_but_indexes)
{
    const struct edit *edit = &edits[_i];
    Fedstate__FederationState *a = sample();
    Fedstate__FederationState *b = sample();

    edit->make(b);
    ck_assert_msg(fedstate_same(a, b, false) == edit->same, "%s", edit->name);
    ck_assert_msg(fedstate_same(b, a, true) == edit->same_but_output,
                  "%s, outputs apart", edit->name);
    base_pb_free(a);
    base_pb_free(b);
}
END_TEST

START_TEST(comparing_changes_neither)
{
    Fedstate__FederationState *a = sample();

    ck_assert(fedstate_same(a, a, true));
    ck_assert_str_eq(a->mesh_gateways[0]->checks[0]->output, "ok");
    ck_assert_str_eq(a->mesh_gateways[0]->node->node, "gw1");
    base_pb_free(a);
}
END_TEST

START_TEST(records_with_holes_are_compared_too)
{
    Fedstate__FederationState *a = make_state("dc1", 0);
    Fedstate__FederationState *b = make_state("dc1", 0);
    int i;

    for (i = 0; i < 4; i++) {
        Fedstate__CheckServiceNode *bare = malloc(sizeof(*bare));

        fedstate__check_service_node__init(bare);
        add_gateway(i % 2 == 0 ? a : b, bare);
    }
    ck_assert(fedstate_same(a, b, false));
    ck_assert(!fedstate_gateway_usable(a->mesh_gateways[0]));
    base_pb_free(a);
    base_pb_free(b);
}
END_TEST

START_TEST(usable_means_exposed_and_not_critical)
{
    Fedstate__CheckServiceNode *gateway =
        make_gateway("gw1", "10.0.0.1", "192.0.2.1");

    ck_assert(fedstate_gateway_usable(gateway));
    set_status(gateway, "warning");
    ck_assert(fedstate_gateway_usable(gateway));
    set_status(gateway, "critical");
    ck_assert(!fedstate_gateway_usable(gateway));
    set_status(gateway, "passing");
    set_text(&gateway->service->meta[0]->value, "true");
    ck_assert(!fedstate_gateway_usable(gateway));
    set_text(&gateway->service->meta[0]->key, "something-else");
    ck_assert(!fedstate_gateway_usable(gateway));
    base_pb_free(gateway);
}
END_TEST

/* federation.md section 9: service wan, else service address, else node wan,
 * else node address; and likewise for LAN. */
static const struct {
    const char *service_lan, *service_wan, *service, *node_wan, *node;
    bool wan;
    const char *want; /* "": none */
} addresses[] = {
    {"10.0.0.1", "192.0.2.1", "10.0.0.2", "192.0.2.9", "10.0.0.9", true,
     "192.0.2.1:8443"},
    {"10.0.0.1", "192.0.2.1", "10.0.0.2", "192.0.2.9", "10.0.0.9", false,
     "10.0.0.1:8443"},
    {NULL, NULL, "10.0.0.2", "192.0.2.9", "10.0.0.9", true, "10.0.0.2:7000"},
    {NULL, NULL, "10.0.0.2", "192.0.2.9", "10.0.0.9", false, "10.0.0.2:7000"},
    {NULL, NULL, "", "192.0.2.9", "10.0.0.9", true, "192.0.2.9:7000"},
    {NULL, NULL, "", "192.0.2.9", "10.0.0.9", false, "10.0.0.9:7000"},
    {NULL, NULL, "", "", "10.0.0.9", true, "10.0.0.9:7000"},
    {NULL, NULL, "", "", "fd00::9", true, "[fd00::9]:7000"},
    {NULL, NULL, "", "", "", true, ""},
    {NULL, NULL, "gw.example", "", "", true, ""},
    {NULL, "0.0.0.0", "", "", "", true, ""},
};

START_TEST(addresses_are_taken_in_order)
{
    Fedstate__CheckServiceNode *gateway = make_gateway(
        "gw1", addresses[_i].service_lan, addresses[_i].service_wan);
    Fedstate__Pair wan = FEDSTATE__PAIR__INIT;
    Fedstate__Pair *pairs[] = {&wan};
    Fedstate__Node node = FEDSTATE__NODE__INIT;
    Fedstate__Node *own = gateway->node;
    struct base_addr addr = {0};
    char text[BASE_ADDR_TEXT_MAX];
    bool found;

    gateway->service->port = 7000;
    set_text(&gateway->service->address, addresses[_i].service);
    wan.key = (char *)(uintptr_t) "wan";
    wan.value = (char *)(uintptr_t)addresses[_i].node_wan;
    node.tagged_addresses = pairs;
    node.n_tagged_addresses = 1;
    node.address = (char *)(uintptr_t)addresses[_i].node;
    gateway->node = &node;
    found = fedstate_gateway_addr(gateway, addresses[_i].wan, &addr);
    ck_assert_str_eq(base_addr_format(&addr, text), addresses[_i].want);
    ck_assert(found == (addresses[_i].want[0] != '\0'));
    gateway->node = own;
    base_pb_free(gateway);
}
END_TEST

START_TEST(a_port_that_is_none_is_no_address)
{
    Fedstate__CheckServiceNode *gateway =
        make_gateway("gw1", NULL, "192.0.2.1");
    struct base_addr addr;

    gateway->service->tagged_addresses[0]->address->port = 0;
    ck_assert(fedstate_gateway_addr(gateway, true, &addr));
    ck_assert_uint_eq(addr.port, 8443); /* the service's own */
    gateway->service->port = 0;
    ck_assert(!fedstate_gateway_addr(gateway, true, &addr));
    gateway->service->port = 65536;
    ck_assert(!fedstate_gateway_addr(gateway, true, &addr));
    base_pb_free(gateway);
}
END_TEST

static const struct {
    const char *dc;
    int want;
} names[] = {
    {"", FEDSTATE_ENODC},
    {"dc1", 0},
    {"a", 0},
    {"0-9", 0},
    {"-dc", FEDSTATE_EINVAL},
    {"dc-", FEDSTATE_EINVAL},
    {"DC1", FEDSTATE_EINVAL},
    {"dc.1", FEDSTATE_EINVAL},
    {"dc 1", FEDSTATE_EINVAL},
    {"dc\n", FEDSTATE_EINVAL},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 0},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
     FEDSTATE_EINVAL},
};

START_TEST(names_are_checked)
{
    Fedstate__FederationState *state = make_state(names[_i].dc, 0);
    const char *why = NULL;

    ck_assert_int_eq(fedstate_check(state, &why), names[_i].want);
    ck_assert((why != NULL) == (names[_i].want != 0));
    base_pb_free(state);
}
END_TEST

START_TEST(gateways_are_checked)
{
    Fedstate__FederationState *state =
        make_state("dc1", 1, make_gateway("gw1", NULL, NULL));
    const char *why = NULL;
    int i;

    /* Nobody can dial it: passed over later, not refused. */
    ck_assert_int_eq(fedstate_check(state, &why), 0);
    set_text(&state->mesh_gateways[0]->service->kind, "web");
    ck_assert_int_eq(fedstate_check(state, &why), FEDSTATE_EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "mesh-gateway"));
    set_text(&state->mesh_gateways[0]->service->kind, FEDSTATE_KIND_GATEWAY);
    for (i = 0; i < FEDSTATE_GATEWAYS_MAX; i++)
        add_gateway(state, make_gateway("gw", "10.0.0.1", NULL));
    ck_assert_int_eq(fedstate_check(state, &why), FEDSTATE_EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "1,024"));
    base_pb_free(state);
    ck_assert_int_eq(fedstate_check(NULL, NULL), FEDSTATE_ENODC);
}
END_TEST

START_TEST(errors_have_words)
{
    ck_assert_str_eq(fedstate_strerror(FEDSTATE_ENODC),
                     "invalid request: missing federation state datacenter");
    ck_assert_str_eq(fedstate_strerror(-103), "timed out"); /* libbase's */
}
END_TEST

Suite *model_suite(void)
{
    Suite *suite = suite_create("model");
    TCase *tc = tcase_create("model");

    tcase_add_loop_test(tc, same_is_every_field_but_indexes, 0,
                        (int)(sizeof(edits) / sizeof(edits[0])));
    tcase_add_test(tc, comparing_changes_neither);
    tcase_add_test(tc, records_with_holes_are_compared_too);
    tcase_add_test(tc, usable_means_exposed_and_not_critical);
    tcase_add_loop_test(tc, addresses_are_taken_in_order, 0,
                        (int)(sizeof(addresses) / sizeof(addresses[0])));
    tcase_add_test(tc, a_port_that_is_none_is_no_address);
    tcase_add_loop_test(tc, names_are_checked, 0,
                        (int)(sizeof(names) / sizeof(names[0])));
    tcase_add_test(tc, gateways_are_checked);
    tcase_add_test(tc, errors_have_words);
    suite_add_tcase(suite, tc);
    return suite;
}
