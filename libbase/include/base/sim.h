/*
 * A deterministic world: virtual time, hosts, a virtual network, workers and
 * names, all driven by one 64-bit seed in one thread. The same cores and the
 * same server composition that run on libevent run here. Equal seeds give
 * equal runs: every packet, timer and trace line goes into an event log whose
 * SHA-256 two runs can compare.
 *
 * Threads: one; several worlds may live in several threads.
 */
#ifndef BASE_SIM_H
#define BASE_SIM_H

#include <stdio.h>

#include "base/env.h"
#include "base/net.h"

struct base_sim;
struct base_sim_host;

/** What one direction between two hosts does to traffic, asked for at each
 * datagram, connection and stream write. */
struct base_sim_link {
    bool up;               /* false: datagrams vanish, dials time out, live
                              streams stall and are reset after 30 s */
    uint32_t delay_min_us; /* uniform between the two */
    uint32_t delay_max_us;
    uint32_t loss_ppm;     /* datagrams lost, parts per million */
    uint32_t duplicate_ppm;
};
/** Fills *link (preset: up, 200 to 800 us, no loss). Must be a pure function
 * of the world's state. */
typedef void (*base_sim_link_fn)(void *arg, const struct base_sim_host *from,
                                 const struct base_sim_host *to,
                                 struct base_sim_link *link);

struct base_sim *base_sim_new(uint64_t seed);
/** Free the programs first: sockets and streams that are left go with it. */
void base_sim_free(struct base_sim *sim);
void base_sim_set_link(struct base_sim *sim, base_sim_link_fn link, void *arg);
/** Copies every line of the event log there, borrowed; NULL (the default):
 * nowhere. */
void base_sim_set_log(struct base_sim *sim, FILE *file);
/** Without the log of events (no digest then), large pools run faster. */
void base_sim_set_digest(struct base_sim *sim, bool on);
/** The sink for the hosts' own log lines, each with a first pair host=; NULL
 * (the default): none. For loops made from now on, as logs are copied about. */
void base_sim_set_log_sink(struct base_sim *sim,
                           const struct base_log_sink *sink,
                           enum base_log_level level);
/** What a name resolves to from now on; count 0 removes it. */
void base_sim_set_name(struct base_sim *sim, const char *name,
                       const struct base_addr *addrs, size_t count);
/** How long a worker's job takes, uniform; default 50 to 500 us. */
void base_sim_set_job_delay(struct base_sim *sim, uint32_t min_us,
                            uint32_t max_us);

/** A machine with its addresses (ports ignored); 127.0.0.0/8 and ::1 are its
 * own too. It lives as long as the world. */
struct base_sim_host *base_sim_host_new(struct base_sim *sim, const char *name,
                                        const struct base_addr *addrs,
                                        size_t addr_count);
const char *base_sim_host_name(const struct base_sim_host *host);
/** A loop of that machine; each call makes another one ("main", "gossip"). */
struct base_env *base_sim_host_env(struct base_sim_host *host, const char *name);
/** The sockets of that machine, for the loop env. */
struct base_net *base_sim_host_net(struct base_sim_host *host,
                                   struct base_env *env);
/**
 * The machine loses power: its timers, jobs, posts, dials and sockets are
 * gone; peers see resets. Objects of the program that ran there must be freed
 * (not told) by the caller right after: their calls have no effect now. The
 * machine answers nothing (dials to it time out) until base_sim_host_env()
 * boots it again; new envs and nets work as on a fresh boot.
 */
void base_sim_host_crash(struct base_sim_host *host);
/** Shifts the wall clock of the machine; the monotonic clock stays. */
void base_sim_host_shift_wall(struct base_sim_host *host, int64_t shift_ns);
/** Its monotonic clock and its timers run ahead by that many millionths, or
 * below 0 behind: above -1,000,000. Before its first loop, for a clock never
 * goes back. */
void base_sim_host_set_drift(struct base_sim_host *host, int32_t drift_ppm);
/** How long a job of this machine's workers takes, as for all of them; 0, 0:
 * no longer different. Jobs that were submitted before keep their time. */
void base_sim_host_set_job_delay(struct base_sim_host *host, uint32_t min_us,
                                 uint32_t max_us);
/** Its monotonic clock jumps ahead, as after a pause of the machine: timers
 * that are running fire late. */
void base_sim_host_jump(struct base_sim_host *host, uint64_t jump_ns);

/** Virtual nanoseconds since the start. */
uint64_t base_sim_now_ns(const struct base_sim *sim);
/** Random numbers for the scenario itself, from the same seed. */
uint64_t base_sim_random_below(struct base_sim *sim, uint64_t bound);
/** Runs the next event; false if there is none. */
bool base_sim_step(struct base_sim *sim);
/** Runs all events up to the time, and sets the clock to it. */
void base_sim_run_until(struct base_sim *sim, uint64_t until_ns);
void base_sim_run_for_ms(struct base_sim *sim, uint64_t duration_ms);
/** Runs until done(arg) is true (asked after each event) or the time is over;
 * returns what it said last. */
bool base_sim_run_until_true(struct base_sim *sim, bool (*done)(void *arg),
                             void *arg, uint64_t within_ms);

/** A line into the event log from the scenario. */
void base_sim_note(struct base_sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
struct base_sim_stats {
    uint64_t lines; /* of the event log */
    uint64_t timers, posts, jobs;
    uint64_t packets;      /* datagrams handed to a socket */
    uint64_t packet_bytes; /* of those, without UDP's headers */
    uint64_t packets_lost; /* by the link, or where nobody listened */
    uint64_t stream_writes;
    uint64_t stream_bytes;
    uint64_t connections;  /* accepted */
    uint64_t streams_open; /* that programs hold now; a test for leaks */
};
struct base_sim_stats base_sim_stats(const struct base_sim *sim);
/** The SHA-256 of the event log so far, in hex with NUL. */
void base_sim_digest(const struct base_sim *sim, char out[65]);

#endif
