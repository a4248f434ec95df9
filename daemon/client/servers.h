/*
 * The servers that a client may ask, in the order in which it would: the first
 * is asked until it fails, and goes to the end then. New ones come in at a
 * random place, and now and then another one becomes the first, so that many
 * clients spread over all servers, those that came later too.
 * Threads: the main loop.
 */
#ifndef CLIENT_SERVERS_H
#define CLIENT_SERVERS_H

#include "base/env.h"
#include "server/member.h"

#define SERVERS_MAX 64u /* a datacenter has a handful; more are not asked */

struct known_server {
    char id[64];
    char node[64];
    struct base_addr addr;
};

/** Zero-initialise it, but for env. */
struct servers {
    struct base_env *env;
    struct known_server list[SERVERS_MAX];
    size_t count;
};

/** Adds it, or takes its new name and address. */
void servers_put(struct servers *servers, const struct member_server *server);
/** Of one that is not there it does nothing. */
void servers_remove(struct servers *servers, const char *id);
/** NULL if there is none; borrowed until the list changes. */
const struct known_server *servers_first(const struct servers *servers);
/** It could not be asked: all others come before it. */
void servers_failed(struct servers *servers, const char *id);
/** Another one than the first, at random; NULL if there is none. */
const struct known_server *servers_other(const struct servers *servers);
/** Makes it the first, if it still is there. */
void servers_prefer(struct servers *servers, const char *id);

#endif
