/*
 * What the files of the simulator share: the world, its hosts and loops, and
 * the events of the network. Public face: base/sim.h. One thread, one world.
 *
 * Everything that happens is a base_timer in the world's heaps: timers of
 * programs go in as they are, and the simulator's own events embed one whose
 * env is NULL.
 */
#ifndef LIBBASE_SIM_INTERNAL_H
#define LIBBASE_SIM_INTERNAL_H

#include <stdio.h>
#include <sys/queue.h>

#include "base/sim.h"
#include "timer_heap.h"

/* ---- random numbers (sim_random.c) ---- */

struct sim_rng {
    uint64_t state[4];
};
/** Streams of one seed that differ in number are independent. */
void sim_rng_init(struct sim_rng *rng, uint64_t seed, uint64_t number);
uint64_t sim_rng_next(struct sim_rng *rng);
/** Uniform in [0, bound); bound > 0. */
uint64_t sim_rng_below(struct sim_rng *rng, uint64_t bound);
/** Uniform in [min_us, max_us], in nanoseconds. */
uint64_t sim_rng_delay_ns(struct sim_rng *rng, uint32_t min_us,
                          uint32_t max_us);

/* ---- memory of events (sim_pool.c) ---- */

#define SIM_POOL_CLASSES 6 /* 128 bytes to 4 KiB */
struct sim_pool {
    void *free[SIM_POOL_CLASSES];
};
void *sim_pool_take(struct sim_pool *pool, size_t size);
/** size as it was asked for. */
void sim_pool_give(struct sim_pool *pool, void *ptr, size_t size);
void sim_pool_close(struct sim_pool *pool);

/* ---- the event log (sim_log.c) ---- */

struct sim_log; /* lines, their SHA-256 and the copy for a person */
struct sim_log *sim_log_new(void);
void sim_log_free(struct sim_log *log);
/** Starts a line; false if there is no log, then no more of it. */
bool sim_log_begin(struct base_sim *sim, const char *label, const char *kind);
void sim_log_text(struct base_sim *sim, const char *text);
void sim_log_number(struct base_sim *sim, uint64_t number);
void sim_log_addr(struct base_sim *sim, const struct base_addr *addr);
void sim_log_format(struct base_sim *sim, const char *format, va_list args);
void sim_log_end(struct base_sim *sim);
/** A line of one text. */
void sim_log_line(struct base_sim *sim, const char *label, const char *kind,
                  const char *text);
/** A line about traffic: "from>to bytes". */
void sim_log_traffic(struct base_sim *sim, const char *label, const char *kind,
                     const struct base_addr *from, const struct base_addr *to,
                     size_t bytes);

/* ---- the world (sim_world.c) ---- */

struct sim_name;
LIST_HEAD(sim_host_list, base_sim_host);

struct sim_ip_slot {
    struct base_addr ip;
    struct base_sim_host *host;
};

/* Most of what happens was decided a moment before: packets, posts, what is due
 * at once. Kept apart from the thousands of timers of a large world, these few
 * stay in the processor's cache. */
enum { SIM_NEAR, SIM_FAR, SIM_HEAPS };

struct base_sim {
    uint64_t now_ns;
    uint64_t sequence;
    struct timer_heap heaps[SIM_HEAPS];
    struct sim_pool pool;
    uint64_t seed;
    uint64_t env_count; /* numbers the envs' random numbers */
    struct sim_rng network_random;
    struct sim_rng machine_random; /* posts, jobs */
    struct sim_rng scenario_random;
    base_sim_link_fn link;
    void *link_arg;
    bool logging;
    struct sim_log *log;
    struct base_sim_stats stats;
    const struct base_log_sink *sink;
    enum base_log_level sink_level;
    uint32_t job_min_us;
    uint32_t job_max_us;
    struct sim_name *names;
    size_t name_count;
    size_t name_cap;
    struct sim_host_list hosts;
    struct sim_ip_slot *ips; /* open addressing; looked up, never walked */
    size_t ip_count;
    size_t ip_cap; /* a power of two */
};

