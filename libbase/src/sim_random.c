/*
 * Random numbers of a simulated world: xoshiro256** (Blackman and Vigna, 2018),
 * seeded by splitmix64. Each loop, the network and the scenario have their own
 * stream, so that one more draw in one place does not change all the others.
 */
#include <assert.h>

#include "sim_internal.h"

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void sim_rng_init(struct sim_rng *rng, uint64_t seed, uint64_t number)
{
    uint64_t state = number;
    size_t i;

    state = seed ^ splitmix(&state);
    for (i = 0; i < 4; i++)
        rng->state[i] = splitmix(&state);
}

static uint64_t rotate(uint64_t x, unsigned bits)
{
    return (x << bits) | (x >> (64 - bits));
}

uint64_t sim_rng_next(struct sim_rng *rng)
{
    uint64_t *s = rng->state;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

uint64_t sim_rng_below(struct sim_rng *rng, uint64_t bound)
{
    uint64_t value;
    uint64_t skip;

    assert(bound > 0);
    if (bound <= UINT32_MAX) /* bias below 2^-32: nobody will see it */
        return ((sim_rng_next(rng) >> 32) * bound) >> 32;
    skip = (0 - bound) % bound;
    do {
        value = sim_rng_next(rng);
    } while (value < skip);
    return value % bound;
}

uint64_t sim_rng_delay_ns(struct sim_rng *rng, uint32_t min_us, uint32_t max_us)
{
    uint64_t min_ns = (uint64_t)min_us * 1000;

    if (max_us <= min_us)
        return min_ns;
    return min_ns + sim_rng_below(rng, (uint64_t)(max_us - min_us) * 1000 + 1);
}
