/* A coordinate as the payload of an ack: version byte, then a map. */
#include <string.h>

#include "memberlist/codec.h"
#include "serf/coordinate.h"

#define COORDINATE_VERSION 1u

void serf_coordinate_encode(struct base_buf *out,
                            const struct gossip_coordinate *at)
{
    size_t i;

    base_buf_append_u8(out, COORDINATE_VERSION);
    mp_put_map(out, 4);
    mp_put_text(out, "Adjustment");
    mp_put_double(out, at->adjustment);
    mp_put_text(out, "Error");
    mp_put_double(out, at->error);
    mp_put_text(out, "Height");
    mp_put_double(out, at->height);
    mp_put_text(out, "Vec");
    mp_put_array(out, GOSSIP_COORDINATE_DIMENSIONS);
    for (i = 0; i < GOSSIP_COORDINATE_DIMENSIONS; i++)
        mp_put_double(out, at->vec[i]);
}

/* Distances between spaces of different dimensions mean nothing. */
static bool get_vec(struct base_cursor *in, double *vec)
{
    uint32_t count = mp_get_array(in);
    size_t i;

    if (count != GOSSIP_COORDINATE_DIMENSIONS)
        in->failed = true;
    for (i = 0; i < GOSSIP_COORDINATE_DIMENSIONS && !in->failed; i++)
        vec[i] = mp_get_double(in);
    return !in->failed;
}

int serf_coordinate_decode(struct gossip_coordinate *out, const void *data,
                           size_t len)
{
    struct base_cursor in = base_cursor_of(data, len);
    bool has_vec = false;
    uint32_t pairs;

    memset(out, 0, sizeof(*out));
    if (base_cursor_u8(&in) != COORDINATE_VERSION || in.failed)
        return GOSSIP_EDECODE;
    for (pairs = mp_get_map(&in); pairs > 0 && !in.failed; pairs--) {
        struct mp_bytes key = mp_get_key(&in);

        if (in.failed)
            break;
        if (mp_is(key, "Adjustment"))
            out->adjustment = mp_get_double(&in);
        else if (mp_is(key, "Error"))
            out->error = mp_get_double(&in);
        else if (mp_is(key, "Height"))
            out->height = mp_get_double(&in);
        else if (mp_is(key, "Vec"))
            has_vec = get_vec(&in, out->vec);
        else
            mp_skip(&in);
    }
    return in.failed || !has_vec ? GOSSIP_EDECODE : 0;
}
