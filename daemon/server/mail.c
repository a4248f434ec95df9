/* Open letters in a list under a lock; loops hold it for a few pointers. */
#include "server/mail.h"

void mailbox_init(struct mailbox *box)
{
    pthread_mutex_init(&box->lock, NULL);
    box->first = NULL;
}

void mailbox_close(struct mailbox *box)
{
    while (box->first) {
        struct mail *mail = box->first;

        mail_end(mail);
        mail->drop(mail);
    }
    pthread_mutex_destroy(&box->lock);
}

void mail_open(struct mailbox *box, struct mail *mail,
               void (*drop)(struct mail *mail))
{
    mail->box = box;
    mail->drop = drop;
    mail->prev = NULL;
    pthread_mutex_lock(&box->lock);
    mail->next = box->first;
    if (box->first)
        box->first->prev = mail;
    box->first = mail;
    pthread_mutex_unlock(&box->lock);
}

void mail_end(struct mail *mail)
{
    struct mailbox *box = mail->box;

    pthread_mutex_lock(&box->lock);
    if (mail->prev)
        mail->prev->next = mail->next;
    else
        box->first = mail->next;
    if (mail->next)
        mail->next->prev = mail->prev;
    pthread_mutex_unlock(&box->lock);
}

static void run(void *arg)
{
    struct mail *mail = arg;

    mail->deliver(mail);
}

int mail_send(struct mail *mail, struct base_env *to,
              void (*deliver)(struct mail *mail))
{
    mail->deliver = deliver;
    return base_env_post(to, run, mail);
}
