/*
 * Knocks at a door to see who answers: dials, says a TLS hello with a server's
 * name, and looks at the certificate that comes back. Then it goes, before the
 * handshake ends: it has no certificate to show, and wants nothing.
 *
 * The chain is not checked. The question is whether the way leads to that
 * server; whom to trust the servers decide, end to end.
 * Threads: the loop.
 */
#ifndef GATEWAY_KNOCK_H
#define GATEWAY_KNOCK_H

#include "base/net.h"

struct knocker; /* what all knocks share */
struct knock;

enum knock_result {
    KNOCK_ANSWERED,
    KNOCK_NO_CONNECTION, /* not even that */
    KNOCK_NO_ANSWER      /* connected; but no certificate came, or another's */
};

struct knock_config {
    struct base_net *net;
    struct base_addr to;
    struct base_addr from;  /* family 0 or another than to's: any */
    const char *name;       /* copied; NULL: to be connected is enough */
    uint32_t timeout_ms;    /* for all of it */
    /** Comes once, from the loop, unless freed before; the knock is over then.
     * why is for a log, "" if answered. */
    void (*done)(void *arg, enum knock_result result, const char *why);
    void *arg;
};

struct knocker *knocker_new(void);
/** After its knocks are over. */
void knocker_free(struct knocker *knocker);

struct knock *knock_start(struct knocker *knocker,
                          const struct knock_config *config);
/** done will not come. NULL is fine. */
void knock_free(struct knock *knock);

#endif
