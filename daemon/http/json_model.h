/*
 * Records of the catalog and of the federation as JSON, with Consul's names of
 * fields. Lists and maps are never null.
 * Threads: any; pure. Every function gives a new reference.
 */
#ifndef HTTP_JSON_MODEL_H
#define HTTP_JSON_MODEL_H

#include <jansson.h>

#include "fedstate/fedstate.pb-c.h"

json_t *json_from_pairs(Fedstate__Pair *const *pairs, size_t count);
json_t *json_from_texts(char *const *texts, size_t count);
/** {"lan": {"Address": ..., "Port": ...}, ...} */
json_t *json_from_tagged(Fedstate__TaggedAddress *const *tagged, size_t count);
/** NULL is null. */
json_t *json_from_node(const Fedstate__Node *node);
json_t *json_from_service(const Fedstate__Service *service);
/** The tags of its service are not in the record: service may be NULL. */
json_t *json_from_check(const Fedstate__Check *check,
                        const Fedstate__Service *service);
/** {"Node", "Service", "Checks"} */
json_t *json_from_instance(const Fedstate__CheckServiceNode *instance);
json_t *json_from_instances(Fedstate__CheckServiceNode *const *instances,
                            size_t count);
/** A row of /v1/catalog/service: node and service in one flat object. */
json_t *json_from_catalog_row(const Fedstate__CheckServiceNode *instance);
json_t *json_from_state(const Fedstate__FederationState *state);
/** RFC 3339 in UTC, with as many digits of a second as there are. */
json_t *json_from_time(int64_t wall_ns);

#endif
