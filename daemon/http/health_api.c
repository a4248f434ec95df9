/* /v1/health: services with their checks, and checks by themselves. */
#include <string.h>

#include "http/json_model.h"
#include "http/service_form.h"
#include "http/web.h"

static void show_instances(struct web_request *request,
                           const Server__QueryReply *reply)
{
    web_reply_json(request,
                   json_from_instances(reply->instances, reply->n_instances));
}

void health_service(struct web_request *request)
{
    Server__Query query = SERVER__QUERY__INIT;
    bool passing;

    if (!web_bool(request, "passing", &passing))
        return;
    query.name = request->name;
    query.passing = passing;
    if (web_filters(request, &query))
        web_query(request, "Health.Service", &query, show_instances);
}

static const Fedstate__Service *service_of(const Server__QueryReply *reply,
                                           const Fedstate__Check *check)
{
    size_t i;

    for (i = 0; i < reply->n_instances; i++) {
        const Fedstate__Service *service = reply->instances[i]->service;

        if (service && strcmp(service->id, check->service_id) == 0)
            return service;
    }
    return NULL;
}

static void show_checks(struct web_request *request,
                        const Server__QueryReply *reply)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < reply->n_checks; i++)
        json_array_append_new(
            list, json_from_check(reply->checks[i],
                                  service_of(reply, reply->checks[i])));
    web_reply_json(request, list);
}

void health_node(struct web_request *request)
{
    Server__Query query = SERVER__QUERY__INIT;

    query.node = request->name;
    web_query(request, "Catalog.Node", &query, show_checks);
}

static void show_list(struct web_request *request,
                      const Server__QueryReply *reply)
{
    json_t *list = json_array();
    size_t i;

    for (i = 0; i < reply->n_checks; i++)
        json_array_append_new(
            list, json_from_check(reply->checks[i],
                                  i < reply->n_check_services
                                      ? reply->check_services[i]
                                      : NULL));
    web_reply_json(request, list);
}

void health_checks(struct web_request *request)
{
    Server__Query query = SERVER__QUERY__INIT;

    query.name = request->name;
    if (web_filters(request, &query))
        web_query(request, "Health.Checks", &query, show_list);
}

void health_state(struct web_request *request)
{
    Server__Query query = SERVER__QUERY__INIT;

    if (strcmp(request->name, "any") != 0) {
        if (!is_check_status(request->name)) {
            web_reply_text(request, 400,
                           "\"%s\" is no state: wanted any, passing, warning "
                           "or critical",
                           request->name);
            return;
        }
        query.status = request->name;
    }
    if (web_filters(request, &query))
        web_query(request, "Health.State", &query, show_list);
}
