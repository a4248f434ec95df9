/*
 * ?near=NODE: answers sorted by the estimated round trip from a node of our
 * LAN pool, the nearest first; "_agent" is this agent's own. What has no
 * coordinate comes last, in the order in which it came.
 * Threads: the main loop.
 */
#ifndef HTTP_NEAR_H
#define HTTP_NEAR_H

#include "http/web.h"

struct near;

/** True if the answer is to be sorted: it is taken over, and the request's
 * on_query comes when that is done. */
bool near_takes(struct web_request *request, Server__QueryReply *reply);
/** Its request goes. */
void near_free(struct near *near);

#endif
