/* How many connections the process has descriptors for: two each. */
#ifndef GATEWAY_DESCRIPTORS_H
#define GATEWAY_DESCRIPTORS_H

#include <stddef.h>

/** For so many workers, each with its pipes and listeners. 16,384, or fewer if the process's limit, which it raises, is lower. */
size_t descriptors_connections(size_t workers);

#endif
