/*
 * A Raft server as a process of its own: real disk, real sockets, SQLite, and
 * a socket to the test that asks it things. Registers, as in linear.h.
 */
#ifndef TESTS_LIBRAFT_PROCESS_SERVER_H
#define TESTS_LIBRAFT_PROCESS_SERVER_H

#include <stdint.h>
#include <sys/types.h>

#include "linear.h"

#define PROCESS_SERVERS_MAX 5
#define PROCESS_KEYS 4096

struct process_request {
    uint64_t op; /* comes back */
    enum history_kind kind;
    uint32_t key;
    uint64_t expected, value;
};

enum process_status {
    PROCESS_DONE,
    PROCESS_REFUSED, /* it surely has not happened */
    PROCESS_UNKNOWN
};

struct process_reply {
    uint64_t op;
    enum process_status status;
    uint64_t seen;
};

struct process_server {
    pid_t pid; /* 0: not running */
    int fd;    /* a packet a request or reply */
    uint32_t election_timeout_ms; /* for the next start; 0: 200 */
};

/** Starts server `number` of `count`, its files in folder/s<number>. Call it
 * from a process of one thread. */
void process_server_start(struct process_server *server, const char *folder,
                          unsigned number, unsigned count);
/** kill -9. */
void process_server_kill(struct process_server *server);

#endif
