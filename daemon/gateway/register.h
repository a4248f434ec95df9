/*
 * The gateway as a service of the local agent: registered with its addresses
 * and meta and a check that lives 30 s, told every 10 s what the last test of
 * the gateway (probe.h) came to, and registered again when the agent has
 * forgotten it.
 * Source: federation.md section 11.
 * Threads: the loop.
 */
#ifndef GATEWAY_REGISTER_H
#define GATEWAY_REGISTER_H

#include "gateway/api.h"
#include "gateway/gateway.h"

struct registration;

/** Begins at once, and tries until it works. api and options are borrowed; the
 * rest is what the first test came to. */
struct registration *registration_new(struct api *api,
                                      const struct gateway_options *options,
                                      bool passing, const char *words);
/** Only forgets; the agent's check runs out. */
void registration_free(struct registration *registration);
/** What a later test came to. A change is told at once. */
void registration_set_health(struct registration *registration, bool passing,
                             const char *words);
/** Whether it carries the traffic of servers, if it has to register again. */
void registration_set_exposes(struct registration *registration, bool exposes);
/** The agent was away: ask it now whether it still knows us. */
void registration_refresh(struct registration *registration);
/** The agent has it, and that it works, by its last word. */
bool registration_is_passing(const struct registration *registration);
/** Deregisters; done comes once, from the loop, whatever the agent says. */
void registration_leave(struct registration *registration,
                        void (*done)(void *arg), void *arg);

#endif
