/*
 * Matching: the tree becomes a program of small steps, and all ways through it
 * are followed at once, text position by text position. So no pattern makes it
 * look at a position more often than the program has steps (Thompson, 1968).
 */
#include "serf/regex.h"

#include <string.h>

#include "base/alloc.h"
#include "gossip/error.h"
#include "serf/regex_tree.h"

enum op { OP_SET, OP_SPLIT, OP_JUMP, OP_ASSERT, OP_MATCH };

struct step {
    enum op op;
    uint32_t node; /* of the tree: SET, ASSERT */
    uint32_t to;   /* SPLIT (the other way is the next step), JUMP */
};

struct program {
    const struct serf_regex_tree *tree;
    struct step steps[SERF_REGEX_STEPS_MAX];
    uint32_t count;
    uint32_t visits; /* of nodes: an empty one repeated makes no steps */
    bool too_large;
};

/* Steps that are waiting for the next code point; a set with fast clear. */
struct threads {
    uint32_t list[SERF_REGEX_STEPS_MAX];
    uint32_t place[SERF_REGEX_STEPS_MAX];
    uint32_t count;
};

struct matcher {
    struct program program;
    struct threads now;
    struct threads next;
    uint32_t stack[SERF_REGEX_STEPS_MAX];
    const uint8_t *text;
    size_t len;
    uint32_t *budget;
};

static uint32_t add_step(struct program *program, enum op op, uint32_t node)
{
    if (program->count == SERF_REGEX_STEPS_MAX) {
        program->too_large = true;
        return 0;
    }
    program->steps[program->count] = (struct step){op, node, 0};
    return program->count++;
}

static void compile(struct program *program, uint32_t index);

static void aim(struct program *program, uint32_t step)
{
    program->steps[step].to = program->count;
}

static void compile_optional(struct program *program, uint32_t index,
                             uint32_t times)
{
    uint32_t i;

    for (i = 0; i < times && !program->too_large; i++) {
        uint32_t split = add_step(program, OP_SPLIT, 0);

        compile(program, index);
        aim(program, split);
    }
}

static void compile_endless(struct program *program, uint32_t index)
{
    uint32_t split = add_step(program, OP_SPLIT, 0);
    uint32_t jump;

    compile(program, index);
    jump = add_step(program, OP_JUMP, 0);
    program->steps[jump].to = split;
    aim(program, split);
}

static void compile_repeat(struct program *program,
                           const struct serf_regex_node *node)
{
    uint32_t i;

    for (i = 0; i < node->min && !program->too_large; i++)
        compile(program, node->left);
    if (node->max == SERF_REGEX_ENDLESS)
        compile_endless(program, node->left);
    else
        compile_optional(program, node->left, node->max - node->min);
}

static void compile_alternative(struct program *program,
                                const struct serf_regex_node *node)
{
    uint32_t split = add_step(program, OP_SPLIT, 0);
    uint32_t jump;

    compile(program, node->left);
    jump = add_step(program, OP_JUMP, 0);
    aim(program, split);
    compile(program, node->right);
    aim(program, jump);
}

static void compile(struct program *program, uint32_t index)
{
    const struct serf_regex_node *node = &program->tree->nodes[index];

    if (++program->visits > 8 * SERF_REGEX_STEPS_MAX)
        program->too_large = true;
    if (program->too_large)
        return;
    switch (node->kind) {
    case SERF_REGEX_EMPTY:
        break;
    case SERF_REGEX_SET:
        add_step(program, OP_SET, index);
        break;
    case SERF_REGEX_CAT:
        compile(program, node->left);
        compile(program, node->right);
        break;
    case SERF_REGEX_ALT:
        compile_alternative(program, node);
        break;
    case SERF_REGEX_REPEAT:
        compile_repeat(program, node);
        break;
    default:
        add_step(program, OP_ASSERT, index);
    }
}

static bool in_ranges(const struct serf_regex_tree *tree,
                      const struct serf_regex_node *set, uint32_t rune)
{
    uint32_t i;

    /* By index: an expression without any range has no array of them. */
    for (i = 0; i < set->range_count; i++) {
        const struct serf_regex_range *range =
            &tree->ranges[set->range_first + i];

        if (rune >= range->low && rune <= range->high)
            return true;
    }
    return false;
}

static bool is_letter(uint32_t rune)
{
    return (rune | 0x20) >= 'a' && (rune | 0x20) <= 'z';
}

static bool set_holds(const struct serf_regex_tree *tree, uint32_t index,
                      uint32_t rune)
{
    const struct serf_regex_node *set = &tree->nodes[index];
    bool found = in_ranges(tree, set, rune);

    if (!found && set->fold && is_letter(rune))
        found = in_ranges(tree, set, rune ^ 0x20);
    return found != set->negated;
}

