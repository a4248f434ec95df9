/*
 * Parses the syntax that regex.h lists into a tree. Recursion follows groups
 * and is bounded; a pattern of n bytes makes O(n) nodes.
 */
#include <string.h>

#include "base/alloc.h"
#include "gossip/error.h"
#include "serf/regex.h"
#include "serf/regex_tree.h"

struct parser {
    struct serf_regex_tree *tree;
    const uint8_t *at;
    const uint8_t *end;
    bool fold;
    bool dot_all;
    bool failed;
    unsigned depth;
};

/* POSIX class names, and what a backslash and a letter stand for. */
static const struct {
    const char *name;
    char letter;
    struct serf_regex_range ranges[5];
    uint32_t count;
} classes[] = {
    {"digit", 'd', {{'0', '9'}}, 1},
    {"word", 'w', {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, 4},
    {"", 's', {{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}}, 3},
    {"space", 0, {{'\t', '\r'}, {' ', ' '}}, 2},
    {"alnum", 0, {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}, 3},
    {"alpha", 0, {{'A', 'Z'}, {'a', 'z'}}, 2},
    {"ascii", 0, {{0, 127}}, 1},
    {"blank", 0, {{'\t', '\t'}, {' ', ' '}}, 2},
    {"cntrl", 0, {{0, 31}, {127, 127}}, 2},
    {"graph", 0, {{'!', '~'}}, 1},
    {"lower", 0, {{'a', 'z'}}, 1},
    {"print", 0, {{' ', '~'}}, 1},
    {"punct", 0, {{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}, 4},
    {"upper", 0, {{'A', 'Z'}}, 1},
    {"xdigit", 0, {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}, 3},
};

uint32_t serf_rune(const uint8_t *text, size_t len, size_t *width)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t need = text[0] < 0x80 ? 1 : text[0] >= 0xf0 ? 4
                                   : text[0] >= 0xe0   ? 3
                                                       : 2;
    uint32_t rune = text[0] & (need == 1 ? 0x7fu : 0x7fu >> need);
    size_t i;

    *width = 1;
    if (need == 1)
        return rune;
    if (text[0] < 0xc2 || text[0] > 0xf4 || need > len)
        return 0xfffd;
    for (i = 1; i < need; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0xfffd;
        rune = rune << 6 | (text[i] & 0x3fu);
    }
    if (rune < least[need] || rune > SERF_RUNE_MAX ||
        (rune >= 0xd800 && rune <= 0xdfff))
        return 0xfffd;
    *width = need;
    return rune;
}

static void fail(struct parser *parser)
{
    parser->failed = true;
    parser->at = parser->end;
}

static bool more(const struct parser *parser)
{
    return parser->at < parser->end;
}

static bool take(struct parser *parser, const char *text)
{
    size_t len = strlen(text);

    if ((size_t)(parser->end - parser->at) < len ||
        memcmp(parser->at, text, len) != 0)
        return false;
    parser->at += len;
    return true;
}

static uint32_t take_rune(struct parser *parser)
{
    size_t width;
    uint32_t rune;

    if (!more(parser)) {
        fail(parser);
        return 0;
    }
    rune = serf_rune(parser->at, (size_t)(parser->end - parser->at), &width);
    parser->at += width;
    return rune;
}

static uint32_t add_node(struct parser *parser, enum serf_regex_kind kind)
{
    struct serf_regex_tree *tree = parser->tree;

    if (tree->node_count == tree->node_cap) {
        tree->node_cap = tree->node_cap == 0 ? 32 : tree->node_cap * 2;
        tree->nodes = base_reallocarray(tree->nodes, tree->node_cap,
                                        sizeof(tree->nodes[0]));
    }
    tree->nodes[tree->node_count] =
        (struct serf_regex_node){.kind = kind,
                                 .fold = parser->fold,
                                 .range_first = tree->range_count};
    return tree->node_count++;
}

static uint32_t add_pair(struct parser *parser, enum serf_regex_kind kind,
                         uint32_t left, uint32_t right)
{
    uint32_t node = add_node(parser, kind);

    parser->tree->nodes[node].left = left;
    parser->tree->nodes[node].right = right;
    return node;
}

/* Ranges of one set are added while it is the newest. */
static void add_range(struct parser *parser, uint32_t low, uint32_t high)
{
    struct serf_regex_tree *tree = parser->tree;

    if (tree->range_count == tree->range_cap) {
        tree->range_cap = tree->range_cap == 0 ? 32 : tree->range_cap * 2;
        tree->ranges = base_reallocarray(tree->ranges, tree->range_cap,
                                         sizeof(tree->ranges[0]));
    }
    tree->ranges[tree->range_count++] = (struct serf_regex_range){low, high};
}

/* The ranges of a class are in ascending order: the gaps are its opposite. */
static void add_class(struct parser *parser, size_t index, bool negated)
{
    uint32_t from = 0;
    uint32_t i;

    for (i = 0; i < classes[index].count; i++) {
        struct serf_regex_range range = classes[index].ranges[i];

        if (!negated)
            add_range(parser, range.low, range.high);
        else if (range.low > from)
            add_range(parser, from, range.low - 1);
        from = range.high + 1;
    }
    if (negated)
        add_range(parser, from, SERF_RUNE_MAX);
}

/* \d and its kin; false if the letter is none of them. */
static bool add_letter_class(struct parser *parser, uint32_t letter)
{
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(classes); i++) {
        uint32_t own = (uint32_t)classes[i].letter;

        if (own == 0 || (letter | 0x20) != own)
            continue;
        add_class(parser, i, letter != own);
        return true;
    }
    return false;
}

