/* See world.h. */
#include "world.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/pb.h"

void world_open(struct world *world)
{
    struct base_addr addr = {.family = 4, .ip = {127, 0, 0, 1}};

    world->sim = base_sim_new(1);
    world->env = base_sim_host_env(
        base_sim_host_new(world->sim, "server", &addr, 1), "main");
    world->metrics = base_metrics_new();
    world->env->metrics = world->metrics;
    world->store = fedstate_store_new(world->env);
}

void world_close(struct world *world)
{
    fedstate_store_free(world->store);
    base_sim_free(world->sim);
    base_metrics_free(world->metrics);
}

void world_run_ms(struct world *world, uint64_t ms)
{
    base_sim_run_for_ms(world->sim, ms);
}

uint64_t world_now_ms(const struct world *world)
{
    return base_sim_now_ns(world->sim) / 1000000u;
}

uint64_t world_counter(const struct world *world, const char *name,
                       const char *key, const char *value)
{
    return base_counter_value(
        base_metrics_counter(world->metrics, name, key, value));
}

static char *word(const char *text)
{
    char *copy;

    if (text == NULL || text[0] == '\0')
        return (char *)(uintptr_t)protobuf_c_empty_string;
    copy = malloc(strlen(text) + 1);
    strcpy(copy, text);
    return copy;
}

void set_text(char **field, const char *text)
{
    if (*field != protobuf_c_empty_string)
        free(*field);
    *field = word(text);
}

static Fedstate__TaggedAddress *tagged(const char *tag, const char *ip)
{
    Fedstate__TaggedAddress *address = malloc(sizeof(*address));

    fedstate__tagged_address__init(address);
    address->tag = word(tag);
    address->address = malloc(sizeof(*address->address));
    fedstate__service_address__init(address->address);
    address->address->address = word(ip);
    address->address->port = 8443;
    return address;
}

static Fedstate__Pair *pair(const char *key, const char *value)
{
    Fedstate__Pair *made = malloc(sizeof(*made));

    fedstate__pair__init(made);
    made->key = word(key);
    made->value = word(value);
    return made;
}

static Fedstate__Service *make_service(const char *lan, const char *wan)
{
    Fedstate__Service *service = malloc(sizeof(*service));

    fedstate__service__init(service);
    service->kind = word(FEDSTATE_KIND_GATEWAY);
    service->id = word("mesh-gateway");
    service->service = word("mesh-gateway");
    service->port = 8443;
    service->tagged_addresses = malloc(2 * sizeof(void *));
    if (lan != NULL)
        service->tagged_addresses[service->n_tagged_addresses++] =
            tagged("lan", lan);
    if (wan != NULL)
        service->tagged_addresses[service->n_tagged_addresses++] =
            tagged("wan", wan);
    service->meta = malloc(sizeof(void *));
    service->meta[service->n_meta++] = pair(FEDSTATE_META_FEDERATION, "1");
    return service;
}

static Fedstate__Check *make_check(const char *node)
{
    Fedstate__Check *check = malloc(sizeof(*check));

    fedstate__check__init(check);
    check->node = word(node);
    check->check_id = word("alive");
    check->status = word("passing");
    return check;
}

Fedstate__CheckServiceNode *make_gateway(const char *node, const char *lan,
                                         const char *wan)
{
    Fedstate__CheckServiceNode *gateway = malloc(sizeof(*gateway));

    fedstate__check_service_node__init(gateway);
    gateway->node = malloc(sizeof(*gateway->node));
    fedstate__node__init(gateway->node);
    gateway->node->node = word(node);
    gateway->service = make_service(lan, wan);
    gateway->checks = malloc(sizeof(void *));
    gateway->checks[gateway->n_checks++] = make_check(node);
    return gateway;
}

void set_status(Fedstate__CheckServiceNode *gateway, const char *status)
{
    set_text(&gateway->checks[0]->status, status);
}

void set_output(Fedstate__CheckServiceNode *gateway, const char *output)
{
    set_text(&gateway->checks[0]->output, output);
}

void add_gateway(Fedstate__FederationState *state,
                 Fedstate__CheckServiceNode *gateway)
{
    state->mesh_gateways = realloc(
        state->mesh_gateways, (state->n_mesh_gateways + 1) * sizeof(void *));
    state->mesh_gateways[state->n_mesh_gateways++] = gateway;
}

Fedstate__FederationState *make_state(const char *dc, size_t count, ...)
{
    Fedstate__FederationState *state = malloc(sizeof(*state));
    va_list gateways;
    size_t i;

    fedstate__federation_state__init(state);
    state->datacenter = word(dc);
    va_start(gateways, count);
    for (i = 0; i < count; i++)
        add_gateway(state, va_arg(gateways, Fedstate__CheckServiceNode *));
    va_end(gateways);
    return state;
}

void put(struct fedstate_store *store, uint64_t index,
         Fedstate__FederationState *state)
{
    Fedstate__Change change = FEDSTATE__CHANGE__INIT;

    change.op = FEDSTATE__CHANGE__OP__UPSERT;
    change.state = state;
    change.unconditional = true;
    ck_assert_int_eq(fedstate_store_apply(store, index, &change), 0);
    base_pb_free(state);
}

int drop(struct fedstate_store *store, uint64_t index, const char *dc)
{
    Fedstate__Change change = FEDSTATE__CHANGE__INIT;
    Fedstate__FederationState *state = make_state(dc, 0);
    int rv;

    change.op = FEDSTATE__CHANGE__OP__DELETE;
    change.state = state;
    change.unconditional = true;
    rv = fedstate_store_apply(store, index, &change);
    base_pb_free(state);
    return rv;
}

struct base_addr addr_of(const char *text)
{
    struct base_addr addr;

    ck_assert_int_eq(base_addr_parse(&addr, text, 0), 0);
    return addr;
}
