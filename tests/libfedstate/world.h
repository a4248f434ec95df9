/*
 * A loop in virtual time with a table, and records built in one line.
 */
#ifndef TESTS_FEDSTATE_WORLD_H
#define TESTS_FEDSTATE_WORLD_H

#include <check.h>

#include "base/metrics.h"
#include "base/sim.h"
#include "fedstate/model.h"
#include "fedstate/store.h"

struct world {
    struct base_sim *sim;
    struct base_env *env;
    struct base_metrics *metrics;
    struct fedstate_store *store;
};
void world_open(struct world *world);
void world_close(struct world *world);
void world_run_ms(struct world *world, uint64_t ms);
uint64_t world_now_ms(const struct world *world);
uint64_t world_counter(const struct world *world, const char *name,
                       const char *key, const char *value);

/** A passing gateway that carries the federation: node, and service id
 * "mesh-gateway", with a LAN and a WAN IP (NULL: none) on port 8443. */
Fedstate__CheckServiceNode *make_gateway(const char *node, const char *lan,
                                         const char *wan);
void set_status(Fedstate__CheckServiceNode *gateway, const char *status);
void set_output(Fedstate__CheckServiceNode *gateway, const char *output);
void set_text(char **field, const char *text);

/** A record; takes the gateways over. */
Fedstate__FederationState *make_state(const char *dc, size_t count, ...);
void add_gateway(Fedstate__FederationState *state,
                 Fedstate__CheckServiceNode *gateway);

/** Applies an unconditional upsert and frees the state. */
void put(struct fedstate_store *store, uint64_t index,
         Fedstate__FederationState *state);
/** Applies a delete that replaces whatever stands. */
int drop(struct fedstate_store *store, uint64_t index, const char *dc);

struct base_addr addr_of(const char *text);

#endif
