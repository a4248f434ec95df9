/*
 * What stands in the first line of an HTTP request: path and parameters.
 * Property: no path but those of the table finds a row, and what a row finds
 * begins with its path; options are in their bounds.
 * needs: daemon wanfed gossip raft rpc fedstate base
 * covers: daemon/http/web_params.c
 * covers: daemon/http/web_router.c
 * covers: daemon/http/duration.c
 */
#include "fuzz.h"

#include "base/alloc.h"
#include "http/web.h"

static void route(const char *path)
{
    static const enum web_method methods[] = {WEB_GET, WEB_PUT, WEB_POST,
                                              WEB_DELETE, WEB_OTHER};
    size_t count, i;
    const struct web_route *routes = web_routes(&count);

    for (i = 0; i < BASE_COUNT_OF(methods); i++) {
        struct web_match match =
            web_router_find(routes, count, methods[i], path);
        size_t len;

        FUZZ_REQUIRE(match.allowed < 16);
        FUZZ_REQUIRE(strlen(web_router_allow(match.allowed)) > 0 ||
                     match.allowed == 0);
        if (match.route == NULL)
            continue;
        len = strlen(match.route->path);
        FUZZ_REQUIRE(strncmp(path, match.route->path, len - 1) == 0);
        FUZZ_REQUIRE(match.tail >= path &&
                     match.tail <= path + strlen(path));
    }
}

static void take_params(const char *query)
{
    struct web_params params = {0};
    struct web_options options;
    const char *why = NULL;
    bool flag;

    if (web_params_parse(&params, query, &why) != 0) {
        FUZZ_REQUIRE(why != NULL);
    } else if (web_options_parse(&options, &params, &why) == 0) {
        FUZZ_REQUIRE(options.wait_ms <= WEB_WAIT_MAX_MS);
        FUZZ_REQUIRE(params.count <= WEB_PARAMS_MAX);
        (void)web_param_bool(&params, "passing", &flag);
    } else {
        FUZZ_REQUIRE(why != NULL);
    }
    web_params_close(&params);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *path = base_strndup((const char *)data, len);
    char *query = strchr(path, '?');
    char *name;

    if (query)
        *query++ = '\0';
    route(path);
    take_params(query);
    name = web_unescape(path, strlen(path), false);
    if (name)
        FUZZ_REQUIRE(strlen(name) <= strlen(path));
    base_free(name);
    base_free(path);
    return 0;
}
