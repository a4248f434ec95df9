/*
 * The route table as the configuration of another proxy: HAProxy or nginx. A
 * complete file, for a human to read as well. The same table gives the same
 * text, so that a text that differs is a change.
 *
 * What both do, as the built-in gateway does: read the server name of the TLS
 * hello within 5 s, pass the connection on by it, unopened, hello first, to the
 * target with the fewest connections, to another if one does not answer; and
 * refuse every other name, and what is no TLS.
 * Source: federation.md section 11.
 * Threads: any; pure functions.
 */
#ifndef GATEWAY_RENDER_H
#define GATEWAY_RENDER_H

#include "base/buf.h"
#include "gateway/routes.h"

#define RENDER_LISTENERS_MAX 2

struct render_input {
    const struct routes *routes; /* NULL: none */
    struct base_addr listen[RENDER_LISTENERS_MAX]; /* family 0: not used */
    struct base_addr from_lan; /* local address of dials to local servers */
    struct base_addr from_wan; /* and to other datacenters' gateways */
    /* Where the file will lie, absolute: the proxy's own files (process id,
     * control socket) lie beside it. NULL: it is only printed, and has none. */
    const char *path;
};

typedef char *(*render_fn)(const struct render_input *input);

/** The caller's text (base_free). */
char *render_haproxy(const struct render_input *input);
char *render_nginx(const struct render_input *input);

/* ---- for the renderers ---- */

/** The opening comment, with the first address for a name. */
void render_begin(struct base_buf *text, const struct render_input *input);
/** What a row is called as a group of targets: its pattern, with "_" for "*".
 * Nothing else can have that name: a node's row is of this datacenter, a
 * wildcard of another. */
void render_group(struct base_buf *text, const struct route *row);
/** The pattern as a regular expression; "*" is one label. */
void render_regex(struct base_buf *text, const char *pattern);
/** The address to dial a target from; NULL: any. */
const struct base_addr *render_source(const struct render_input *input,
                                      const struct route *row,
                                      const struct base_addr *to);

#endif
