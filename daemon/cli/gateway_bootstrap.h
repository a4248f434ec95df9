/*
 * isthmus gateway -envoy -bootstrap: what Envoy begins with, on standard
 * output.
 */
#ifndef CLI_GATEWAY_BOOTSTRAP_H
#define CLI_GATEWAY_BOOTSTRAP_H

#include "cli/http_client.h"
#include "gateway/gateway.h"

/** Returns the process's exit code. */
int gateway_bootstrap_print(const struct gateway_options *options,
                            const struct http_target *target,
                            const struct http_options *http);

#endif
