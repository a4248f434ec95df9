/*
 * Files that hold services, for `isthmus services`: JSON as in an agent's
 * configuration, {"service": {...}} or {"services": [{...}, ...]}, each
 * service with the fields of PUT /v1/agent/service/register.
 * Threads: any.
 */
#ifndef CLI_SERVICE_FILE_H
#define CLI_SERVICE_FILE_H

#include <jansson.h>

/** A list of services, the caller's (json_decref); NULL with *why, the
 * caller's. path "-" is standard input. */
json_t *service_file_read(const char *path, char **why);
/** The id that a service will have; "" if it has neither ID nor Name. */
const char *service_file_id(const json_t *service);

#endif
