/*
 * The three parts of the local state: what is there (local_state.c), how it is
 * kept on disk (local_files.c), how the catalog learns of it (local_sync.c).
 */
#ifndef AGENT_LOCAL_PRIVATE_H
#define AGENT_LOCAL_PRIVATE_H

#include "agent/check_run.h"
#include "agent/local_state.h"

struct rpc_pending;
struct local_entry;

struct local_check {
    struct local_entry *entry;
    struct check_spec spec;
    struct base_timer expiry;    /* of its TTL */
    struct base_timer reap;      /* runs while it is critical */
    struct check_run *run;       /* of TCP and HTTP */
    uint32_t successes, failures; /* of it in a row */
};

struct local_entry {
    struct local_state *local;
    Fedstate__Service *service;
    Fedstate__Check **checks;
    struct local_check *state; /* one a check */
    size_t check_count;
    uint64_t version;          /* moves with each change, unique */
    bool dirty;                /* the catalog must be told */
    bool output_dirty;         /* of outputs alone, at its time */
    uint64_t unkept_since;     /* the disk lacks changes from then on; 0: none */
    bool keeping;              /* a job writes it */
    struct base_timer output_timer;
};

/** What must leave the catalog: a service, or a check of one that stays. */
struct local_gone {
    char *service_id; /* NULL: a check */
    char *check_id;
};

struct local_sync {
    struct rpc_pending *pending;
    struct base_timer timer;         /* the next step */
    struct base_timer compare_timer; /* the next full comparison */
    bool compare_due;
    uint32_t failures;
    bool node_there; /* the catalog has a record of the node, */
    bool node_known; /* and it is the one that we want */
    bool told_node;  /* the call under way, or the last, was about it */
    uint64_t told_version; /* of the entry that is being told */
    char *told_id; /* whom the call under way, or the last, was about */
    bool told_service;
    struct base_log_limit log_limit;
};

/** Times are counts of changes: a change is on disk when nothing older is on
 * its way there. */
struct local_files {
    char *folder; /* NULL: nothing is kept */
    uint64_t changes;
    struct base_timer again;    /* for what found no room in the queue */
    struct base_timer tell;     /* waits that are over */
    struct local_job *jobs;     /* at the worker */
    struct local_job *unqueued; /* removals that found no room */
    struct local_wait *waits;
};

struct local_state {
    struct base_env *env;
    struct base_log log;
    struct rpc_server *rpc;
    const char *token;
    Fedstate__Node *node;
    uint32_t check_update_interval_ms;
    struct base_net *net;
    const struct rpc_secure *(*tls)(void *ctx, bool verify);
    void *tls_ctx;
    struct local_entry **entries; /* sorted by service id */
    size_t count;
    uint64_t versions;            /* given out */
    void (*changed)(void *ctx);
    void *changed_ctx;
    struct local_gone *gone;
    size_t gone_count;
    struct local_sync sync;
    struct local_files files;
};

#define LOCAL_CHECK_RESERVED "serfHealth" /* the leader's word on the node */

/* local_state.c */
struct local_entry *local_find(const struct local_state *local,
                               const char *service_id);
/** NULL if nobody has it; *at is its place among the entry's checks. */
struct local_entry *local_find_check(const struct local_state *local,
                                     const char *check_id, size_t *at);
/** Sets it as its run or a user says; the entry is told to whom it concerns. */
void local_set_check(struct local_entry *entry, size_t at, const char *status,
                     const char *output);
void local_mark_gone(struct local_state *local, const char *service_id,
                     const char *check_id);
void local_forget_gone(struct local_state *local, size_t at);
/** Puts an entry in as it was kept. */
int local_load_entry(struct local_state *local,
                     const Fedstate__Service *service,
                     Fedstate__Check *const *checks,
                     const struct check_spec *specs, size_t check_count);

/* local_checks.c: what makes the checks of an entry move. */
void local_checks_start(struct local_entry *entry,
                        const struct check_spec *specs);
void local_checks_stop(struct local_entry *entry);
/** Its status was said: its times begin anew. */
void local_checks_said(struct local_check *state);

/* local_sync.c */
void local_sync_init(struct local_state *local);
void local_sync_close(struct local_state *local);
/** Something changed. */
void local_sync_soon(struct local_state *local);

/* local_files.c */
int local_files_init(struct local_state *local, const char *folder,
                     char **why);
void local_files_close(struct local_state *local);
void local_files_keep(struct local_entry *entry);
void local_files_remove(struct local_state *local, const char *service_id);

#endif
