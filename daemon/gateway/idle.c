/* The earliest of what may run out is what the timer waits for. */
#include "gateway/idle.h"

static uint64_t answer_due_ms(const struct idle *idle)
{
    return idle->answered || idle->answer_ms == 0
               ? UINT64_MAX
               : idle->began_ms + idle->answer_ms;
}

static uint64_t due_ms(const struct idle *idle)
{
    uint64_t due =
        idle->moved_ms + (idle->half ? idle->half_idle_ms : idle->idle_ms);
    uint64_t answer_due = answer_due_ms(idle);

    return answer_due < due ? answer_due : due;
}

static void wait_on(struct idle *idle)
{
    uint64_t now = base_env_now_ms(idle->timer.env);
    uint64_t due = due_ms(idle);

    base_timer_start_ms(&idle->timer, due > now ? due - now : 0);
}

void idle_start(struct idle *idle, struct base_env *env,
                void (*fire)(void *arg), void *arg)
{
    base_timer_init(&idle->timer, env, "gateway-idle", fire, arg);
    idle->began_ms = idle->moved_ms = base_env_now_ms(env);
    idle->half = idle->answered = false;
    wait_on(idle);
}

void idle_stop(struct idle *idle)
{
    base_timer_stop(&idle->timer);
}

void idle_set_half(struct idle *idle)
{
    idle->half = true;
    idle_note(idle);
    wait_on(idle);
}

bool idle_is_unanswered(const struct idle *idle)
{
    return base_env_now_ms(idle->timer.env) >= answer_due_ms(idle);
}

bool idle_is_over(struct idle *idle)
{
    if (base_env_now_ms(idle->timer.env) >= due_ms(idle))
        return true;
    wait_on(idle);
    return false;
}
