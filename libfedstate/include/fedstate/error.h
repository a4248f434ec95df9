/* Error numbers of libfedstate: -500 to -599. libbase's pass through. */
#ifndef FEDSTATE_ERROR_H
#define FEDSTATE_ERROR_H

#define FEDSTATE_ERROR_MAP(X)                                                \
    X(FEDSTATE_EINVAL, -501, "invalid argument")                             \
    X(FEDSTATE_EDECODE, -502, "malformed federation state")                  \
    X(FEDSTATE_ENODC, -503,                                                  \
      "invalid request: missing federation state datacenter")                \
    X(FEDSTATE_EOP, -504, "invalid request: unknown operation")              \
    X(FEDSTATE_ESTALE, -505, "the record changed meanwhile, read it again")  \
    X(FEDSTATE_ETOOBIG, -506, "record over the limit")                       \
    X(FEDSTATE_ENOGATEWAY, -507, "no mesh gateway known for that datacenter")\
    X(FEDSTATE_EPRIMARY, -508, "the primary datacenter cannot be reached")   \
    X(FEDSTATE_ENOTPRIMARY, -509,                                            \
      "the datacenter that we take for the primary says that it is not: "    \
      "primary_datacenter differs there")

enum fedstate_error {
#define X(name, number, words) name = number,
    FEDSTATE_ERROR_MAP(X)
#undef X
};

/** Words for a number of libfedstate or libbase. Static storage; any thread. */
const char *fedstate_strerror(int err);

#endif
