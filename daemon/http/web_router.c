#include "http/web_router.h"

#include <string.h>

/* The name at the end of path if the row fits, else NULL. */
static const char *fit(const struct web_route *route, const char *path)
{
    size_t len = strlen(route->path);

    if (route->path[len - 1] != '/')
        return strcmp(route->path, path) == 0 ? path + len : NULL;
    if (strncmp(route->path, path, len) == 0)
        return path + len;
    /* "/v1/health/node" is "/v1/health/node/" with its name forgotten. */
    if (strlen(path) == len - 1 && strncmp(route->path, path, len - 1) == 0)
        return path + len - 1;
    return NULL;
}

static bool takes(const struct web_route *route, enum web_method method)
{
    return route->method == method ||
           (route->method == WEB_PUT_OR_GET &&
            (method == WEB_PUT || method == WEB_GET));
}

struct web_match web_router_find(const struct web_route *routes, size_t count,
                                 enum web_method method, const char *path)
{
    struct web_match match = {NULL, NULL, 0};
    size_t i;

    for (i = 0; i < count; i++) {
        const char *tail = fit(&routes[i], path);

        if (tail == NULL)
            continue;
        match.allowed |= routes[i].method & 15;
        if (takes(&routes[i], method) && match.route == NULL) {
            match.route = &routes[i];
            match.tail = tail;
        }
    }
    return match;
}

const char *web_router_allow(unsigned allowed)
{
    static const char *const words[] = {
        "",
        "GET",
        "PUT",
        "GET,PUT",
        "POST",
        "GET,POST",
        "PUT,POST",
        "GET,PUT,POST",
        "DELETE",
        "GET,DELETE",
        "PUT,DELETE",
        "GET,PUT,DELETE",
        "POST,DELETE",
        "GET,POST,DELETE",
        "PUT,POST,DELETE",
        "GET,PUT,POST,DELETE",
    };

    return words[allowed & 15];
}
