/* /v1/agent/service: what runs beside this agent. */
#include <string.h>

#include "base/error.h"
#include "http/json_model.h"
#include "http/json_put.h"
#include "http/service_api.h"
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
        json_t *object;

        if (*service->id == '\0')
            continue; /* the node's own checks */
        object = json_from_service(service);
        json_object_del(object, "CreateIndex");
        json_object_del(object, "ModifyIndex");
        json_put_text(object, "Datacenter",
                      request->agent->core.datacenter);
        json_put(map, service->id, object);
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

void service_answer_kept(struct web_request *request)
{
    struct web_ticket *ticket = web_ticket_new(request);
    int rv = local_state_when_kept(request->agent->local, on_kept, ticket);

    if (rv != 0)
        on_kept(ticket, rv);
}

void service_answer_refused(struct web_request *request, int rv)
{
    switch (rv) {
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
        web_reply_text(request, 400, "not a valid service or check: %s",
                       base_strerror(rv));
        break;
    }
}

static void register_form(struct web_request *request,
                          const struct service_form *form)
{
    int rv = local_state_register(request->agent->local, form->service,
                                  form->checks, form->specs,
                                  form->check_count);

    if (rv == 0)
        service_answer_kept(request);
    else
        service_answer_refused(request, rv);
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
        service_answer_kept(request);
    else
        web_reply_text(request, 404, "Unknown service ID \"%s\"",
                       request->name);
}
