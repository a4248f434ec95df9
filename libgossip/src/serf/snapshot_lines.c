/* Reading and writing the lines of a snapshot. */
#include "serf/snapshot_lines.h"

#include <string.h>

#include "base/alloc.h"
#include "gossip/transport.h"
#include "serf/lamport.h"
#include "serf/members.h"

#define FAILED "# failed: "

/* One line without its newline, and what follows its keyword. */
struct line {
    const char *at;
    size_t len;
};

static struct serf_known *known_at(const struct serf_name_table *table,
                                   size_t i)
{
    return (struct serf_known *)(void *)table->all[i];
}

static void remove_name(struct serf_name_table *table, const char *name)
{
    struct serf_named *known = serf_name_table_find(table, name);

    if (known == NULL)
        return;
    serf_name_table_remove(table, known);
    base_free(known);
}

static void clear(struct serf_name_table *table)
{
    while (table->count > 0)
        remove_name(table, table->all[table->count - 1]->name);
}

static bool put_name(struct serf_name_table *table, const char *name,
                     const struct base_addr *addr)
{
    struct serf_known *known =
        (struct serf_known *)(void *)serf_name_table_find(table, name);
    size_t name_bytes = strlen(name) + 1;

    if (known == NULL) {
        if (table->count >= SERF_MEMBERS_MAX)
            return false;
        known = base_calloc(1, sizeof(*known) + name_bytes);
        memcpy(known->name, name, name_bytes);
        known->named.name = known->name;
        serf_name_table_add(table, &known->named);
    }
    known->addr = *addr;
    return true;
}

void serf_snapshot_state_init(struct serf_snapshot_state *state, uint64_t key)
{
    memset(state, 0, sizeof(*state));
    serf_name_table_init(&state->alive, key);
    serf_name_table_init(&state->failed, key);
}

void serf_snapshot_state_forget(struct serf_snapshot_state *state)
{
    clear(&state->alive);
    clear(&state->failed);
}

void serf_snapshot_state_close(struct serf_snapshot_state *state)
{
    serf_snapshot_state_forget(state);
    serf_name_table_close(&state->alive);
    serf_name_table_close(&state->failed);
}

bool serf_snapshot_state_alive(struct serf_snapshot_state *state,
                               const char *name, const struct base_addr *addr)
{
    remove_name(&state->failed, name);
    return put_name(&state->alive, name, addr);
}

void serf_snapshot_state_gone(struct serf_snapshot_state *state,
                              const char *name)
{
    remove_name(&state->alive, name);
    remove_name(&state->failed, name);
}

bool serf_snapshot_state_failed(struct serf_snapshot_state *state,
                                const char *name, const struct base_addr *addr)
{
    remove_name(&state->alive, name);
    return put_name(&state->failed, name, addr);
}

/* True if the line begins with the keyword; *rest is what follows. */
static bool starts(struct line line, const char *keyword, struct line *rest)
{
    size_t len = strlen(keyword);

    if (line.len < len || memcmp(line.at, keyword, len) != 0)
        return false;
    rest->at = line.at + len;
    rest->len = line.len - len;
    return true;
}

static bool copy_name(char out[GOSSIP_NAME_MAX + 1], struct line name)
{
    if (name.len == 0 || name.len > GOSSIP_NAME_MAX ||
        memchr(name.at, '\0', name.len) != NULL)
        return false;
    memcpy(out, name.at, name.len);
    out[name.len] = '\0';
    return true;
}

/* The name is everything up to the last space: names may have some. */
static bool read_known(struct serf_snapshot_state *state, struct line rest,
                       bool (*apply)(struct serf_snapshot_state *state,
                                     const char *name,
                                     const struct base_addr *addr))
{
    const char *space = memrchr(rest.at, ' ', rest.len);
    char text[BASE_ADDR_TEXT_MAX];
    char name[GOSSIP_NAME_MAX + 1];
    struct base_addr addr;
    size_t addr_len;

    if (space == NULL)
        return false;
    addr_len = (size_t)(rest.at + rest.len - space - 1);
    if (addr_len >= sizeof(text) ||
        !copy_name(name, (struct line){rest.at, (size_t)(space - rest.at)}))
        return false;
    memcpy(text, space + 1, addr_len);
    text[addr_len] = '\0';
    return base_addr_parse(&addr, text, 0) == 0 && apply(state, name, &addr);
}

