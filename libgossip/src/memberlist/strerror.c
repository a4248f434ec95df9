/* Words for error numbers, from the one list in gossip/error.h. */
#include "gossip/error.h"

#include "base/error.h"

const char *gossip_strerror(int err)
{
    switch (err) {
    case 0: return "success";
#define X(name, number, words)                                               \
    case number: return words;
        GOSSIP_ERROR_MAP(X)
#undef X
    default: return base_strerror(err);
    }
}