static bool is_word(uint8_t byte)
{
    return is_letter(byte) || (byte >= '0' && byte <= '9') || byte == '_';
}

static bool assertion_holds(const struct matcher *matcher, uint32_t index,
                            size_t at)
{
    bool before = at > 0 && is_word(matcher->text[at - 1]);
    bool after = at < matcher->len && is_word(matcher->text[at]);

    switch (matcher->program.tree->nodes[index].kind) {
    case SERF_REGEX_BEGIN: return at == 0;
    case SERF_REGEX_END: return at == matcher->len;
    case SERF_REGEX_WORD: return before != after;
    case SERF_REGEX_NOT_WORD: return before == after;
    default: return false;
    }
}

static bool has(const struct threads *threads, uint32_t step)
{
    uint32_t place = threads->place[step];

    return place < threads->count && threads->list[place] == step;
}

/* Adds a step and all that is reached from it without reading. */
static void add_thread(struct matcher *matcher, struct threads *threads,
                       uint32_t start, size_t at)
{
    uint32_t depth = 0;

    matcher->stack[depth++] = start;
    while (depth > 0) {
        uint32_t index = matcher->stack[--depth];

        /* A step enters the set once, so the stack cannot outgrow it. */
        while (!has(threads, index)) {
            const struct step *step = &matcher->program.steps[index];

            threads->place[index] = threads->count;
            threads->list[threads->count++] = index;
            if (step->op == OP_JUMP) {
                index = step->to;
            } else if (step->op == OP_SPLIT) {
                matcher->stack[depth++] = step->to;
                index++;
            } else if (step->op == OP_ASSERT &&
                       assertion_holds(matcher, step->node, at)) {
                index++;
            }
        }
    }
}

/* What looking at a step may cost. */
static uint32_t cost_of(const struct matcher *matcher, const struct step *step)
{
    if (step->op != OP_SET)
        return 1;
    return 1 + matcher->program.tree->nodes[step->node].range_count;
}

static bool spend(struct matcher *matcher, uint32_t cost)
{
    if (*matcher->budget < cost) {
        *matcher->budget = 0;
        return false;
    }
    *matcher->budget -= cost;
    return true;
}

/* One position: false when there is a match, or no budget (*status says). */
static bool advance(struct matcher *matcher, size_t at, size_t *width,
                    int *status)
{
    uint32_t rune = 0;
    uint32_t i;

    *width = 1;
    if (at < matcher->len)
        rune = serf_rune(matcher->text + at, matcher->len - at, width);
    add_thread(matcher, &matcher->now, 0, at);
    matcher->next.count = 0;
    for (i = 0; i < matcher->now.count; i++) {
        uint32_t index = matcher->now.list[i];
        const struct step *step = &matcher->program.steps[index];

        if (step->op == OP_MATCH) {
            *status = 1;
            return false;
        }
        if (!spend(matcher, cost_of(matcher, step))) {
            *status = GOSSIP_EINVAL;
            return false;
        }
        if (step->op == OP_SET && at < matcher->len &&
            set_holds(matcher->program.tree, step->node, rune))
            add_thread(matcher, &matcher->next, index + 1, at + *width);
    }
    return true;
}

static int run(struct matcher *matcher)
{
    int status = 0;
    size_t width;
    size_t at;

    for (at = 0; at <= matcher->len; at += width) {
        if (!advance(matcher, at, &width, &status))
            break;
        memcpy(matcher->now.list, matcher->next.list,
               matcher->next.count * sizeof(matcher->now.list[0]));
        memcpy(matcher->now.place, matcher->next.place,
               sizeof(matcher->now.place));
        matcher->now.count = matcher->next.count;
    }
    return status;
}

int serf_regex_search(const void *pattern, size_t pattern_len,
                      const void *text, size_t text_len, uint32_t *budget)
{
    struct serf_regex_tree tree;
    struct matcher *matcher = NULL;
    int rv = serf_regex_parse(&tree, pattern, pattern_len);

    if (rv == 0) {
        BASE_NEW(matcher);
        matcher->program.tree = &tree;
        matcher->text = text;
        matcher->len = text_len;
        matcher->budget = budget;
        compile(&matcher->program, tree.root);
        add_step(&matcher->program, OP_MATCH, 0);
        rv = matcher->program.too_large ? GOSSIP_EINVAL : run(matcher);
    }
    base_free(matcher);
    serf_regex_tree_close(&tree);
    return rv;
}