static bool read_gone(struct serf_snapshot_state *state, struct line rest)
{
    char name[GOSSIP_NAME_MAX + 1];

    if (!copy_name(name, rest))
        return false;
    serf_snapshot_state_gone(state, name);
    return true;
}

static bool read_clock(uint64_t *clock, struct line rest)
{
    uint64_t value = 0;
    size_t i;

    if (rest.len == 0 || rest.len > 19) /* below 2^64 whatever they are */
        return false;
    for (i = 0; i < rest.len; i++) {
        if (rest.at[i] < '0' || rest.at[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(rest.at[i] - '0');
    }
    if (!serf_ltime_ok(value))
        return false;
    *clock = value;
    return true;
}

static bool read_line(struct serf_snapshot_state *state, struct line line,
                      bool rejoin_after_leave)
{
    struct line rest;

    if (starts(line, "alive: ", &rest))
        return read_known(state, rest, serf_snapshot_state_alive);
    if (starts(line, FAILED, &rest))
        return read_known(state, rest, serf_snapshot_state_failed);
    if (starts(line, "not-alive: ", &rest))
        return read_gone(state, rest);
    if (starts(line, "clock: ", &rest))
        return read_clock(&state->clock, rest);
    if (starts(line, "event-clock: ", &rest))
        return read_clock(&state->event_clock, rest);
    if (starts(line, "query-clock: ", &rest))
        return read_clock(&state->query_clock, rest);
    if (starts(line, "coordinate: ", &rest) || starts(line, "#", &rest))
        return true;
    if (starts(line, "leave", &rest) && rest.len == 0) {
        if (!rejoin_after_leave) {
            serf_snapshot_state_forget(state);
            state->clock = state->event_clock = state->query_clock = 0;
        }
        return true;
    }
    return false;
}

void serf_snapshot_read(struct serf_snapshot_state *state, const char *text,
                        size_t len, bool rejoin_after_leave, size_t *bad,
                        size_t *whole)
{
    const char *at = text;
    const char *end = text + len;

    *bad = 0;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));

        if (newline == NULL)
            break;
        *bad += !read_line(state, (struct line){at, (size_t)(newline - at)},
                           rejoin_after_leave);
        at = newline + 1;
    }
    *whole = (size_t)(at - text);
}

void serf_put_alive_line(struct base_buf *out, const char *name,
                         const struct base_addr *addr)
{
    char text[BASE_ADDR_TEXT_MAX];

    base_buf_printf(out, "alive: %s %s\n", name, base_addr_format(addr, text));
}

void serf_put_failed_line(struct base_buf *out, const char *name,
                          const struct base_addr *addr)
{
    char text[BASE_ADDR_TEXT_MAX];

    base_buf_printf(out, FAILED "%s %s\n", name,
                    base_addr_format(addr, text));
}

void serf_snapshot_write(struct base_buf *out,
                         const struct serf_snapshot_state *state)
{
    size_t i;

    for (i = 0; i < state->alive.count; i++) {
        const struct serf_known *known = known_at(&state->alive, i);

        serf_put_alive_line(out, known->name, &known->addr);
    }
    for (i = 0; i < state->failed.count; i++) {
        const struct serf_known *known = known_at(&state->failed, i);

        serf_put_failed_line(out, known->name, &known->addr);
    }
    base_buf_printf(out, "clock: %llu\nevent-clock: %llu\nquery-clock: %llu\n",
                    (unsigned long long)state->clock,
                    (unsigned long long)state->event_clock,
                    (unsigned long long)state->query_clock);
}
