/*
 * Puts a configuration in place for another proxy, step by step: written beside
 * its place (FILE.new), checked there by the proxy itself, renamed into place,
 * and then the reload command. What the checker refuses never gets into place:
 * it stays in FILE.refused for the operator to see, and is offered again later,
 * or when there is another text. A file in place is always whole.
 *
 * Counters: isthmus.gateway.published{result}: placed, refused, reload_failed,
 * cannot_write.
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
    const char *reload_command; /* for sh -c; NULL: none. Borrowed. */
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
