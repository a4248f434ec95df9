/*
 * One form for all records that mean the same, so that comparing is comparing
 * bytes: a field that the model gains later is compared without being named.
 */
#ifndef FEDSTATE_CANONICAL_H
#define FEDSTATE_CANONICAL_H

#include <stdbool.h>

#include "base/buf.h"
#include "fedstate/fedstate.pb-c.h"

/** Appends datacenter and gateways, packed: gateways by node and service id,
 * checks by id, maps by key, no indexes, and no outputs if they are ignored. */
void fedstate_canonical(const Fedstate__FederationState *state,
                        bool ignore_output, struct base_buf *out);

#endif
