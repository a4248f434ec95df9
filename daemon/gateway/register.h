/*
 * The gateway as a service of the local agent: registered with its addresses,
 * meta and a check that lives 30 s, kept passing while this loop turns, and
 * registered again whenever the agent has forgotten it.
 * Source: federation.md section 11.
 * Threads: the loop.
 */
#ifndef GATEWAY_REGISTER_H
#define GATEWAY_REGISTER_H

#include "gateway/api.h"
#include "gateway/gateway.h"

struct registration;

/** Begins at once, and tries until it works. Both are borrowed. */
struct registration *registration_new(struct api *api,
                                      const struct gateway_options *options);
/** Only forgets; the agent's check runs out. */
void registration_free(struct registration *registration);
/** The agent was away: ask it now whether it still knows us. */
void registration_refresh(struct registration *registration);
bool registration_is_made(const struct registration *registration);
/** Deregisters; done comes once, from the loop, whatever the agent says. */
void registration_leave(struct registration *registration,
                        void (*done)(void *arg), void *arg);

#endif
