/*
 * The arithmetic of Vivaldi, step by step as gossip.md 3.12 writes it, so that
 * our place agrees with what peers compute of theirs to the last bits. The wire
 * form is in coordinate_wire.c.
 */
#include "serf/coordinate.h"

#include <math.h>
#include <string.h>

#include "gossip/error.h"

#define ERROR_MAX 1.5
#define ERROR_GAIN 0.25 /* CE */
#define FORCE_GAIN 0.25 /* CC */
#define HEIGHT_MIN 1e-5
#define GRAVITY_RHO 150.0
#define ZERO 1e-6
#define RTT_NS_MAX 10000000000u
#define NS_PER_S 1e9

static const struct gossip_coordinate initial = {.error = ERROR_MAX,
                                                 .height = HEIGHT_MIN};

static double magnitude(const double *vec)
{
    double sum = 0;
    size_t i;

    for (i = 0; i < GOSSIP_COORDINATE_DIMENSIONS; i++)
        sum += vec[i] * vec[i];
    return sqrt(sum);
}

static double raw_distance(const struct gossip_coordinate *a,
                           const struct gossip_coordinate *b)
{
    double diff[GOSSIP_COORDINATE_DIMENSIONS];
    size_t i;

    for (i = 0; i < GOSSIP_COORDINATE_DIMENSIONS; i++)
        diff[i] = a->vec[i] - b->vec[i];
    return magnitude(diff) + a->height + b->height;
}

uint64_t gossip_coordinate_rtt_ns(const struct gossip_coordinate *a,
                                  const struct gossip_coordinate *b)
{
    double distance = raw_distance(a, b);
    double adjusted = distance + a->adjustment + b->adjustment;

    if (adjusted > 0)
        distance = adjusted;
    distance *= NS_PER_S;
    /* Finite coordinates can still be absurd: a guess above an hour is none. */
    if (!(distance >= 0))
        return 0;
    return distance > 3600 * NS_PER_S ? (uint64_t)(3600 * NS_PER_S)
                                      : (uint64_t)distance;
}

bool serf_coordinate_is_finite(const struct gossip_coordinate *at)
{
    size_t i;

    for (i = 0; i < GOSSIP_COORDINATE_DIMENSIONS; i++)
        if (!isfinite(at->vec[i]))
            return false;
    return isfinite(at->error) && isfinite(at->adjustment) &&
           isfinite(at->height);
}

void serf_coordinate_client_init(struct serf_coordinate_client *client,
                                 struct base_env *env)
{
    memset(client, 0, sizeof(*client));
    client->at = initial;
    client->env = env;
}

/* A direction for two nodes that sit on one point. */
static void random_unit(struct base_env *env, double *unit)
{
    double length;
    size_t i;

    do {
        for (i = 0; i < GOSSIP_COORDINATE_DIMENSIONS; i++) {
            uint64_t bits = base_env_random_u64(env) >> 11;

            unit[i] = (double)bits / 9007199254740992.0 - 0.5;
        }
        length = magnitude(unit);
    } while (length <= ZERO);
    for (i = 0; i < GOSSIP_COORDINATE_DIMENSIONS; i++)
        unit[i] /= length;
}

static void apply_force(struct serf_coordinate_client *client, double force,
                        const struct gossip_coordinate *other)
{
    struct gossip_coordinate *at = &client->at;
    double unit[GOSSIP_COORDINATE_DIMENSIONS];
    double length;
    size_t i;

    for (i = 0; i < GOSSIP_COORDINATE_DIMENSIONS; i++)
        unit[i] = at->vec[i] - other->vec[i];
    length = magnitude(unit);
    if (length > ZERO) {
        for (i = 0; i < GOSSIP_COORDINATE_DIMENSIONS; i++)
            unit[i] *= 1.0 / length;
    } else {
        random_unit(client->env, unit);
        length = 0;
    }
    for (i = 0; i < GOSSIP_COORDINATE_DIMENSIONS; i++)
        at->vec[i] += unit[i] * force;
    if (length > ZERO) {
        at->height =
            (at->height + other->height) * force / length + at->height;
        at->height = fmax(at->height, HEIGHT_MIN);
    }
}

/* The median of the last few samples keeps one slow packet from moving us. */
static double filter_latency(struct serf_place *place, double rtt_s)
{
    double sorted[SERF_LATENCY_SAMPLES];
    size_t count;
    size_t i;

    place->samples[place->sample_next] = rtt_s;
    place->sample_next =
        (uint8_t)((place->sample_next + 1) % SERF_LATENCY_SAMPLES);
    if (place->sample_count < SERF_LATENCY_SAMPLES)
        place->sample_count++;
    count = place->sample_count;
    for (i = 0; i < count; i++) {
        double value = place->samples[i];
        size_t at = i;

        for (; at > 0 && sorted[at - 1] > value; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = value;
    }
    return sorted[count / 2];
}

static void move(struct serf_coordinate_client *client,
                 const struct gossip_coordinate *other, double rtt_s)
{
    struct gossip_coordinate *at = &client->at;
    double distance =
        (double)gossip_coordinate_rtt_ns(at, other) / NS_PER_S;
    double wrong;
    double weight;

    rtt_s = fmax(rtt_s, ZERO);
    wrong = fabs(distance - rtt_s) / rtt_s;
    weight = at->error / fmax(at->error + other->error, ZERO);
    at->error = ERROR_GAIN * weight * wrong +
                at->error * (1.0 - ERROR_GAIN * weight);
    at->error = fmin(at->error, ERROR_MAX);
    apply_force(client, FORCE_GAIN * weight * (rtt_s - distance), other);
}

static void adjust(struct serf_coordinate_client *client,
                   const struct gossip_coordinate *other, double rtt_s)
{
    double sum = 0;
    size_t i;

    client->adjustments[client->adjustment_next] =
        rtt_s - raw_distance(&client->at, other);
    client->adjustment_next =
        (client->adjustment_next + 1) % SERF_ADJUSTMENT_SLOTS;
    for (i = 0; i < SERF_ADJUSTMENT_SLOTS; i++)
        sum += client->adjustments[i];
    client->at.adjustment = sum / (2.0 * SERF_ADJUSTMENT_SLOTS);
}

/* Keeps the whole pool from drifting away from the middle. */
static void pull_to_origin(struct serf_coordinate_client *client)
{
    double distance =
        (double)gossip_coordinate_rtt_ns(&initial, &client->at) / NS_PER_S;
    double pull = distance / GRAVITY_RHO;

    apply_force(client, -(pull * pull), &initial);
}

int serf_coordinate_update(struct serf_coordinate_client *client,
                           struct serf_place *place,
                           const struct gossip_coordinate *other,
                           uint64_t rtt_ns)
{
    double rtt_s;

    if (!serf_coordinate_is_finite(other) || rtt_ns > RTT_NS_MAX)
        return GOSSIP_EINVAL;
    rtt_s = filter_latency(place, (double)rtt_ns / NS_PER_S);
    move(client, other, rtt_s);
    adjust(client, other, rtt_s);
    pull_to_origin(client);
    if (!serf_coordinate_is_finite(&client->at)) {
        client->at = initial;
        client->reset_count++;
    }
    place->at = *other;
    place->known = true;
    return 0;
}
