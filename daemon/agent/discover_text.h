/*
 * A discovery string, taken apart. Pure.
 */
#ifndef AGENT_DISCOVER_TEXT_H
#define AGENT_DISCOVER_TEXT_H

#include "base/addr.h"

enum discover_kind {
    DISCOVER_TARGET, /* no discovery string: a target as it stands */
    DISCOVER_DNS_A,
    DISCOVER_DNS_SRV,
    DISCOVER_FILE
};

struct discover_text {
    enum discover_kind kind;
    char value[512]; /* the name, or the path */
};

/** 0, or BASE_EPARSE with a static sentence in *why. */
int discover_text_parse(struct discover_text *out, const char *text,
                        const char **why);

#endif
