/*
 * Services and checks as clients write them: the agent's form (Name, ID,
 * Check, Checks) and the catalog's (Service, ID). What is read is borrowed
 * from the JSON and from the reader.
 * Threads: any; pure.
 */
#ifndef HTTP_SERVICE_FORM_H
#define HTTP_SERVICE_FORM_H

#include "agent/check_spec.h"
#include "http/json_read.h"

struct service_form {
    Fedstate__Service *service;
    Fedstate__Check **checks;
    struct check_spec *specs; /* one a check */
    size_t check_count;
};

/** The agent's form. Checks without id get "service:ID" (with ":1" and so on
 * if there are several). False: see why. */
bool service_form_read(struct json_reader *reader, const json_t *json,
                       struct service_form *out);

/** The catalog's form of a service; never NULL, see reader->why. */
Fedstate__Service *service_from_json(struct json_reader *reader,
                                     const json_t *json, const char *where);
/** The catalog's form of a check. A status that is none of the three is a
 * complaint; none at all is "critical". */
Fedstate__Check *check_from_json(struct json_reader *reader,
                                 const json_t *json, const char *where);
bool is_check_status(const char *status);

#endif
