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

#define FEDERATION_DCS_MAX 250
#define FEDERATION_SERVERS_MAX 7

struct federation;
struct sim_server;
struct sim_gateway;
struct joins;

struct federation *federation_new(uint64_t seed);
/** Also writes the event log there; call it before federation_start(). */
void federation_log(struct federation *federation, FILE *file);
void federation_free(struct federation *federation);
struct base_sim *federation_world(struct federation *federation);

/** A datacenter with its servers (bootstrap_expect is their number) and one
 * gateway. The first one added is the primary. */
void federation_add(struct federation *federation, const char *dc,
                    size_t server_count);
/** One way between two datacenters, uniform; 5 to 10 ms at first. */
void federation_wan_delay(struct federation *federation, uint32_t min_us,
                          uint32_t max_us);
/** Boots everything. */
void federation_start(struct federation *federation);

struct sim_server *federation_server(struct federation *federation,
                                     const char *dc, size_t number);
/** NULL while it is down. */
struct server *sim_server_server(struct sim_server *server);
/** Power off: memory is gone, what was durable stays. */
void sim_server_crash(struct sim_server *server);
void sim_server_boot(struct sim_server *server);

/** A new start: the disk is empty and the node has another id. Only while it
 * is down. */
void sim_server_wipe(struct sim_server *server);
/** Its wall clock jumps. */
void sim_server_shift_clock(struct sim_server *server, int64_t shift_ms);
/** Its retry engines; NULL while it is down. */
struct joins *sim_server_joins(struct sim_server *server);
/** Packets, dials and writes between it and gateways of other datacenters: the
 * direct path to the primary. */
uint64_t sim_server_direct(const struct sim_server *server);
/** How a server sees another one in the WAN pool; -1 if not at all. */
int sim_server_sees(const struct sim_server *server,
                    const struct sim_server *of);

/** All of the datacenter's gateways are switched off and deregistered; one is
 * added at an address that none ever had. */
void federation_gateway_off(struct federation *federation, const char *dc);
void federation_gateway_on(struct federation *federation, const char *dc);
/** One more gateway, at an address that none ever had. */
struct sim_gateway *federation_gateway_add(struct federation *federation,
                                           const char *dc);
/** Switched off and deregistered; frees it. */
void federation_gateway_remove(struct sim_gateway *gateway);
/** Its cable is pulled: no peer is told, and the catalog still has it. */
void sim_gateway_unplug(struct sim_gateway *gateway);
/** What stands at its addresses from now on instead of the proxy: something
 * that resets each connection, or accepts and never says a word. */
enum sim_gateway_fault { SIM_GATEWAY_RESETS, SIM_GATEWAY_HOLDS };
void sim_gateway_break(struct sim_gateway *gateway,
                       enum sim_gateway_fault fault);
/** The name of the primary's gateways: whether it follows them by itself (as
 * it does at first); off leaves it as it is. On again looks at once. */
void federation_dns_follows(struct federation *federation, bool on);

/** disable_primary_gateway_fallback of a datacenter's servers, from their next
 * boot. */
void federation_never_direct(struct federation *federation, const char *dc);
/** Its servers take another datacenter for the primary (a constant). */
void federation_mistakes_primary(struct federation *federation, const char *dc,
                                 const char *primary);
/** It bears another one's name: two datacenters with one name. Before the
 * start; by the old name it is not found any more. */
void federation_takes_name(struct federation *federation, const char *dc,
                           const char *name);
/** The last error of the replication that a datacenter's leader runs. */
int federation_replication_error(struct federation *federation,
                                 const char *dc);
/** Its servers refuse what federation states need, until they boot again. */
void federation_unsupport(struct federation *federation, const char *dc);

/** Cuts the links between machines of one datacenter and machines of another
 * (NULL: of all others), both ways; at most 16 cuts at a time. */
enum sim_hosts { SIM_SERVERS = 1, SIM_GATEWAYS = 2, SIM_ALL = 3 };
void federation_cut(struct federation *federation, const char *dc,
                    enum sim_hosts hosts, const char *other,
                    enum sim_hosts other_hosts);
/** No link is cut any more. */
void federation_join_links(struct federation *federation);

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
/** An operator's record for a datacenter of that name, put through the server
 * asked. done (may be NULL) is told 0 once it is acknowledged. */
void federation_put(struct federation *federation, struct sim_server *asked,
                    const char *name, void (*done)(void *arg, int status),
                    void *arg);

/** The record of a datacenter that was there once. */
void federation_put_ghost(struct federation *federation,
                          struct sim_server *asked, const char *name);

/** Every running server sees every running server of all datacenters alive in
 * the WAN pool, and every datacenter's leader holds the same table: one state a
 * datacenter with that datacenter's present gateways, and those that operators
 * put. */
bool federation_is_whole(void *federation);
/** The leader of at knows exactly the gateways that dc has now. */
bool federation_knows(struct federation *federation, const char *at,
                      const char *dc);
/** What keeps it from being whole, for people: each leader's duties and table,
 * and who does not see whom. */
void federation_explain(struct federation *federation, FILE *to);
/** The server's table has an operator's record of that name. */
bool sim_server_has(const struct sim_server *server, const char *name);
size_t federation_size(const struct federation *federation, const char *dc);
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