static uint32_t hex_digit(struct parser *parser)
{
    uint32_t rune = take_rune(parser);

    if (rune >= '0' && rune <= '9')
        return rune - '0';
    if ((rune | 0x20) >= 'a' && (rune | 0x20) <= 'f')
        return (rune | 0x20) - 'a' + 10;
    fail(parser);
    return 0;
}

static uint32_t hex_rune(struct parser *parser)
{
    uint32_t rune = 0;

    if (!take(parser, "{")) {
        rune = hex_digit(parser) << 4;
        return rune | hex_digit(parser);
    }
    do {
        rune = rune << 4 | hex_digit(parser);
        if (rune > SERF_RUNE_MAX)
            fail(parser);
    } while (!parser->failed && !take(parser, "}"));
    return rune;
}

/* What follows a backslash and stands for one code point. */
static uint32_t escaped_rune(struct parser *parser, uint32_t letter)
{
    static const char names[] = "nrtfva";
    static const char values[] = "\n\r\t\f\v\a";
    const char *at = letter < 128 && letter != 0
                         ? strchr(names, (int)letter)
                         : NULL;

    if (at != NULL)
        return (uint32_t)values[at - names];
    if (letter == 'x')
        return hex_rune(parser);
    if (letter < 128 && ((letter >= '0' && letter <= '9') ||
                         (letter >= 'a' && letter <= 'z') ||
                         (letter >= 'A' && letter <= 'Z')))
        fail(parser);
    return letter;
}

static bool take_named_class(struct parser *parser)
{
    const uint8_t *start = parser->at;
    size_t i;

    for (i = 0; i < BASE_COUNT_OF(classes); i++) {
        bool negated;

        if (classes[i].name[0] == '\0' || !take(parser, "[:"))
            continue;
        negated = take(parser, "^");
        if (take(parser, classes[i].name) && take(parser, ":]")) {
            add_class(parser, i, negated);
            return true;
        }
        parser->at = start;
    }
    return false;
}

/* One end of a range. */
static uint32_t set_rune(struct parser *parser)
{
    if (take(parser, "\\"))
        return escaped_rune(parser, take_rune(parser));
    return take_rune(parser);
}

