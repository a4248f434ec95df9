#include "agent/certificate_age.h"

#define LOOK_MS 60000u
#define WARN_EVERY_S (24 * 3600)

static void look(void *arg)
{
    struct certificate_age *age = arg;
    struct base_metrics *metrics = age->env->metrics;
    int64_t now_s = base_env_wall_ns(age->env) / 1000000000;
    int64_t left_s = rpc_tls_not_after(age->tls) - now_s;

    base_gauge_set(base_metrics_gauge(metrics, "isthmus.agent.tls.cert.expiry",
                                      NULL, NULL),
                   left_s);
    if (left_s < CERTIFICATE_WARN_S &&
        (age->warned_s == 0 || now_s - age->warned_s >= WARN_EVERY_S)) {
        age->warned_s = now_s;
        base_log(&age->log, BASE_LOG_WARN,
                 left_s > 0 ? "cert_file ends soon: make a new one and reload"
                            : "cert_file has ended: make a new one and reload",
                 kv_int("days_left", left_s / (24 * 3600)));
    }
    base_timer_start_ms(&age->timer, LOOK_MS);
}

void certificate_age_start(struct certificate_age *age, struct base_env *env,
                           const struct rpc_tls *tls)
{
    *age = (struct certificate_age){
        .env = env, .tls = tls, .log = base_log_named(&env->log, "agent")};
    base_timer_init(&age->timer, env, "certificate", look, age);
    look(age);
}

void certificate_age_renew(struct certificate_age *age)
{
    age->warned_s = 0;
    look(age);
}

void certificate_age_stop(struct certificate_age *age)
{
    if (age->env)
        base_timer_stop(&age->timer);
}
