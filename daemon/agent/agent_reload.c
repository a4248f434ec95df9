/*
 * A running agent looks at its files again: the configuration, of which it
 * takes what can change (config_reload), the log's file, and certificates. A
 * configuration that cannot be read or breaks a rule changes nothing at all.
 */
#include "agent/agent_private.h"
#include "base/alloc.h"

/* Gossip loop: its contexts are its own. */
static void reload_gossip(void *arg)
{
    struct agent *agent = arg;
    char *why = NULL;

    if (rpc_tls_reload(agent->gossip_tls, &why) != 0)
        base_log(&agent->log, BASE_LOG_ERROR, "reload failed",
                 kv_str("error", why));
    base_free(why);
}

static int reload_certificates(struct agent *agent, char **why)
{
    int rv;

    if (agent->main_tls == NULL)
        return 0;
    rv = rpc_tls_reload(agent->main_tls, why);
    if (rv == 0)
        rv = http_reload(agent->http, why);
    if (rv != 0)
        return rv;
    certificate_age_renew(&agent->certificate_age);
    return base_env_post(base_loop_env(agent->gossip), reload_gossip, agent);
}

static void reload_tokens(struct agent *agent)
{
    const struct config_acl *acl = &agent->config->acl;

    if (agent->acl)
        acl_become(agent->acl, config_acl(agent->config));
    cache_renew(agent->cache);
    local_state_set_token(agent->local, agent_own_token(acl));
    if (agent->server)
        server_set_replication_token(agent->server, acl->replication_token);
}

static void say(struct agent *agent, const char *changed, const char *kept)
{
    if (kept)
        base_log(&agent->log, BASE_LOG_WARN,
                 "changed in the configuration, but needs a new start",
                 kv_str("keys", kept));
    base_log(&agent->log, BASE_LOG_INFO, "read configuration and certificates",
             kv_str("changed", changed ? changed : "none"));
}

int agent_reload_all(void *ctx, char **why)
{
    struct agent *agent = ctx;
    char *changed = NULL, *kept = NULL;
    struct config newer;
    int rv = agent->reread(agent->reread_ctx, &newer, why);

    if (rv == 0) {
        config_reload(agent->config, &newer, &changed, &kept);
        reload_tokens(agent);
        rv = agent_reload_log(agent, why);
    }
    config_close(&newer); /* the tokens that were, nobody has them any more */
    if (rv == 0)
        rv = reload_certificates(agent, why);
    if (rv == 0)
        say(agent, changed, kept);
    base_free(changed);
    base_free(kept);
    return rv;
}