static void set_item(struct parser *parser)
{
    const uint8_t *start = parser->at;
    uint32_t low;
    uint32_t high;

    if (take_named_class(parser))
        return;
    if (take(parser, "[:")) {
        fail(parser); /* a name that is none */
        return;
    }
    if (take(parser, "\\")) {
        if (add_letter_class(parser, take_rune(parser)))
            return;
        parser->at = start;
    }
    low = high = set_rune(parser);
    if (parser->end - parser->at >= 2 && parser->at[0] == '-' &&
        parser->at[1] != ']') {
        parser->at++;
        high = set_rune(parser);
    }
    if (high < low)
        fail(parser);
    add_range(parser, low, high);
}

static uint32_t close_set(struct parser *parser, uint32_t node)
{
    struct serf_regex_node *set = &parser->tree->nodes[node];

    set->range_count = parser->tree->range_count - set->range_first;
    return node;
}

static uint32_t parse_set(struct parser *parser)
{
    uint32_t node = add_node(parser, SERF_REGEX_SET);
    bool first = true;

    parser->tree->nodes[node].negated = take(parser, "^");
    while (!parser->failed && (first || !take(parser, "]"))) {
        first = false;
        set_item(parser);
    }
    return close_set(parser, node);
}

static uint32_t one_rune(struct parser *parser, uint32_t rune)
{
    uint32_t node = add_node(parser, SERF_REGEX_SET);

    add_range(parser, rune, rune);
    return close_set(parser, node);
}

static uint32_t parse_dot(struct parser *parser)
{
    uint32_t node = add_node(parser, SERF_REGEX_SET);

    parser->tree->nodes[node].negated = true;
    if (!parser->dot_all)
        add_range(parser, '\n', '\n');
    return close_set(parser, node);
}

static uint32_t parse_escape(struct parser *parser)
{
    uint32_t letter = take_rune(parser);
    uint32_t node;

    switch (letter) {
    case 'A':
        return add_node(parser, SERF_REGEX_BEGIN);
    case 'z':
        return add_node(parser, SERF_REGEX_END);
    case 'b':
        return add_node(parser, SERF_REGEX_WORD);
    case 'B':
        return add_node(parser, SERF_REGEX_NOT_WORD);
    default:
        break;
    }
    node = add_node(parser, SERF_REGEX_SET);
    if (!add_letter_class(parser, letter)) {
        uint32_t rune = escaped_rune(parser, letter);

        add_range(parser, rune, rune);
    }
    return close_set(parser, node);
}

static uint32_t parse_alternatives(struct parser *parser);

static void skip_group_name(struct parser *parser)
{
    const uint8_t *start = parser->at;

    while (more(parser) && *parser->at != '>')
        parser->at++;
    if (parser->at == start || !take(parser, ">"))
        fail(parser);
}

/* After "(?": flags up to ":" or ")". True if the group goes on. */
static bool parse_flags(struct parser *parser)
{
    bool on = true;

    while (!parser->failed) {
        switch (take_rune(parser)) {
        case 'i': parser->fold = on; break;
        case 's': parser->dot_all = on; break;
        case '-': on = false; break;
        case ':': return true;
        case ')': return false;
        default: fail(parser);
        }
    }
    return false;
}

static uint32_t parse_group(struct parser *parser)
{
    bool fold = parser->fold;
    bool dot_all = parser->dot_all;
    uint32_t node;

    if (take(parser, "?P<") || take(parser, "?<"))
        skip_group_name(parser);
    else if (take(parser, "?") && !parse_flags(parser))
        return add_node(parser, SERF_REGEX_EMPTY); /* flags to the end */
    if (++parser->depth > SERF_REGEX_DEPTH_MAX)
        fail(parser);
    node = parse_alternatives(parser);
    parser->depth--;
    if (!take(parser, ")"))
        fail(parser);
    parser->fold = fold;
    parser->dot_all = dot_all;
    return node;
}

