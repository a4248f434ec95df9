/*
 * Two requests take turns: register until the agent says yes, then "the check
 * passes" every 10 s until it says no (it has lost us, or never knew), then
 * register again. Registering is idempotent, so a doubt costs nothing.
 */
#include "gateway/register.h"

#include <string.h>

#include "base/alloc.h"
#include "fedstate/model.h"
#include "gateway/backoff.h"

#define TIMEOUT_S 10
#define CHECK_TTL "30s"
#define PASS_EVERY_MS 10000u /* two may be lost before the check runs out */

struct registration {
    struct api *api;
    struct base_env *env;
    struct base_log log;
    const struct gateway_options *options;
    struct api_call *call;
    struct base_timer next; /* the next request of either kind */
    bool made;
    unsigned failures;
    void (*left)(void *arg);
    void *left_arg;
};

/* ---- what we register -----------------------------------------------------
 */

static json_t *address_json(const struct base_addr *addr)
{
    char ip[BASE_ADDR_TEXT_MAX];

    return json_pack("{s:s, s:i}", "Address", base_addr_format_ip(addr, ip),
                     "Port", (int)addr->port);
}

static json_t *addresses_json(const struct gateway_options *options)
{
    json_t *tagged = json_object();

    json_object_set_new(tagged, "lan", address_json(&options->address));
    if (options->wan_address.family != 0)
        json_object_set_new(tagged, "wan", address_json(&options->wan_address));
    return tagged;
}

static json_t *meta_json(const struct gateway_options *options)
{
    json_t *meta = json_object();
    size_t i;

    for (i = 0; i < options->meta_count; i++)
        json_object_set_new(meta, options->meta[i].key,
                            json_string(options->meta[i].value));
    if (options->expose_servers)
        json_object_set_new(meta, FEDSTATE_META_FEDERATION, json_string("1"));
    return meta;
}

static char *check_id(const struct gateway_options *options)
{
    return base_asprintf("service:%s", options->service_id);
}

static json_t *service_json(const struct gateway_options *options)
{
    char *id = check_id(options);
    char ip[BASE_ADDR_TEXT_MAX];
    json_t *service = json_pack(
        "{s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:{s:s, s:s, s:s, s:s}}", "Kind",
        FEDSTATE_KIND_GATEWAY, "ID", options->service_id, "Name",
        options->service, "Address", base_addr_format_ip(&options->address, ip),
        "Port", (int)options->address.port, "TaggedAddresses",
        addresses_json(options), "Meta", meta_json(options), "Check", "CheckID",
        id, "Name", "Mesh gateway is running", "TTL", CHECK_TTL, "Status",
        "passing");

    base_free(id);
    return service;
}

/* ---- the turns ------------------------------------------------------------
 */

static void request(void *arg);

static void on_failure(struct registration *registration,
                       const struct api_reply *reply)
{
    registration->failures++;
    if (backoff_is_worth_a_line(registration->failures))
        base_log(&registration->log, BASE_LOG_WARN, "cannot register",
                 kv_int("status", reply->status), kv_str("error", reply->why));
    base_timer_start_ms(&registration->next,
                        backoff_ms(registration->env, registration->failures));
}

static void on_registered(void *arg, const struct api_reply *reply)
{
    struct registration *registration = arg;

    registration->call = NULL;
    if (reply->status != 200) {
        on_failure(registration, reply);
        return;
    }
    registration->failures = 0;
    registration->made = true;
    base_log(&registration->log, BASE_LOG_INFO, "registered",
             kv_str("id", registration->options->service_id),
             kv_addr("lan", &registration->options->address),
             kv_addr("wan", &registration->options->wan_address));
    base_timer_start_ms(&registration->next, PASS_EVERY_MS);
}

static void on_passed(void *arg, const struct api_reply *reply)
{
    struct registration *registration = arg;

    registration->call = NULL;
    if (reply->status == 200) {
        base_timer_start_ms(&registration->next, PASS_EVERY_MS);
        return;
    }
    /* Forgotten, or nobody there: either way the next word is "register". */
    registration->made = false;
    base_timer_start_ns(&registration->next, 0);
}

static void put_service(struct registration *registration)
{
    json_t *service = service_json(registration->options);

    registration->call =
        api_put(registration->api, "/v1/agent/service/register", service,
                TIMEOUT_S, on_registered, registration);
    json_decref(service);
}

static void put_pass(struct registration *registration)
{
    char *id = check_id(registration->options);
    char *escaped = api_escape(id);
    char *path = base_asprintf("/v1/agent/check/pass/%s", escaped);

    registration->call = api_put(registration->api, path, NULL, TIMEOUT_S,
                                 on_passed, registration);
    base_free(path);
    base_free(escaped);
    base_free(id);
}

static void request(void *arg)
{
    struct registration *registration = arg;

    if (registration->made)
        put_pass(registration);
    else
        put_service(registration);
}

void registration_refresh(struct registration *registration)
{
    if (registration->call == NULL && registration->left == NULL)
        base_timer_start_ns(&registration->next, 0);
}

/* ---- the end --------------------------------------------------------------
 */

static void on_left(void *arg, const struct api_reply *reply)
{
    struct registration *registration = arg;

    registration->call = NULL;
    registration->made = false;
    if (reply->status == 200)
        base_log(&registration->log, BASE_LOG_INFO, "deregistered");
    else
        base_log(&registration->log, BASE_LOG_WARN, "cannot deregister",
                 kv_int("status", reply->status), kv_str("error", reply->why));
    registration->left(registration->left_arg);
}

void registration_leave(struct registration *registration,
                        void (*done)(void *arg), void *arg)
{
    char *escaped = api_escape(registration->options->service_id);
    char *path = base_asprintf("/v1/agent/service/deregister/%s", escaped);

    base_timer_stop(&registration->next);
    api_cancel(registration->call);
    registration->left = done;
    registration->left_arg = arg;
    registration->call = api_put(registration->api, path, NULL, TIMEOUT_S,
                                 on_left, registration);
    base_free(path);
    base_free(escaped);
}

/* ---- life -----------------------------------------------------------------
 */

struct registration *registration_new(struct api *api,
                                      const struct gateway_options *options)
{
    struct registration *registration;

    BASE_NEW(registration);
    registration->api = api;
    registration->env = api_env(api);
    registration->log = base_log_named(&registration->env->log, "gateway");
    registration->options = options;
    base_timer_init(&registration->next, registration->env, "register", request,
                    registration);
    request(registration);
    return registration;
}

void registration_free(struct registration *registration)
{
    if (registration == NULL)
        return;
    base_timer_stop(&registration->next);
    api_cancel(registration->call);
    base_free(registration);
}

bool registration_is_made(const struct registration *registration)
{
    return registration->made;
}
