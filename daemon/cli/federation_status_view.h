/*
 * The answer of `isthmus federation status`: one row a datacenter, as the agent
 * that was asked sees it, with what that datacenter's leader says of itself.
 */
#ifndef CLI_FEDERATION_STATUS_VIEW_H
#define CLI_FEDERATION_STATUS_VIEW_H

#include <jansson.h>
#include <stdio.h>

/** Two tables: the datacenters, and what the retry engines do. */
void federation_print_status(const json_t *status, FILE *to);

#endif