static uint32_t parse_atom(struct parser *parser)
{
    uint32_t rune = take_rune(parser);

    switch (rune) {
    case '.': return parse_dot(parser);
    case '[': return parse_set(parser);
    case '(': return parse_group(parser);
    case '\\': return parse_escape(parser);
    case '^': return add_node(parser, SERF_REGEX_BEGIN);
    case '$': return add_node(parser, SERF_REGEX_END);
    case '*':
    case '+':
    case '?':
        fail(parser); /* nothing to repeat */
        return 0;
    default: return one_rune(parser, rune);
    }
}

static bool take_number(struct parser *parser, uint32_t *out)
{
    const uint8_t *start = parser->at;

    *out = 0;
    while (more(parser) && *parser->at >= '0' && *parser->at <= '9') {
        if (*out <= SERF_REGEX_REPEAT_MAX)
            *out = *out * 10 + (uint32_t)(*parser->at - '0');
        parser->at++;
    }
    return parser->at > start;
}

/* {n} {n,} {n,m}; anything else that starts so is literal text. */
static bool take_counts(struct parser *parser, uint32_t *min, uint32_t *max)
{
    const uint8_t *start = parser->at;

    if (take(parser, "{") && take_number(parser, min)) {
        *max = *min;
        if (take(parser, ",") && !take_number(parser, max))
            *max = SERF_REGEX_ENDLESS;
        if (take(parser, "}")) {
            if (*min > SERF_REGEX_REPEAT_MAX || *max < *min ||
                (*max != SERF_REGEX_ENDLESS && *max > SERF_REGEX_REPEAT_MAX))
                fail(parser);
            return true;
        }
    }
    parser->at = start;
    return false;
}

static bool take_repeat(struct parser *parser, uint32_t *min, uint32_t *max)
{
    *min = 0;
    *max = SERF_REGEX_ENDLESS;
    if (take(parser, "*"))
        return true;
    if (take(parser, "+")) {
        *min = 1;
        return true;
    }
    if (take(parser, "?")) {
        *max = 1;
        return true;
    }
    return take_counts(parser, min, max);
}

static uint32_t parse_repeat(struct parser *parser)
{
    uint32_t node = parse_atom(parser);
    uint32_t min;
    uint32_t max;

    if (parser->failed || !take_repeat(parser, &min, &max))
        return node;
    (void)take(parser, "?"); /* lazy or not: it matches the same texts */
    node = add_pair(parser, SERF_REGEX_REPEAT, node, SERF_REGEX_NONE);
    parser->tree->nodes[node].min = min;
    parser->tree->nodes[node].max = max;
    if (take_repeat(parser, &min, &max))
        fail(parser); /* a**: refused, as RE2 does */
    return node;
}

static uint32_t parse_sequence(struct parser *parser)
{
    uint32_t node = add_node(parser, SERF_REGEX_EMPTY);

    while (more(parser) && *parser->at != '|' && *parser->at != ')')
        node = add_pair(parser, SERF_REGEX_CAT, node, parse_repeat(parser));
    return node;
}

static uint32_t parse_alternatives(struct parser *parser)
{
    uint32_t node = parse_sequence(parser);

    while (take(parser, "|"))
        node =
            add_pair(parser, SERF_REGEX_ALT, node, parse_sequence(parser));
    return node;
}

int serf_regex_parse(struct serf_regex_tree *tree, const uint8_t *pattern,
                     size_t len)
{
    struct parser parser = {.tree = tree, .at = pattern, .end = pattern + len};

    memset(tree, 0, sizeof(*tree));
    if (len > SERF_REGEX_BYTES_MAX)
        return GOSSIP_EINVAL;
    tree->root = parse_alternatives(&parser);
    return parser.failed || more(&parser) ? GOSSIP_EINVAL : 0;
}

void serf_regex_tree_close(struct serf_regex_tree *tree)
{
    base_free(tree->nodes);
    base_free(tree->ranges);
    memset(tree, 0, sizeof(*tree));
}
