/*
 * What Envoy needs to begin: who it is, where its agent is, and that all else
 * comes from there. Threads: any; pure.
 */
#ifndef XDS_BOOTSTRAP_H
#define XDS_BOOTSTRAP_H

#include <jansson.h>

#include "base/addr.h"
#include "https/https.h"

/** All borrowed for the call. */
struct xds_bootstrap {
    const char *service_id;   /* which gateway of the agent's it is */
    const char *service;      /* its name */
    const char *token;        /* "" if none */
    struct base_addr bind[2]; /* where it listens; family 0: unused */
    struct base_addr admin;   /* of its own page; family 0: none */
    struct base_addr agent;   /* the agent's HTTP API */
    const struct https_config *https; /* files as Envoy finds them, and the
                                         name to expect; NULL: plain HTTP */
};

/** A new reference. */
json_t *xds_bootstrap_json(const struct xds_bootstrap *input);

#endif
