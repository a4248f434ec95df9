/* From flags to what Envoy begins with. */
#include "cli/gateway_bootstrap.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "xds/bootstrap.h"

/* Envoy may run in another folder. A file that is not there keeps its name. */
static char *absolute(const char *path)
{
    char *real = path ? realpath(path, NULL) : NULL;
    char *copy = base_strdup(real ? real : path);

    free(real);
    return copy;
}

int gateway_bootstrap_print(const struct gateway_options *options,
                            const struct http_target *target,
                            const struct http_options *http)
{
    struct https_config https = http_tls_of(http);
    char *files[] = {absolute(https.ca_file), absolute(https.cert_file),
                     absolute(https.key_file)};
    struct xds_bootstrap input = {
        .service_id = options->service_id,
        .service = options->service,
        .token = options->token,
        .bind = {options->address, gateway_has_wan_bind(options)
                                       ? options->wan_bind
                                       : (struct base_addr){0}},
        .admin = options->admin_addr,
        .agent = options->http_addr,
        .https = target->https ? &https : NULL,
    };
    json_t *json;
    size_t i;
    int rv;

    https.ca_file = files[0];
    https.cert_file = files[1];
    https.key_file = files[2];
    if (https.server_name == NULL)
        https.server_name = target->host;
    json = xds_bootstrap_json(&input);
    rv = json_dumpf(json, stdout, JSON_INDENT(2));
    json_decref(json);
    for (i = 0; i < BASE_COUNT_OF(files); i++)
        base_free(files[i]);
    return rv != 0 || puts("") == EOF || fflush(stdout) != 0;
}
