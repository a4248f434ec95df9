/*
 * From a method and a path to a handler: a table, one row a path. A path that
 * ends in "/" takes a name: all that follows.
 * Threads: any; pure.
 */
#ifndef HTTP_WEB_ROUTER_H
#define HTTP_WEB_ROUTER_H

#include <stdbool.h>
#include <stddef.h>

#include "acl/acl.h"

struct web_request;
typedef void (*web_handler)(struct web_request *request);

enum web_method {
    WEB_GET = 1,
    WEB_PUT = 2,
    WEB_POST = 4,
    WEB_DELETE = 8,
    WEB_OTHER = 16,
    /** A row's alone: a PUT that Consul took by any method before 1.0, and that
     * clients of that time send as GET. */
    WEB_PUT_OR_GET = WEB_PUT | 32
};

struct web_route {
    enum web_method method;
    const char *path;
    const char *name; /* what the name names, for "Missing ... name" */
    web_handler handle;
    enum acl_resource resource; /* ACL_PUBLIC: nothing is asked for here */
    enum acl_access access;
};

struct web_match {
    const struct web_route *route; /* NULL: see allowed */
    const char *tail;              /* of the path: the name, still escaped */
    unsigned allowed;              /* methods of that path; 0: no such path */
};
/** path is as the client wrote it, without the query. */
struct web_match web_router_find(const struct web_route *routes, size_t count,
                                 enum web_method method, const char *path);
/** "GET", "GET,PUT" and so on, for the header Allow. */
const char *web_router_allow(unsigned allowed);

#endif
