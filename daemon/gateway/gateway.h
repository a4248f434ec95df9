/*
 * A mesh gateway: a TCP proxy that reads the server name of a TLS hello and
 * passes the bytes on, untouched. It is the built-in one, or another that is
 * fed with configurations (feeder.h); either way it is registered with the
 * agent and follows its routes (federation.md section 11).
 */
#ifndef GATEWAY_GATEWAY_H
#define GATEWAY_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/log.h"

struct gateway_meta {
    const char *key;
    const char *value;
};

/** Envoy gets its routes from the agent itself: it is only registered. */
enum gateway_kind {
    GATEWAY_BUILT_IN,
    GATEWAY_HAPROXY,
    GATEWAY_NGINX,
    GATEWAY_ENVOY
};

/** What the command line says. Strings are borrowed for the run. */
struct gateway_options {
    enum gateway_kind kind;
    struct base_addr http_addr;    /* the local agent's API, with its port */
    const char *token;             /* access token for it; "" if none */
    const struct https *https;     /* how to reach it; NULL: plain HTTP */
    struct base_addr address;      /* LAN: where it listens, and is registered */
    struct base_addr wan_address;  /* registered; family 0 if not given */
    struct base_addr wan_bind;     /* a second listener; family 0 if none */
    struct base_addr admin_addr;   /* its window (admin.h); family 0 if none */
    const char *service;           /* "mesh-gateway" */
    const char *service_id;        /* service if not given */
    bool expose_servers;           /* meta consul-wan-federation=1 */
    bool do_register;              /* false: only follows routes */
    const struct gateway_meta *meta; /* further service meta */
    size_t meta_count;
    enum base_log_level log_level;
    bool log_json;
    /* Of the built-in one. */
    uint32_t workers;       /* threads; 0: one a processor */
    uint32_t drain_s;       /* what stands at the end has so long */
    const char *access_log; /* a file; NULL: none */
    /* PROXY protocol: from these sources, to these targets. */
    struct base_cidr *header_from, *header_to;
    size_t header_from_count, header_to_count;
    /* Not of the built-in one. */
    bool watch;                 /* false: one configuration, then the end */
    const char *config_out;     /* the file; NULL: print it */
    const char *reload_command; /* after each new file; NULL: none */
    const char *proxy_binary;   /* that checks the file; NULL: on the PATH */
};

/** The WAN side is an address of its own, to listen on and to dial from. */
static inline bool gateway_has_wan_bind(const struct gateway_options *options)
{
    return options->wan_bind.family != 0 &&
           !base_addr_equal(&options->wan_bind, &options->address);
}

/** Runs until a signal, then deregisters. Returns the process's exit code. */
int gateway_run(const struct gateway_options *options);

#endif
