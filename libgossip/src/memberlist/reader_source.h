/* The layers round a stream's message, which give its plain bytes piece by
 * piece. Private to the reader. */
#ifndef MEMBERLIST_READER_SOURCE_H
#define MEMBERLIST_READER_SOURCE_H

#include "memberlist/reader.h"

/** Appends some bytes to reader->plain, taking from data[0..len); *used is
 * raised by what was taken. 0 (something was done), ML_READER_MORE,
 * ML_READER_WAIT or an error. */
int ml_reader_refill(struct ml_reader *reader, const uint8_t *data, size_t len,
                     size_t *used);

#endif
