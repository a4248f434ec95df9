/* Durations as Go's programs write them: "10s", "1m30s", "250ms". */
#ifndef HTTP_DURATION_H
#define HTTP_DURATION_H

#include <stdint.h>

/** Milliseconds, rounded up. BASE_EPARSE: no number, no unit, an unknown unit,
 * a minus sign, or more than UINT64_MAX / 2. "0" needs no unit. */
int duration_parse_ms(const char *text, uint64_t *out);

#endif
