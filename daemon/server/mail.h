/*
 * Letters between the two loops: heap objects that base_env_post() carries, and
 * that are freed even if the loop they were on the way to has ended.
 *
 * Threads: opening, sending and ending a letter from either loop; the box is
 *          made and closed while neither runs.
 */
#ifndef SERVER_MAIL_H
#define SERVER_MAIL_H

#include <pthread.h>

#include "base/env.h"

struct mailbox {
    pthread_mutex_t lock;
    struct mail *first;
};

/** Embedded first in what is sent. */
struct mail {
    struct mailbox *box;
    struct mail *prev, *next;
    void (*deliver)(struct mail *mail);
    void (*drop)(struct mail *mail); /* frees it, undelivered */
};

void mailbox_init(struct mailbox *box);
/** Drops every letter that is still open. */
void mailbox_close(struct mailbox *box);

/** From now on the box knows the letter. */
void mail_open(struct mailbox *box, struct mail *mail,
               void (*drop)(struct mail *mail));
/** deliver(mail) runs on that loop; the letter stays open. An error means that
 * it will not. */
int mail_send(struct mail *mail, struct base_env *to,
              void (*deliver)(struct mail *mail));
/** The box forgets it; the caller frees it. */
void mail_end(struct mail *mail);

#endif
