/* Small things that the files of libfedstate share. */
#ifndef FEDSTATE_INTERNAL_H
#define FEDSTATE_INTERNAL_H

#define FEDSTATE_DC_BYTES_MAX 63 /* one DNS label */

/** <0, 0, >0; names compare without case (federation.md section 2). */
int fedstate_dc_compare(const char *a, const char *b);

#endif
