/*
 * What the handlers of an agent's services and checks answer alike.
 * Threads: the main loop.
 */
#ifndef HTTP_SERVICE_API_H
#define HTTP_SERVICE_API_H

#include "http/web.h"

/** Answers when the disk has what was said so far. */
void service_answer_kept(struct web_request *request);
/** What local_state refused, as a 400. */
void service_answer_refused(struct web_request *request, int rv);

#endif
