/* /v1/agent/service and /v1/agent/check: what runs beside this agent. */
#include <string.h>

#include "base/error.h"
#include "http/json_model.h"
#include "http/json_put.h"
#include "http/service_form.h"
#include "http/web.h"

/* ---- reading -------------------------------------------------------------- */

void agent_services(struct web_request *request)
{
    const struct local_state *local = request->agent->local;
    json_t *map = json_object();
    size_t i;

    for (i = 0; i < local_state_count(local); i++) {
        Fedstate__Check *const *checks;
        size_t check_count;
        const Fedstate__Service *service =
            local_state_at(local, i, &checks, &check_count);
        json_t *object = json_from_service(service);

        json_object_del(object, "CreateIndex");
        json_object_del(object, "ModifyIndex");
        json_put_text(object, "Datacenter",
                      request->agent->core.datacenter);
        json_put(map, service->id, object);
    }
    web_reply_json(request, map);
}

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

/* ---- register, deregister ------------------------------------------------- */

static void on_kept(void *arg, int status)
{
    struct web_request *request = web_ticket_end(arg);

    if (request == NULL)
        return;
    if (status == 0)
        web_reply_done(request);
    else
        web_reply_text(request, 500, "cannot keep it in data_dir: %s",
                       base_strerror(status));
}

/* Answered when the disk has it. */
static void answer_kept(struct web_request *request)
{
    struct web_ticket *ticket = web_ticket_new(request);
    int rv = local_state_when_kept(request->agent->local, on_kept, ticket);

    if (rv != 0)
        on_kept(ticket, rv);
}

static void register_form(struct web_request *request,
                          const struct service_form *form)
{
    int rv = local_state_register(request->agent->local, form->service,
                                  form->checks, form->ttls_ms,
                                  form->check_count);

    switch (rv) {
    case 0:
        answer_kept(request);
        break;
    case BASE_EEXIST:
        web_reply_text(request, 400,
                       "the id belongs to another service: \"%s\" is "
                       "reserved, and check ids are unique on a node",
                       LOCAL_SERVICE_RESERVED);
        break;
    case BASE_EFULL:
        web_reply_text(request, 400,
                       "an agent takes %u services, and a service %u checks",
                       LOCAL_SERVICES_MAX, LOCAL_CHECKS_MAX);
        break;
    default:
        web_reply_text(request, 400, "not a valid service: %s",
                       base_strerror(rv));
        break;
    }
}

void agent_service_register(struct web_request *request)
{
    struct json_reader reader = {0};
    struct service_form form;
    json_t *json = web_body(request, &reader);

    if (json && service_form_read(&reader, json, &form))
        register_form(request, &form);
    else
        web_refuse_body(request, &reader);
    json_decref(json);
    json_reader_close(&reader);
}

void agent_service_deregister(struct web_request *request)
{
    if (local_state_deregister(request->agent->local, request->name) == 0)
        answer_kept(request);
    else
        web_reply_text(request, 404, "Unknown service ID \"%s\"",
                       request->name);
}

/* ---- checks --------------------------------------------------------------- */

static void set_check(struct web_request *request, const char *status,
                      const char *output)
{
    int rv = local_state_check(request->agent->local, request->name, status,
                               output);

    if (rv == 0)
        web_reply_done(request);
    else
        web_reply_text(request, rv == BASE_ENOTFOUND ? 404 : 400,
                       rv == BASE_ENOTFOUND ? "Unknown check ID \"%s\""
                                            : "check \"%s\" refused",
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
