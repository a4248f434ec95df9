/*
 * Puts a configuration in place for another proxy, step by step: written beside
 * its place (FILE.new), checked there by the proxy itself, renamed into place,
 * and then the proxy is told. What the checker refuses never gets into place:
 * it stays in FILE.refused for the operator to see. A file in place is always
 * whole.
 *
 * A HAProxy is told by its runtime socket where at most servers differ from
 * what it runs, and by the reload command otherwise; either way it is asked
 * afterwards what it runs. Others are told by the reload command.
 *
 * What fails is tried again after 2 s, doubling to 60 s, or at once when there
 * is another text.
 *
 * Counters: isthmus.gateway.published{result}: placed (and reloaded), changed
 * (and no reload), refused, no_checker (it cannot be run), reload_failed,
 * cannot_write; not_changed (the runtime socket refused, so a reload follows).
 * Threads: the loop.
 */
#ifndef GATEWAY_PUBLISH_H
#define GATEWAY_PUBLISH_H

#include "base/loop.h"

struct publisher;

struct publisher_config {
    struct base_loop *loop;
    const char *path; /* absolute; borrowed */
    /** Words of the checker's command; the file's path takes the place of NULL
     * at the end. Borrowed. */
    const char *const *checker;
    size_t checker_count;
    const char *reload_command; /* for sh -c; NULL: nobody is told. Borrowed. */
    const char *socket; /* HAProxy's runtime socket; NULL: none. Borrowed. */
    /** A text is in place, and the proxy was told. */
    void (*on_placed)(void *arg);
    void *arg;
};

#define PUBLISHER_CHECKER_WORDS_MAX 8

struct publisher *publisher_new(const struct publisher_config *config);
void publisher_free(struct publisher *publisher);
/** The text wanted from now on (given). One that is in place already, or under
 * way, costs nothing. */
void publisher_set(struct publisher *publisher, char *text);

#endif
