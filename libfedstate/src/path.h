/*
 * The decision of federation.md section 9 as pure functions of what is known:
 * which way a server of a secondary goes to the primary.
 */
#ifndef FEDSTATE_PATH_H
#define FEDSTATE_PATH_H

#include <stdbool.h>
#include <stdint.h>

#define FEDSTATE_PATH_FAILURES 3u /* in a row, until the leader goes direct */

enum fedstate_path {
    FEDSTATE_PATH_NONE,
    FEDSTATE_PATH_LOCAL,   /* our own gateways */
    FEDSTATE_PATH_DIRECT,  /* the primary's, with the fallback addresses */
    FEDSTATE_PATH_FALLBACK /* the fallback addresses alone */
};

struct fedstate_path_facts {
    bool leader;
    bool stored;      /* replicated states were there when we began to lead */
    bool tried;       /* a replication round has ended since */
    uint32_t failures;/* rounds failed in a row; 0: the last one succeeded */
    bool have_local;  /* a usable gateway of ours */
    bool local_listed;/* our record names gateways, usable or not */
    bool have_primary;/* a usable replicated gateway of the primary */
    bool have_fallback;
    bool never_direct;/* disable_primary_gateway_fallback */
    bool held;        /* the table on disk is not loaded yet */
};

bool fedstate_through_local(const struct fedstate_path_facts *facts);
enum fedstate_path
fedstate_path_to_primary(const struct fedstate_path_facts *facts);

#endif
