/*
 * The choice of an address to advertise, apart from the host that has them, so
 * that tests can choose among made-up ones.
 */
#ifndef AGENT_CONFIG_ADDRESS_H
#define AGENT_CONFIG_ADDRESS_H

#include "agent/config.h"

/** Of the candidates of a family (4 or 6): a private one, else a public one,
 * else loopback. BASE_EEXIST if the best kind has several, BASE_ENOTFOUND if
 * there is none. */
int config_choose_address(const struct base_addr *candidates, size_t count,
                          uint8_t family, struct base_addr *out);

#endif
