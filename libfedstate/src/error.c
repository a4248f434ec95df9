/* Words for the numbers of fedstate/error.h; libbase knows its own. */
#include "fedstate/error.h"

#include "base/error.h"

const char *fedstate_strerror(int err)
{
    switch (err) {
#define X(name, number, words)                                               \
    case name:                                                               \
        return words;
        FEDSTATE_ERROR_MAP(X)
#undef X
    default:
        return base_strerror(err);
    }
}