/** Something of the simulator's own that happens later. Kinds embed it first.
 * Firing hands it over: the handler starts it again or frees it. */
struct sim_event {
    struct base_timer timer; /* env NULL */
    struct base_sim *sim;
    /** Frees it and what it holds, when it will never fire. */
    void (*drop)(struct sim_event *event);
    size_t size;
};
/** size bytes, the rest after the event uninitialised. drop NULL: nothing held
 * but the memory. */
void *sim_event_new(struct base_sim *sim, size_t size, void (*fire)(void *arg),
                    void (*drop)(struct sim_event *event));
void sim_event_start(struct sim_event *event, uint64_t due_ns);
void sim_event_stop(struct sim_event *event);
void sim_event_free(struct sim_event *event);
void sim_timer_start(struct base_sim *sim, struct base_timer *timer,
                     uint64_t due_ns);
void sim_timer_stop(struct base_sim *sim, struct base_timer *timer);

/* ---- names (sim_names.c) ---- */

/** Borrowed until the next base_sim_set_name(); NULL if there is none. */
const struct base_addr *sim_name_find(const struct base_sim *sim,
                                      const char *name, size_t *count);
void sim_names_free(struct base_sim *sim);

/* ---- hosts and their loops (sim_host.c, sim_env.c, sim_job.c) ---- */

struct sim_env {
    struct base_env env; /* first */
    struct base_net net;
    struct base_sim *sim;
    struct base_sim_host *host;
    SLIST_ENTRY(sim_env) next;
    struct sim_rng random;
    struct base_log_sink sink; /* adds the host, tells virtual time */
    char *name;
    char *label;          /* "host/env" */
    bool dead;            /* its machine lost power; it never runs again */
    uint32_t post_count;  /* waiting */
    uint64_t post_due_ns; /* of the last post: they keep their order */
};

struct sim_worker {
    uint32_t job_count; /* waiting */
    uint64_t free_ns;   /* when the last of them will be done */
};

/* A socket of any kind, on its host's list of that kind. */
struct sim_socket {
    LIST_ENTRY(sim_socket) link;
    struct sim_env *env;
    struct base_addr addr;
    bool dead; /* its machine lost power; memory until it is closed */
};
LIST_HEAD(sim_socket_list, sim_socket);

struct base_sim_host {
    LIST_ENTRY(base_sim_host) link;
    struct base_sim *sim;
    char *name;
    struct base_addr *addrs;
    size_t addr_count;
    int64_t wall_shift_ns;
    int32_t drift_ppm;
    uint32_t job_min_us, job_max_us; /* 0: the world's */
    uint64_t jumped_ns;
    uint64_t boots; /* crashes so far: stale things compare it */
    bool down;      /* crashed, and no loop made since */
    uint16_t next_port;
    SLIST_HEAD(, sim_env) envs;
    struct sim_worker workers[2]; /* by enum base_worker */
    struct sim_socket_list packets;
    struct sim_socket_list listeners;
    struct sim_socket_list dials;
    LIST_HEAD(, sim_stream) streams;
};

void sim_host_free(struct base_sim_host *host);
/** NULL if no machine has that address. */
struct base_sim_host *sim_host_find(const struct base_sim *sim,
                                    const struct base_addr *ip);
/** Its own address, or loopback. */
bool sim_host_has(const struct base_sim_host *host, const struct base_addr *ip);

struct sim_env *sim_env_new(struct base_sim_host *host, const char *name);
void sim_env_free(struct sim_env *env);
/** When one more post will run, which is counted: post_count goes down then. */
uint64_t sim_env_post_due(struct sim_env *env);
/** Queues run(arg) on env, bound or no bound. */
void sim_env_post(struct sim_env *env, void (*run)(void *arg), void *arg);
int sim_env_submit(void *ctx, enum base_worker worker, base_job_fn job,
                   base_job_done_fn done, void *arg);
