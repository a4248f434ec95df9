/* A member of a pool as JSON, with Consul's names. */
#ifndef HTTP_MEMBER_JSON_H
#define HTTP_MEMBER_JSON_H

#include <jansson.h>

#include "server/member.h"

json_t *json_from_member(const struct member *member);

#endif
