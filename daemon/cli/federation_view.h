/*
 * Federation states and their gateways, from the API's JSON to tables.
 */
#ifndef CLI_FEDERATION_VIEW_H
#define CLI_FEDERATION_VIEW_H

#include <jansson.h>
#include <stdio.h>

struct table;

/** Where a gateway is on the "lan" or the "wan" side, "" if nowhere; the
 * caller's (base_free). */
char *federation_address_of(const json_t *gateway, const char *side);

/** One row a state. */
void federation_print_states(json_t *states, FILE *to);
/** The record's own fields, then its gateways. */
void federation_print_state(json_t *state, FILE *to);
/** A map from datacenter to gateways, datacenters in order. */
void federation_print_gateways(json_t *map, FILE *to);

#endif
