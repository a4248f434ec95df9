/*
 * The client's side of HTTPS, for whoever asks an agent: which authority is
 * trusted, what is shown, and sessions and evhttp connections that do so.
 * Threads: one at a time per object.
 */
#ifndef HTTPS_HTTPS_H
#define HTTPS_HTTPS_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct evhttp_connection;
struct ssl_st;

/** Strings are borrowed for the call; NULL: none. */
struct https_config {
    const char *ca_file;     /* PEM; without it the system's authorities */
    const char *cert_file;   /* PEM, what is shown; needs key_file */
    const char *key_file;    /* PEM */
    const char *server_name; /* that the agent must have; NULL: its host */
    bool insecure;           /* any certificate will do */
};

struct https;

/** BASE_EINVAL with *why, the caller's, which names the file. */
int https_new(const struct https_config *config, struct https **out,
              char **why);
void https_free(struct https *https);

/** A client's session that asks for that host; SSL_free() it. NULL if there is
 * no memory for it. */
struct ssl_st *https_session(const struct https *https, const char *host);
/** A connection that is made with its first request. https NULL: plain HTTP.
 * NULL if there is no memory for it. */
struct evhttp_connection *https_connection(const struct https *https,
                                           struct event_base *loop,
                                           const char *host, uint16_t port);

#endif
