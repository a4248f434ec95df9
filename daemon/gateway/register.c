/*
 * Two requests take turns: register until the agent says yes, then the check's
 * status every 10 s until it says that it knows no such check, then register
 * again. While the agent cannot be asked the same request is repeated: what an
 * operator has changed of the service meanwhile is not written over.
 */
#include "gateway/register.h"

#include <string.h>

#include "base/alloc.h"
#include "fedstate/model.h"
#include "gateway/backoff.h"

#define TIMEOUT_S 10
#define CHECK_TTL "30s"
#define TELL_EVERY_MS 10000u

struct registration {
    struct api *api;
    struct base_env *env;
    struct base_log log;
    const struct gateway_options *options;
    char *check_id;
    bool exposes;
    bool passing;
    char *words;
    struct api_call *call;
    bool changed; /* while the call was under way */
    struct base_timer next; /* the next request of either kind */
    bool known; /* the agent took it, and never denied it since */
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

static json_t *meta_json(const struct registration *registration)
{
    const struct gateway_options *options = registration->options;
    json_t *meta = json_object();
    size_t i;

    for (i = 0; i < options->meta_count; i++)
        json_object_set_new(meta, options->meta[i].key,
                            json_string(options->meta[i].value));
    if (registration->exposes)
        json_object_set_new(meta, FEDSTATE_META_FEDERATION, json_string("1"));
    return meta;
}

static const char *status_of(const struct registration *registration)
{
    return registration->passing ? "passing" : "critical";
}

static json_t *service_json(const struct registration *registration)
{
    const struct gateway_options *options = registration->options;
    char ip[BASE_ADDR_TEXT_MAX];

    return json_pack(
        "{s:s, s:s, s:s, s:s, s:i, s:o, s:o, s:{s:s, s:s, s:s, s:s, s:s}}",
        "Kind", FEDSTATE_KIND_GATEWAY, "ID", options->service_id, "Name",
        options->service, "Address", base_addr_format_ip(&options->address, ip),
        "Port", (int)options->address.port, "TaggedAddresses",
        addresses_json(options), "Meta", meta_json(registration), "Check",
        "CheckID", registration->check_id, "Name", "Mesh gateway carries TLS",
        "TTL", CHECK_TTL, "Status", status_of(registration), "Output",
        registration->words);
}

/* ---- the turns ------------------------------------------------------------
 */

static void on_failure(struct registration *registration, const char *what,
                       const struct api_reply *reply)
{
    registration->made = false;
    registration->failures++;
    if (backoff_is_worth_a_line(registration->failures))
        base_log(&registration->log, BASE_LOG_WARN, what,
                 kv_int("status", reply->status), kv_str("error", reply->why));
    base_timer_start_ms(&registration->next,
                        backoff_ms(registration->env, registration->failures));
}

static void on_success(struct registration *registration)
{
    registration->failures = 0;
    registration->known = registration->made = true;
    base_timer_start_ms(&registration->next,
                        registration->changed ? 0 : TELL_EVERY_MS);
}

static void on_registered(void *arg, const struct api_reply *reply)
{
    struct registration *registration = arg;

    registration->call = NULL;
    if (reply->status != 200) {
        on_failure(registration, "cannot register", reply);
        return;
    }
    base_log(&registration->log, BASE_LOG_INFO, "registered",
             kv_str("id", registration->options->service_id),
             kv_addr("lan", &registration->options->address),
             kv_addr("wan", &registration->options->wan_address));
    on_success(registration);
}

static void on_told(void *arg, const struct api_reply *reply)
{
    struct registration *registration = arg;

    registration->call = NULL;
    if (reply->status == 200) {
        on_success(registration);
    } else if (reply->status == 404) {
        registration->known = registration->made = false;
        base_timer_start_ns(&registration->next, 0);
    } else {
        on_failure(registration, "cannot tell the agent of our health", reply);
    }
}

static void put_service(struct registration *registration)
{
    json_t *service = service_json(registration);

    registration->call =
        api_put(registration->api, "/v1/agent/service/register", service,
                TIMEOUT_S, on_registered, registration);
    json_decref(service);
}

static void put_health(struct registration *registration)
{
    char *id = api_escape(registration->check_id);
    char *path = base_asprintf("/v1/agent/check/update/%s", id);
    json_t *body = json_pack("{s:s, s:s}", "Status", status_of(registration),
                             "Output", registration->words);

    registration->call = api_put(registration->api, path, body, TIMEOUT_S,
                                 on_told, registration);
    json_decref(body);
    base_free(path);
    base_free(id);
}

static void request(void *arg)
{
    struct registration *registration = arg;

    registration->changed = false;
    if (registration->known)
        put_health(registration);
    else
        put_service(registration);
}

void registration_refresh(struct registration *registration)
{
    if (registration->call == NULL && registration->left == NULL)
        base_timer_start_ns(&registration->next, 0);
}

void registration_set_health(struct registration *registration, bool passing,
                             const char *words)
{
    if (passing == registration->passing &&
        strcmp(words, registration->words) == 0)
        return;
    base_free(registration->words);
    registration->words = base_strdup(words);
    if (passing == registration->passing)
        return; /* in its time */
    base_log(&registration->log, passing ? BASE_LOG_INFO : BASE_LOG_ERROR,
             passing ? "the gateway works" : "the gateway does not work",
             kv_str("probe", words));
    registration->passing = passing;
    registration->changed = true;
    if (registration->failures == 0)
        registration_refresh(registration);
}

void registration_set_exposes(struct registration *registration, bool exposes)
{
    registration->exposes = exposes;
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
                                      const struct gateway_options *options,
                                      bool passing, const char *words)
{
    struct registration *registration;

    BASE_NEW(registration);
    registration->api = api;
    registration->env = api_env(api);
    registration->log = base_log_named(&registration->env->log, "gateway");
    registration->options = options;
    registration->check_id =
        base_asprintf("service:%s", options->service_id);
    registration->exposes = options->expose_servers;
    registration->passing = passing;
    registration->words = base_strdup(words);
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
    base_free(registration->check_id);
    base_free(registration->words);
    base_free(registration);
}

bool registration_is_passing(const struct registration *registration)
{
    return registration->made && registration->passing &&
           !registration->changed;
}
