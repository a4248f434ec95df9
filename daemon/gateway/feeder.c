/* What differs between the proxies is a row of a table: how to render for it,
 * and how it checks a file. */
#include "gateway/feeder.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/alloc.h"
#include "gateway/publish.h"
#include "gateway/render.h"

static const struct {
    render_fn render;
    const char *checker[PUBLISHER_CHECKER_WORDS_MAX]; /* ends with NULL */
} kinds[] = {
    [GATEWAY_HAPROXY] = {render_haproxy, {"haproxy", "-q", "-c", "-f"}},
    [GATEWAY_NGINX] = {render_nginx, {"nginx", "-q", "-t", "-c"}},
};

struct feeder {
    struct feeder_config config;
    struct routes *routes;
    char *path; /* absolute; NULL: print */
    char *socket; /* HAProxy's; NULL: the proxy has none */
    const char *checker[PUBLISHER_CHECKER_WORDS_MAX];
    struct publisher *publisher;
};

static char *absolute(const char *path)
{
    char cwd[PATH_MAX];

    if (path == NULL)
        return NULL;
    if (*path == '/' || getcwd(cwd, sizeof(cwd)) == NULL)
        return base_strdup(path);
    return base_asprintf("%s/%s", cwd, path);
}

static char *render(const struct feeder *feeder)
{
    const struct gateway_options *options = feeder->config.options;
    bool both = gateway_has_wan_bind(options);
    struct render_input input = {
        .routes = feeder->routes,
        .listen = {options->address,
                   both ? options->wan_bind : (struct base_addr){0}},
        .from_lan = options->address,
        .from_wan = both ? options->wan_bind : options->address,
        .path = feeder->path,
    };

    return kinds[options->kind].render(&input);
}

void feeder_set_routes(struct feeder *feeder, struct routes *routes)
{
    char *text;

    routes_free(feeder->routes);
    feeder->routes = routes;
    text = render(feeder);
    if (feeder->publisher != NULL) {
        publisher_set(feeder->publisher, text);
        return;
    }
    fputs(text, stdout);
    fflush(stdout);
    base_free(text);
    feeder->config.on_over(feeder->config.arg);
}

const struct routes *feeder_routes(const struct feeder *feeder)
{
    return feeder->routes;
}

static void on_placed(void *arg)
{
    struct feeder *feeder = arg;

    if (feeder->config.options->watch)
        feeder->config.on_placed(feeder->config.arg);
    else
        feeder->config.on_over(feeder->config.arg);
}

static void make_publisher(struct feeder *feeder)
{
    const struct gateway_options *options = feeder->config.options;
    struct publisher_config config = {
        .loop = feeder->config.loop,
        .path = feeder->path,
        .checker = feeder->checker,
        .reload_command = options->reload_command,
        .socket = feeder->socket,
        .on_placed = on_placed,
        .arg = feeder,
    };
    size_t i;

    for (i = 0; kinds[options->kind].checker[i] != NULL; i++)
        feeder->checker[i] = kinds[options->kind].checker[i];
    config.checker_count = i;
    if (options->proxy_binary != NULL)
        feeder->checker[0] = options->proxy_binary;
    feeder->publisher = publisher_new(&config);
}

struct feeder *feeder_new(const struct feeder_config *config)
{
    struct feeder *feeder;

    BASE_NEW(feeder);
    feeder->config = *config;
    feeder->path = absolute(config->options->config_out);
    if (feeder->path != NULL && config->options->kind == GATEWAY_HAPROXY)
        feeder->socket = base_asprintf("%s.sock", feeder->path);
    if (feeder->path != NULL)
        make_publisher(feeder);
    return feeder;
}

void feeder_free(struct feeder *feeder)
{
    if (feeder == NULL)
        return;
    publisher_free(feeder->publisher);
    routes_free(feeder->routes);
    base_free(feeder->path);
    base_free(feeder->socket);
    base_free(feeder);
}
