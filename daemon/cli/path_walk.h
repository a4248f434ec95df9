/*
 * The way through one gateway to the servers of a datacenter, walked step by
 * step as a server would, so that the first step that fails has a name.
 * Source: federation.md sections 3 and 4. Blocks; at most some seconds a step.
 * Threads: any.
 */
#ifndef CLI_PATH_WALK_H
#define CLI_PATH_WALK_H

#include <stdbool.h>
#include <stdint.h>

enum path_step {
    PATH_NAME,        /* the gateway's name has an address */
    PATH_TCP,         /* somebody accepts there */
    PATH_SNI,         /* a handshake for the server's name is answered */
    PATH_ALPN,        /* by one who speaks our protocol */
    PATH_CERTIFICATE, /* and has that name, from our authority; takes ours */
    PATH_CLOCK,       /* in a time that both clocks agree on */
    PATH_STEPS
};

struct path_config {
    const char *server_name; /* server.<dc>.<domain> */
    const char *ca_file;
    const char *cert_file, *key_file; /* what is shown; NULL: nothing */
    uint32_t timeout_ms;              /* of each step */
};

/** How far it came. */
struct path_result {
    enum path_step failed; /* PATH_STEPS: all went well */
    char *why;             /* the caller's (base_free); NULL if all did */
};

/** gateway is host:port. BASE_EINVAL with *why (the caller's) if the walk could
 * not begin: a file that cannot be used. */
int path_walk(const struct path_config *config, const char *gateway,
              struct path_result *out, char **why);
/** "tcp" and so on. */
const char *path_step_word(enum path_step step);

#endif
