/*
 * A real agent for tests of its API: our binary, one server on a loopback
 * address of its own with free ports and a folder that goes with it; and a
 * client that can do what a good client never would.
 */
#ifndef TESTS_DAEMON_API_BED_H
#define TESTS_DAEMON_API_BED_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define API_DEADLINE_MS 20000 /* for anything that ought to take milliseconds */

struct api_bed {
    pid_t pid;
    char folder[64];
    uint16_t port; /* of the API at 127.0.0.1 */
    unsigned expect;   /* bootstrap_expect; 0: 1 */
    unsigned files;    /* limit of descriptors; 0: as it is */
    bool federation;   /* as a primary, with certificates of our making */
    bool https;        /* on https_port too; with federation */
    uint16_t https_port;
    bool unix_socket;  /* api_connect() goes to FOLDER/api.sock */
    const char *keys;  /* more of the configuration: "\"a\":1,"; may be NULL */
    const char *token; /* that api_call() shows; NULL: none */
};

/** Starts it and waits until it has a leader, and the catalog its node (with
 * expect 1). */
void api_bed_start(struct api_bed *bed);
/** SIGTERM; it must end well. The folder stays. */
void api_bed_stop(struct api_bed *bed);
/** Waits for its end; the exit code. */
int api_bed_wait(struct api_bed *bed);
/** Stops what runs and removes the folder. */
void api_bed_close(struct api_bed *bed);

/** An answer; api_answer_close() it. */
struct api_answer {
    int status;
    char *headers;
    char *body;
};
void api_answer_close(struct api_answer *answer);
/** A header's value in a buffer that the next call reuses; NULL if none. */
const char *api_header(const struct api_answer *answer, const char *key);

/** One request on one connection; body may be NULL. */
struct api_answer api_call(const struct api_bed *bed, const char *method,
                           const char *path, const char *body);
/** The same, must be 200 with JSON, the caller's. */
json_t *api_json(const struct api_bed *bed, const char *path);
/** PUT, must be 200. */
void api_put(const struct api_bed *bed, const char *path, const char *body);

/** A connection; bytes of the caller's choice. */
int api_connect(const struct api_bed *bed);
void api_send(int fd, const char *bytes);
/** Reads one answer, and not a byte more. False if the connection ended. */
bool api_read(int fd, struct api_answer *answer);
/** Waits for the server to hang up. */
bool api_is_closed(int fd);

/** A gauge's value, or a counter's with its label's value ("" for none). */
int64_t api_gauge(const struct api_bed *bed, const char *name);
int64_t api_counter(const struct api_bed *bed, const char *name,
                    const char *label);

/** Asks again and again until it is true; fails the test after
 * API_DEADLINE_MS. */
void api_until(bool (*condition)(void *arg), void *arg, const char *what);

#endif
