/*
 * A client of the local agent's HTTP API that does not block: each request is a
 * connection of its own on the loop, its answer a status and JSON.
 * Threads: the loop.
 */
#ifndef GATEWAY_API_H
#define GATEWAY_API_H

#include <jansson.h>

#include "base/loop.h"
#include "https/https.h"

struct api;
struct api_call; /* a request under way */

/** What came back; borrowed for the call. */
struct api_reply {
    int status;      /* HTTP's; 0 if there was no answer */
    uint64_t index;  /* X-Consul-Index; 0 if it has none */
    json_t *body;    /* NULL if it is no JSON */
    const char *why; /* for a log: the answer's first line, or why there was no
                        answer; "" for a 200 */
};
typedef void (*api_done_fn)(void *arg, const struct api_reply *reply);

/** from: the local address to ask from, so that a gateway shows the network one
 * address; family 0 or another family than the agent's: any. token may be "".
 * https NULL: plain. It and loop are borrowed, the rest copied. */
struct api *api_new(struct base_loop *loop, const struct base_addr *agent,
                    const struct base_addr *from, const char *token,
                    const struct https *https);
/** Its calls must be over or cancelled. */
void api_free(struct api *api);
struct base_env *api_env(const struct api *api);

/**
 * path begins with "/" and is escaped already; body (borrowed) may be NULL.
 * done comes once, from the loop, unless the call is cancelled; until then the
 * call lives.
 */
struct api_call *api_get(struct api *api, const char *path, int timeout_s,
                         api_done_fn done, void *arg);
struct api_call *api_put(struct api *api, const char *path, const json_t *body,
                         int timeout_s, api_done_fn done, void *arg);
/** done will not come. NULL is fine. */
void api_cancel(struct api_call *call);

/** text as a part of a path or a query; the caller's. */
char *api_escape(const char *text);

#endif
