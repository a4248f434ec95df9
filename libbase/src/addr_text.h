/*
 * The two steps that addresses and targets share: cutting "host:port" and
 * reading a port.
 */
#ifndef LIBBASE_ADDR_TEXT_H
#define LIBBASE_ADDR_TEXT_H

#include "base/addr.h"

/** One to five digits up to 65535; BASE_EPARSE otherwise. */
int addr_parse_port(const char *text, uint16_t *out);
/** Cuts "host", "host:port", "[v6]", "[v6]:port" or bare "v6" (two colons or
 * more). *port points into text, NULL if there is none. */
int addr_split(const char *text, char host[BASE_HOST_MAX], const char **port);

#endif
