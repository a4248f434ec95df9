/*
 * /v1/agent/check: health of what runs beside this agent, and maintenance,
 * which is a check that only its end makes go away.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "http/check_form.h"
#include "http/json_model.h"
#include "http/json_put.h"
#include "http/service_api.h"
#include "http/service_form.h"

void agent_checks(struct web_request *request)
{
    const struct local_state *local = request->agent->local;
    json_t *map = json_object();
    size_t i, j;

    for (i = 0; i < local_state_count(local); i++) {
        Fedstate__Check *const *checks;
        size_t check_count;
        const Fedstate__Service *service =
            local_state_at(local, i, &checks, &check_count);

        for (j = 0; j < check_count; j++)
            json_put(map, checks[j]->check_id,
                     json_from_check(checks[j], service));
    }
    web_reply_json(request, map);
}

/* ---- what users say ------------------------------------------------------- */

static void set_check(struct web_request *request, const char *status,
                      const char *output)
{
    int rv = local_state_check(request->agent->local, request->name, status,
                               output);

    if (rv == 0)
        web_reply_done(request);
    else if (rv == BASE_ENOTFOUND)
        web_reply_text(request, 404, "Unknown check ID \"%s\"",
                       request->name);
    else
        web_reply_text(request, 400,
                       "CheckID \"%s\" does not have associated TTL",
                       request->name);
}

static void set_with_note(struct web_request *request, const char *status)
{
    const char *note = web_param(&request->params, "note");

    set_check(request, status, note ? note : "");
}

void agent_check_pass(struct web_request *request)
{
    set_with_note(request, "passing");
}

void agent_check_warn(struct web_request *request)
{
    set_with_note(request, "warning");
}

void agent_check_fail(struct web_request *request)
{
    set_with_note(request, "critical");
}

void agent_check_update(struct web_request *request)
{
    struct json_reader reader = {0};
    json_t *json = web_body(request, &reader);
    const char *status = "", *output = "";

    if (json) {
        status = json_read_text(&reader, json, "", "Status");
        output = json_read_text(&reader, json, "", "Output");
        if (!is_check_status(status))
            json_reader_fail(&reader,
                             "Status: wanted passing, warning or critical");
    }
    if (reader.why)
        web_refuse_body(request, &reader);
    else
        set_check(request, status, output);
    json_decref(json);
    json_reader_close(&reader);
}

/* ---- register, deregister ------------------------------------------------- */

void agent_check_register(struct web_request *request)
{
    struct json_reader reader = {0};
    struct check_spec spec;
    json_t *json = web_body(request, &reader);
    Fedstate__Check *check =
        json ? check_form_read(&reader, json, &spec) : NULL;
    int rv;

    if (reader.why) {
        web_refuse_body(request, &reader);
    } else {
        rv = local_state_put_check(request->agent->local, check->service_id,
                                   check, &spec);
        if (rv == 0)
            service_answer_kept(request);
        else if (rv == BASE_ENOTFOUND)
            web_reply_text(request, 404, "ServiceID \"%s\" does not exist",
                           check->service_id);
        else
            service_answer_refused(request, rv);
    }
    json_decref(json);
    json_reader_close(&reader);
}

void agent_check_deregister(struct web_request *request)
{
    if (local_state_remove_check(request->agent->local, request->name) == 0)
        service_answer_kept(request);
    else
        web_reply_text(request, 404, "Unknown check ID \"%s\"",
                       request->name);
}

/* ---- maintenance ---------------------------------------------------------- */

static void maintain(struct web_request *request, const char *service_id,
                     const char *check_id, const char *name)
{
    static const struct check_spec none;
    const char *reason = web_param(&request->params, "reason");
    Fedstate__Check check = FEDSTATE__CHECK__INIT;
    bool enable;
    int rv;

    if (web_param(&request->params, "enable") == NULL ||
        *web_param(&request->params, "enable") == '\0') {
        web_reply_text(request, 400, "Missing value for enable");
        return;
    }
    if (!web_bool(request, "enable", &enable))
        return;
    check.check_id = (char *)(uintptr_t)check_id;
    check.name = (char *)(uintptr_t)name;
    check.status = (char *)(uintptr_t)"critical";
    check.type = (char *)(uintptr_t)"maintenance";
    check.notes = (char *)(uintptr_t)(reason && *reason != '\0'
                                          ? reason
                                          : "Maintenance mode is enabled, but "
                                            "no reason was provided.");
    rv = enable ? local_state_put_check(request->agent->local, service_id,
                                        &check, &none)
                : local_state_remove_check(request->agent->local, check_id);
    if (rv == 0 || (rv == BASE_ENOTFOUND && !enable))
        service_answer_kept(request);
    else if (rv == BASE_ENOTFOUND)
        web_reply_text(request, 404, "Unknown service ID \"%s\"", service_id);
    else
        service_answer_refused(request, rv);
}

void agent_maintenance(struct web_request *request)
{
    maintain(request, "", "_node_maintenance", "Node Maintenance Mode");
}

void agent_service_maintenance(struct web_request *request)
{
    char *check_id = base_asprintf("_service_maintenance:%s", request->name);

    maintain(request, request->name, check_id, "Service Maintenance Mode");
    base_free(check_id);
}
