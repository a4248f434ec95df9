/*
 * Waiting awake, a little. A processor that went to sleep takes tens of
 * microseconds to come back (in a virtual machine, a trip through its host),
 * and a commit of three servers has four such waits in a row. Who waits for
 * what has come soon lately keeps looking instead, for at most 300 us, and
 * gives its processor to whoever wants it between two looks.
 *
 * It stops by itself: where waits are long (an idle server), where another
 * thread keeps the processor for long (a busy machine: whoever sleeps is woken
 * ahead of it, whoever yields is not), and on a machine with one processor.
 */
#ifndef LIBBASE_SPIN_H
#define LIBBASE_SPIN_H

#include <stdbool.h>
#include <stdint.h>

/** All zero to begin with. One thread at a time. */
struct spin {
    unsigned hope; /* rises with each short wait, falls with each long one */
    uint64_t began_ns;
    uint64_t now_ns;
    uint64_t off_until_ns;
    uint64_t off_ns; /* how long the next time */
};

/** A wait begins. */
void spin_began(struct spin *spin);
/** False: sleep. True: another thread had its chance, look again. */
bool spin_again(struct spin *spin);
/** What was waited for has come, awake or asleep. */
void spin_ended(struct spin *spin);

#endif
