/*
 * Three real servers that are one datacenter, with encryption, on loopback
 * addresses that belong to this process; asked by the command line's own
 * client.
 */
#ifndef TESTS_DAEMON_OPERATE_BED_H
#define TESTS_DAEMON_OPERATE_BED_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#define OPERATE_SERVERS 3
#define OPERATE_DEADLINE_MS 40000 /* for what takes a second or two */

/** Starts them and waits until both pools have all. */
void operate_bed_start(void);
void operate_bed_stop(void);

/** Kills a server (SIGKILL), or starts it again with nobody to join. */
void operate_kill(size_t server);
void operate_start_alone(size_t server);

/** An answer of a server, the caller's; NULL unless it is 200. */
json_t *operate_json(size_t server, const char *method, const char *path,
                     const char *body);
/** True if it answered 200, with or without a body. */
bool operate_do(size_t server, const char *method, const char *path,
                const char *body);
/** How many members a server holds for alive; 0 if it does not answer. */
size_t operate_alive(size_t server, bool wan);

/** The key they were started with. */
const char *operate_key(void);
/** A file below a server's data folder, the caller's; NULL if not there. */
char *operate_file(size_t server, const char *name);
/** Runs a line by the shell in the folder; $I is our binary, which asks that
 * server. The exit code. */
int operate_shell(size_t server, const char *line);
/** The folder that all of it is in. */
const char *operate_folder(void);

/** Asks again until it is true; fails the test after OPERATE_DEADLINE_MS. */
void operate_until(bool (*condition)(void *arg), void *arg, const char *what);

#endif
