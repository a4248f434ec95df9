/*
 * The failures F1 to F13 that users of federations met (federation.md section
 * 13), each as a script on a simulated federation with deadlines in virtual
 * time. A script breaks something, repairs what an operator would repair (or
 * nothing), and says how long the rest took. After each one the common promises
 * are checked: the tables of all datacenters are equal, no packet went past the
 * gateways, and nobody ran hot.
 */
#ifndef SIM_FAILURES_H
#define SIM_FAILURES_H

#include "sim/federation.h"

/** One run of one script. */
struct failure_run {
    struct federation *federation;
    struct base_sim *world;
    uint64_t seed;
    uint64_t healed_ms;  /* from the blow, or the repair, to all well */
    bool failed;
    char why[160];       /* the first promise that was broken */
    /* Events between two points, for the promise that nobody runs hot. */
    uint64_t quiet_from_ns, quiet_events;
    uint64_t events_per_second; /* the most that was seen */
};

struct failure {
    const char *id;   /* "F1" */
    const char *what; /* a line for people */
    void (*script)(struct failure_run *run);
};

extern const struct failure failures[];
extern const size_t failure_count;

/** Runs one with one seed. False if a promise was broken: run->why says which.
 * log: the event log, NULL for none. */
bool failure_play(const struct failure *failure, uint64_t seed, FILE *log,
                  struct failure_run *run);

/* ---- for scripts ---------------------------------------------------------- */

/** dc1 (the primary) and others of that many servers, up to a 0, formed. */
void failure_form(struct failure_run *run, const size_t *sizes);
/** Notes a broken promise (the first one counts). */
void failure_unless(struct failure_run *run, bool kept, const char *promise);
/** Lets time pass. */
void failure_wait(struct failure_run *run, uint64_t ms);
/** Whole again within the time, or the promise is broken; the time that it
 * took is run->healed_ms. */
void failure_heals(struct failure_run *run, uint64_t within_ms);
/** The same for any condition. */
void failure_until(struct failure_run *run, bool (*done)(void *arg), void *arg,
                   uint64_t within_ms, const char *promise);
/** Counts what the world does from here to the other: at most so many events a
 * second in all. */
void failure_quiet_from(struct failure_run *run);
void failure_quiet_to(struct failure_run *run, uint64_t events_per_second);
/** Crash or boot of all servers of a datacenter. */
void failure_power_off(struct failure_run *run, const char *dc);
void failure_power_on(struct failure_run *run, const char *dc);
/** What a datacenter's servers sent to or got from foreign gateways. */
uint64_t failure_direct(struct failure_run *run, const char *dc);

/* The scripts: failures_gateways.c, failures_servers.c, failures_gossip.c. */
void failure_f1(struct failure_run *run);
void failure_f2(struct failure_run *run);
void failure_f3(struct failure_run *run);
void failure_f4(struct failure_run *run);
void failure_f5(struct failure_run *run);
void failure_f6(struct failure_run *run);
void failure_f7(struct failure_run *run);
void failure_f8(struct failure_run *run);
void failure_f9(struct failure_run *run);
void failure_f10(struct failure_run *run);
void failure_f11(struct failure_run *run);
void failure_f12(struct failure_run *run);
void failure_f13_resets(struct failure_run *run);
void failure_f13_holds(struct failure_run *run);

#endif
