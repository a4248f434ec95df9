/*
 * Random bytes from the kernel, drawn in small blocks because a system call a
 * nonce is dear. A byte is wiped when it is given out, so that a later look at
 * our memory does not tell past keys.
 * Threads: one at a time per object.
 */
#ifndef LIBBASE_RANDOM_KERNEL_H
#define LIBBASE_RANDOM_KERNEL_H

#include <stddef.h>
#include <stdint.h>

/** Zero-initialise it. */
struct random_kernel {
    uint8_t bytes[256];
    size_t left; /* unused ones, at the end of bytes */
};

/** Fills out; aborts if the kernel has no randomness to give. */
void random_kernel_fill(struct random_kernel *random, void *out, size_t len);
void random_kernel_close(struct random_kernel *random);

#endif
