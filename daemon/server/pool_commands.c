/*
 * Commands: an errand goes from the main loop to serf on the gossip loop and
 * comes home with the outcome.
 */
#include <string.h>

#include "base/alloc.h"
#include "gossip/error.h"
#include "server/pool_private.h"

/* ---- errands -------------------------------------------------------------- */

static void drop_errand(struct mail *mail)
{
    struct errand *errand = (struct errand *)mail;

    errand->drop(errand);
}

static void on_home(struct mail *mail)
{
    struct errand *errand = (struct errand *)mail;

    mail_end(mail);
    errand->home(errand);
    errand->drop(errand);
}

void errand_over(struct errand *errand, int status)
{
    errand->status = status;
    if (mail_send(&errand->mail, errand->pool->main, on_home) == 0)
        return;
    mail_end(&errand->mail);
    errand->drop(errand);
}

static void on_errand(struct mail *mail)
{
    struct errand *errand = (struct errand *)mail;

    errand->run(errand);
}

int errand_send(struct pool *pool, struct errand *errand)
{
    int rv;

    errand->pool = pool;
    mail_open(&pool->mail, &errand->mail, drop_errand);
    rv = mail_send(&errand->mail, pool->gossip, on_errand);
    if (rv != 0) {
        mail_end(&errand->mail);
        errand->drop(errand);
    }
    return rv;
}

/* ---- join, leave, force-leave --------------------------------------------- */

struct command {
    struct errand errand;
    char **texts;
    size_t text_count;
    bool prune;
    size_t joined;
    pool_join_fn on_join;
    pool_done_fn on_done;
    void *arg;
};

static void command_free(struct errand *errand)
{
    struct command *command = (struct command *)errand;
    size_t i;

    for (i = 0; i < command->text_count; i++)
        base_free(command->texts[i]);
    base_free(command->texts);
    base_free(command);
}

static void command_home(struct errand *errand)
{
    struct command *command = (struct command *)errand;

    if (command->on_join)
        command->on_join(command->arg, errand->status, command->joined);
    else if (command->on_done)
        command->on_done(command->arg, errand->status);
}

static struct command *command_new(void (*run)(struct errand *errand),
                                   const char *const *texts, size_t count)
{
    struct command *command;
    size_t i;

    BASE_NEW(command);
    command->errand.run = run;
    command->errand.home = command_home;
    command->errand.drop = command_free;
    command->texts = base_calloc(count + 1, sizeof(char *));
    command->text_count = count;
    for (i = 0; i < count; i++)
        command->texts[i] = base_strdup(texts[i]);
    return command;
}

static void on_joined(void *arg, int status, size_t joined)
{
    struct command *command = arg;

    command->joined = joined;
    errand_over(&command->errand, status);
}

static void on_done(void *arg, int status)
{
    errand_over(arg, status);
}

static void run_join(struct errand *errand)
{
    struct command *command = (struct command *)errand;
    int rv = gossip_serf_join(
        errand->pool->serf, (const char *const *)command->texts,
        command->text_count, errand->pool->config.default_port, false,
        on_joined, command);

    if (rv != 0)
        errand_over(errand, rv);
}

static void run_leave(struct errand *errand)
{
    int rv = gossip_serf_leave(errand->pool->serf, on_done, errand);

    if (rv != 0)
        errand_over(errand, rv);
}

static void run_force_leave(struct errand *errand)
{
    struct command *command = (struct command *)errand;
    int rv = gossip_serf_force_leave(errand->pool->serf, command->texts[0],
                                     command->prune, on_done, errand);

    if (rv != 0)
        errand_over(errand, rv);
}

int pool_join(struct pool *pool, const char *const *targets, size_t count,
              pool_join_fn done, void *arg)
{
    struct command *command = command_new(run_join, targets, count);

    command->on_join = done;
    command->arg = arg;
    return errand_send(pool, &command->errand);
}

int pool_leave(struct pool *pool, pool_done_fn done, void *arg)
{
    struct command *command = command_new(run_leave, NULL, 0);

    command->on_done = done;
    command->arg = arg;
    return errand_send(pool, &command->errand);
}

int pool_force_leave(struct pool *pool, const char *name, bool prune,
                     pool_done_fn done, void *arg)
{
    struct command *command = command_new(run_force_leave, &name, 1);

    command->prune = prune;
    command->on_done = done;
    command->arg = arg;
    return errand_send(pool, &command->errand);
}

/* ---- user events ---------------------------------------------------------- */

struct firing {
    struct errand errand;
    char *name;
    void *payload;
    size_t payload_len;
    uint64_t ltime;
    pool_event_fn done;
    void *arg;
};

static void firing_free(struct errand *errand)
{
    struct firing *firing = (struct firing *)errand;

    base_free(firing->name);
    base_free(firing->payload);
    base_free(firing);
}

static void firing_home(struct errand *errand)
{
    struct firing *firing = (struct firing *)errand;

    if (firing->done)
        firing->done(firing->arg, errand->status, firing->ltime);
}

static void run_firing(struct errand *errand)
{
    struct firing *firing = (struct firing *)errand;
    struct gossip_serf *serf = errand->pool->serf;

    /* The event takes the clock as it stands (gossip.md 3.2). */
    firing->ltime = gossip_serf_stats(serf).event_time;
    errand_over(errand,
                gossip_serf_user_event(serf, firing->name, firing->payload,
                                       firing->payload_len, false));
}

int pool_user_event(struct pool *pool, const char *name, const void *payload,
                    size_t len, pool_event_fn done, void *arg)
{
    struct firing *firing;

    BASE_NEW(firing);
    firing->errand.run = run_firing;
    firing->errand.home = firing_home;
    firing->errand.drop = firing_free;
    firing->name = base_strdup(name);
    firing->payload = len > 0 ? base_memdup(payload, len) : NULL;
    firing->payload_len = len;
    firing->done = done;
    firing->arg = arg;
    return errand_send(pool, &firing->errand);
}

/* ---- coordinates ---------------------------------------------------------- */

struct survey {
    struct errand errand;
    struct pool_coordinate *list;
    size_t count;
    pool_coordinates_fn done;
    void *arg;
};

static void survey_free(struct errand *errand)
{
    struct survey *survey = (struct survey *)errand;
    size_t i;

    for (i = 0; i < survey->count; i++)
        base_free(survey->list[i].node);
    base_free(survey->list);
    base_free(survey);
}

static void survey_home(struct errand *errand)
{
    struct survey *survey = (struct survey *)errand;

    survey->done(survey->arg, errand->status, survey->list, survey->count);
}

static void add_coordinate(void *arg, const struct gossip_member *member)
{
    struct survey *survey = arg;
    struct pool_coordinate *place = &survey->list[survey->count];

    if (!gossip_serf_coordinate(survey->errand.pool->serf, member->name,
                                &place->coordinate))
        return;
    place->node = base_strdup(member->name);
    survey->count++;
}

static void run_survey(struct errand *errand)
{
    struct survey *survey = (struct survey *)errand;
    struct gossip_serf *serf = errand->pool->serf;

    survey->list = base_calloc(gossip_serf_member_count(serf) + 1,
                               sizeof(*survey->list));
    gossip_serf_each_member(serf, add_coordinate, survey);
    errand_over(errand, 0);
}

int pool_coordinates(struct pool *pool, pool_coordinates_fn done, void *arg)
{
    struct survey *survey;

    BASE_NEW(survey);
    survey->errand.run = run_survey;
    survey->errand.home = survey_home;
    survey->errand.drop = survey_free;
    survey->done = done;
    survey->arg = arg;
    return errand_send(pool, &survey->errand);
}
