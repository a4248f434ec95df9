/* The tree between the parser and the matcher of regular expressions. */
#ifndef SERF_REGEX_TREE_H
#define SERF_REGEX_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SERF_RUNE_MAX 0x10ffffu
#define SERF_REGEX_NONE UINT32_MAX
#define SERF_REGEX_ENDLESS UINT32_MAX /* max of a repeat */

enum serf_regex_kind {
    SERF_REGEX_EMPTY,
    SERF_REGEX_SET,    /* one code point of ranges */
    SERF_REGEX_CAT,    /* left, right */
    SERF_REGEX_ALT,
    SERF_REGEX_REPEAT, /* left, min to max times */
    SERF_REGEX_BEGIN,
    SERF_REGEX_END,
    SERF_REGEX_WORD,   /* a word boundary */
    SERF_REGEX_NOT_WORD
};

struct serf_regex_range {
    uint32_t low;
    uint32_t high;
};

struct serf_regex_node {
    enum serf_regex_kind kind;
    uint32_t left;
    uint32_t right;
    uint32_t min;
    uint32_t max;
    uint32_t range_first;
    uint32_t range_count;
    bool negated;
    bool fold; /* ASCII letters of either case */
};

struct serf_regex_tree {
    struct serf_regex_node *nodes;
    uint32_t node_count;
    uint32_t node_cap;
    struct serf_regex_range *ranges;
    uint32_t range_count;
    uint32_t range_cap;
    uint32_t root;
};

/** Decodes one code point; 0xfffd of width 1 for what is none. len > 0. */
uint32_t serf_rune(const uint8_t *text, size_t len, size_t *width);
/** 0 or GOSSIP_EINVAL; close it either way. */
int serf_regex_parse(struct serf_regex_tree *tree, const uint8_t *pattern,
                     size_t len);
void serf_regex_tree_close(struct serf_regex_tree *tree);

#endif
