/* When to look again, and when to sleep: see spin.h. */
#include "spin.h"

#include <sched.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#define SPIN_NS_MAX 300000u   /* a sync of a disk with a cache, and more */
#define YIELD_NS_MAX 500000u  /* longer is a time slice, not a moment */
/* So long it sleeps after such a one; twice as long each time, until what was
 * waited for comes without. */
#define OFF_NS_MIN 5000000u
#define OFF_NS_MAX 1280000000u
#define HOPE_MIN 4u
#define HOPE_MAX 8u

static uint64_t clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool has_company(void)
{
    static atomic_int count; /* the same, whichever thread asks first */

    if (count == 0)
        count = (int)sysconf(_SC_NPROCESSORS_ONLN);
    return count > 1;
}

void spin_began(struct spin *spin)
{
    spin->began_ns = clock_ns();
    spin->now_ns = spin->began_ns;
}

/* The machine is busy: to yield was to wait for others. */
static void stay_off(struct spin *spin)
{
    spin->off_ns *= 2;
    if (spin->off_ns < OFF_NS_MIN)
        spin->off_ns = OFF_NS_MIN;
    if (spin->off_ns > OFF_NS_MAX)
        spin->off_ns = OFF_NS_MAX;
    spin->off_until_ns = spin->now_ns + spin->off_ns;
}

bool spin_again(struct spin *spin)
{
    uint64_t before_ns = spin->now_ns;

    if (spin->hope < HOPE_MIN || before_ns < spin->off_until_ns ||
        before_ns - spin->began_ns > SPIN_NS_MAX || !has_company())
        return false;
    sched_yield();
    spin->now_ns = clock_ns();
    if (spin->now_ns - before_ns > YIELD_NS_MAX)
        stay_off(spin);
    return true;
}

void spin_ended(struct spin *spin)
{
    if (spin->now_ns != spin->began_ns && spin->now_ns > spin->off_until_ns)
        spin->off_ns -= spin->off_ns / 32;
    if (clock_ns() - spin->began_ns > SPIN_NS_MAX)
        spin->hope -= spin->hope > 0;
    else
        spin->hope += spin->hope < HOPE_MAX;
}