int sim_env_resolve(void *ctx, const char *name, enum base_resolve_type type,
                    base_resolve_fn done, void *arg);

/* ---- the network (sim_net.c, sim_packets.c, sim_dial.c, sim_stream.c) ---- */

#define SIM_PORT_FIRST 32768u /* of those that port 0 and dials take */
#define SIM_LOOPBACK_US 10u

extern const struct base_net_ops sim_net_ops;

/** What the link from one machine to another does now. */
struct base_sim_link sim_link_ask(struct base_sim *sim,
                                  struct base_sim_host *from,
                                  struct base_sim_host *to);
/** A delay that it gives to something. */
uint64_t sim_link_delay_ns(struct base_sim *sim,
                           const struct base_sim_link *link);
/** The machine that host reaches under ip; NULL if there is none. */
struct base_sim_host *sim_route(struct base_sim_host *host,
                                const struct base_addr *ip);
/** The address that host shows to peers at to: at if it is one, else its first
 * of that family. BASE_EUNREACH if it has none. The port stays 0. */
int sim_source_addr(const struct base_sim_host *host,
                    const struct base_addr *at, const struct base_addr *to,
                    struct base_addr *out);
/** Gives socket its address (port 0: any free one) and puts it on list. */
int sim_socket_bind(struct sim_socket *socket, struct sim_env *env,
                    struct sim_socket_list *list, const struct base_addr *at);
/** The socket of list that traffic to addr goes to; NULL if there is none. */
struct sim_socket *sim_socket_find(const struct sim_socket_list *list,
                                   const struct base_addr *addr);
uint16_t sim_port_next(struct base_sim_host *host);

int sim_packets_open(void *ctx, const struct base_addr *at,
                     base_packet_fn receive, void *arg,
                     struct base_packets **out);
void sim_packets_addr(const struct base_packets *packets,
                      struct base_addr *out);
int sim_packets_send(struct base_packets *packets, const struct base_addr *to,
                     const void *data, size_t len);
void sim_packets_close(struct base_packets *packets);
void sim_packets_free_all(struct base_sim_host *host);

int sim_listen(void *ctx, const struct base_addr *at, base_accept_fn accept,
               void *arg, struct base_listener **out);
void sim_listener_addr(const struct base_listener *listener,
                       struct base_addr *out);
void sim_listener_close(struct base_listener *listener);
void sim_listeners_free_all(struct base_sim_host *host);
/** The listener that a connection to addr meets; NULL if there is none. */
struct base_listener *sim_listener_find(const struct base_sim_host *host,
                                        const struct base_addr *addr);
struct sim_env *sim_listener_env(const struct base_listener *listener);
/** Gives stream to whoever listens. */
void sim_listener_accept(struct base_listener *listener,
                         struct base_stream *stream);

int sim_dial(void *ctx, const struct base_addr *to,
             const struct base_addr *from, uint32_t timeout_ms,
             base_dial_fn done, void *arg, struct base_dial **out);
void sim_dial_cancel(struct base_dial *dial);
/** Power is gone: none will be done. */
void sim_dials_kill(struct base_sim_host *host);
void sim_dials_free_all(struct base_sim_host *host);

/** A new connection from env's machine: gives the near end. The far end goes
 * to the listener at peer as the first thing on the wire; if that machine has
 * booted again since peer_boots, there is none. */
struct base_stream *sim_stream_connect(struct sim_env *env,
                                       const struct base_addr *local,
                                       struct base_sim_host *peer_host,
                                       uint64_t peer_boots,
                                       const struct base_addr *peer);
/** Power is gone: peers will hear of resets. */
void sim_streams_kill(struct base_sim_host *host);
void sim_streams_free_all(struct base_sim_host *host);

#endif
