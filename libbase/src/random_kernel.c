/*
 * Random bytes from getrandom(2): see random_kernel.h.
 */
#include "random_kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static void draw(void *out, size_t len)
{
    uint8_t *at = out;

    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            /* Going on would mean predictable keys and nonces. */
            fprintf(stderr, "isthmus: no randomness: %s\n", strerror(errno));
            abort();
        }
        at += got;
        len -= (size_t)got;
    }
}

void random_kernel_fill(struct random_kernel *random, void *out, size_t len)
{
    uint8_t *from;

    if (len > sizeof(random->bytes)) {
        draw(out, len);
        return;
    }
    if (random->left < len) {
        draw(random->bytes, sizeof(random->bytes));
        random->left = sizeof(random->bytes);
    }
    from = random->bytes + sizeof(random->bytes) - random->left;
    if (len > 0)
        memcpy(out, from, len);
    explicit_bzero(from, len);
    random->left -= len;
}

void random_kernel_close(struct random_kernel *random)
{
    explicit_bzero(random, sizeof(*random));
}
