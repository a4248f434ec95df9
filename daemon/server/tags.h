/* The serf tags that a server shows in its two pools (federation.md section 10). */
#ifndef SERVER_TAGS_H
#define SERVER_TAGS_H

#include "server/server.h"

#define SERVER_TAGS_MAX 16

struct server_tags {
    struct gossip_tag tags[SERVER_TAGS_MAX];
    size_t count;
    char numbers[7][12];
};

/** Values point into tags and config. */
void server_tags_fill(struct server_tags *tags,
                      const struct server_config *config, bool wan);

#endif
