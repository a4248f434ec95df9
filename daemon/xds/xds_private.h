/*
 * The parts of xDS: nodes and what they have (node.c), questions and answers
 * (wait.c), the table of nodes (xds.c).
 */
#ifndef XDS_PRIVATE_H
#define XDS_PRIVATE_H

#include <sys/queue.h>
#include <uthash.h>

#include "base/buf.h"
#include "xds/feed.h"
#include "xds/xds.h"

#define XDS_DIGEST_TEXT 17 /* the first 64 bits of a SHA-256, in hex */

/** What one asker follows: a type, and names or all. */
struct xds_sub {
    UT_hash_handle hh;
    char *key;
    enum xds_type type;
    char **names; /* NULL: all */
    size_t name_count;
    char sent[XDS_DIGEST_TEXT];           /* the last; "" before */
    char base[XDS_VERSION_BYTES_MAX + 1]; /* the version that was asked with */
    char rejected[XDS_DIGEST_TEXT];       /* not offered again too soon */
};

struct xds_wait {
    LIST_ENTRY(xds_wait) link;
    struct xds_node *node;
    struct xds_sub *sub;
    char version[XDS_VERSION_BYTES_MAX + 1];
    uint64_t deadline_ms;
    struct base_timer due;
    xds_done_fn done;
    void *arg;
};

struct xds_names {
    char **items; /* sorted */
    size_t count;
};

struct xds_node {
    UT_hash_handle hh;
    struct xds *xds;
    char *key; /* a secret: the token is in it */
    size_t key_len;
    char *id, *token;
    struct base_addr listen[XDS_LISTENERS_MAX];
    struct xds_feed *feed;
    struct xds_resources resources[XDS_TYPES];
    bool has[XDS_TYPES];    /* there is something to offer, if nothing at all */
    struct xds_names sent;  /* clusters that were sent last, */
    struct xds_names taken; /* and those that were taken */
    struct xds_sub *subs;
    LIST_HEAD(, xds_wait) waits;
    size_t wait_count;
    struct base_timer forget; /* runs while nobody waits */
};

struct xds {
    struct xds_config config;
    struct base_log log;
    struct base_log_limit log_limit;
    struct base_timer look; /* the agent's services changed */
    struct xds_node *nodes; /* by key */
    size_t wait_count;
    uint64_t nonces;
    struct base_gauge *nodes_gauge, *waiting_gauge;
};

/* xds.c */
void xds_count(struct xds *xds, const char *name, const char *key,
               const char *value);
void xds_node_free(struct xds_node *node);

/* node.c */
/** Makes what it has anew from its feed, as far as it may be offered. */
void xds_node_renew(struct xds_node *node);
/** It has these clusters now, for sure. */
void xds_node_took(struct xds_node *node, struct xds_names *names);
struct xds_names xds_names_of(const struct xds_resources *resources);
void xds_names_close(struct xds_names *names);
/** NULL if there is no room for another. */
struct xds_sub *xds_sub_of(struct xds_node *node,
                           const struct xds_request *request);
void xds_subs_close(struct xds_node *node);
/** The digest of what a sub is offered now; with body, the texts too, with
 * commas between them. */
void xds_sub_digest(const struct xds_node *node, const struct xds_sub *sub,
                    char digest[XDS_DIGEST_TEXT], struct base_buf *body);
const char *xds_type_word(enum xds_type type);

/* wait.c */
/** What it has changed: those who wait for that are told, soon. */
void xds_node_wake(struct xds_node *node);
/** The version fits (XDS_VERSION_BYTES_MAX). */
struct xds_wait *xds_wait_new(struct xds_node *node, struct xds_sub *sub,
                              const char *version, xds_done_fn done, void *arg);
void xds_wait_free(struct xds_wait *wait);

#endif
