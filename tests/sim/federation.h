/*
 * Whole federations in virtual time: the real server composition (daemon/server
 * and the joins of daemon/agent) and the real gateway proxy, on simulated hosts.
 * Datacenters share no path but their gateways: a packet between two of them
 * with a gateway at neither end is a violation, counted and cut.
 *
 *     struct federation *f = federation_new(seed);
 *     federation_add(f, "dc1", 3);
 *     federation_add(f, "dc2", 1);
 *     federation_start(f);
 *     federation_until(f, federation_is_whole, f, 60000)
 */
#ifndef SIM_FEDERATION_H
#define SIM_FEDERATION_H

#include "base/sim.h"
#include "server/server.h"

#define FEDERATION_DCS_MAX 8
#define FEDERATION_SERVERS_MAX 7

struct federation;
struct sim_server;
struct sim_gateway;

struct federation *federation_new(uint64_t seed);
/** Also writes the event log there; call it before federation_start(). */
void federation_log(struct federation *federation, FILE *file);
void federation_free(struct federation *federation);
struct base_sim *federation_world(struct federation *federation);

/** A datacenter with its servers (bootstrap_expect is their number) and one
 * gateway. The first one added is the primary. */
void federation_add(struct federation *federation, const char *dc,
                    size_t server_count);
/** Boots everything. */
void federation_start(struct federation *federation);

struct sim_server *federation_server(struct federation *federation,
                                     const char *dc, size_t number);
/** NULL while it is down. */
struct server *sim_server_server(struct sim_server *server);
/** Power off: memory is gone, what was durable stays. */
void sim_server_crash(struct sim_server *server);
void sim_server_boot(struct sim_server *server);

/** The datacenter's gateway is switched off, or on again at an address that it
 * never had. */
void federation_gateway_off(struct federation *federation, const char *dc);
void federation_gateway_on(struct federation *federation, const char *dc);

/** Cuts off, or joins again, one server from its own datacenter's others
 * (gateways too). */
void sim_server_cut(struct sim_server *server, bool is_cut);

/** Asks a running server for the nodes of a datacenter, as its users do; the
 * answer is counted by federation_answers() once it came. */
void federation_read(struct federation *federation, struct sim_server *asked,
                     const char *dc);
/** Reads that were answered with at least one node, and those that failed. */
uint64_t federation_answers(const struct federation *federation);
uint64_t federation_failures(const struct federation *federation);

/** Every running server sees every running server of all datacenters alive in
 * the WAN pool, and every datacenter's leader holds one state a datacenter
 * with that datacenter's present gateway. */
bool federation_is_whole(void *federation);
/** The server that leads a datacenter, NULL if none or two. */
struct sim_server *federation_leader(struct federation *federation,
                                     const char *dc);
/** Clusters that live in a datacenter: distinct cluster ids of its servers. */
size_t federation_clusters(struct federation *federation, const char *dc);
bool federation_until(struct federation *federation, bool (*done)(void *arg),
                      void *arg, uint64_t within_ms);
/** Packets, dials and streams between datacenters past the gateways. */
uint64_t federation_violations(const struct federation *federation);

#endif
