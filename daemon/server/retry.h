/*
 * Which failures of a call say nothing about the call itself, so that another
 * server, or a moment later, may bring a better answer.
 */
#ifndef SERVER_RETRY_H
#define SERVER_RETRY_H

#include <stdbool.h>

/** True for failures of the way there, or of a server that does not lead. */
bool retry_helps(int status);

#endif
