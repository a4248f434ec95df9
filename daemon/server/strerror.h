/* Words for an error of any library: each owns a hundred numbers, so the number
 * says whose it is. */
#ifndef SERVER_STRERROR_H
#define SERVER_STRERROR_H

/** Static storage; any thread. */
const char *server_strerror(int err);

#endif
