#include "http/service_form.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "fedstate/model.h"
#include "http/check_form.h"

bool is_check_status(const char *status)
{
    return strcmp(status, "passing") == 0 || strcmp(status, "warning") == 0 ||
           strcmp(status, "critical") == 0;
}

static void read_service(struct json_reader *reader, const json_t *json,
                         const char *where, Fedstate__Service *service)
{
    service->kind = json_read_text(reader, json, where, "Kind");
    service->id = json_read_text(reader, json, where, "ID");
    service->tags =
        json_read_texts(reader, json, where, "Tags", &service->n_tags);
    service->address = json_read_text(reader, json, where, "Address");
    service->port =
        (uint32_t)json_read_uint(reader, json, where, "Port", UINT16_MAX);
    service->tagged_addresses =
        json_read_tagged(reader, json, where, "TaggedAddresses",
                         &service->n_tagged_addresses);
    service->meta =
        json_read_pairs(reader, json, where, "Meta", &service->n_meta);
    if (*service->kind != '\0' &&
        strcmp(service->kind, FEDSTATE_KIND_GATEWAY) != 0)
        json_reader_fail(reader, "%sKind: \"%.64s\" is not known here, only "
                                 "\"\" and \"" FEDSTATE_KIND_GATEWAY "\"",
                         where, service->kind);
}

static Fedstate__Service *new_service(struct json_reader *reader)
{
    Fedstate__Service *service =
        json_reader_alloc(reader, 1, sizeof(*service));

    fedstate__service__init(service);
    return service;
}

Fedstate__Service *service_from_json(struct json_reader *reader,
                                     const json_t *json, const char *where)
{
    Fedstate__Service *service = new_service(reader);

    read_service(reader, json, where, service);
    service->service = json_read_text(reader, json, where, "Service");
    if (*service->service == '\0')
        json_reader_fail(reader, "%sService: Missing service name", where);
    if (*service->id == '\0')
        service->id = service->service;
    return service;
}

Fedstate__Check *check_from_json(struct json_reader *reader,
                                 const json_t *json, const char *where)
{
    Fedstate__Check *check = json_reader_alloc(reader, 1, sizeof(*check));

    fedstate__check__init(check);
    check->node = json_read_text(reader, json, where, "Node");
    check->check_id = json_read_text(reader, json, where, "CheckID");
    check->name = json_read_text(reader, json, where, "Name");
    check->status = json_read_text(reader, json, where, "Status");
    check->notes = json_read_text(reader, json, where, "Notes");
    check->output = json_read_text(reader, json, where, "Output");
    check->service_id = json_read_text(reader, json, where, "ServiceID");
    check->service_name = json_read_text(reader, json, where, "ServiceName");
    check->type = json_read_text(reader, json, where, "Type");
    if (*check->check_id == '\0')
        check->check_id = check->name;
    if (*check->status == '\0')
        check->status = (char *)(uintptr_t)"critical";
    else if (!is_check_status(check->status))
        json_reader_fail(reader, "%sStatus: wanted passing, warning or "
                                 "critical",
                         where);
    return check;
}

/* ---- the agent's form ----------------------------------------------------- */

static char *keep(struct json_reader *reader, const char *prefix,
                  const char *text, size_t number)
{
    size_t size = strlen(prefix) + strlen(text) + 32;
    char *out = json_reader_alloc(reader, size, 1);

    if (number > 0)
        snprintf(out, size, "%s%s:%zu", prefix, text, number);
    else
        snprintf(out, size, "%s%s", prefix, text);
    return out;
}

/* number 0: the service's only check. */
static void add_check(struct json_reader *reader, const json_t *json,
                      const char *where, size_t number,
                      struct service_form *form)
{
    Fedstate__Check *check;

    if (!json_is_object(json)) {
        json_reader_fail(reader, "%.*s: wanted an object",
                         (int)strlen(where) - 1, where);
        return;
    }
    check = check_from_json(reader, json, where);
    check_spec_from_json(reader, json, where, &form->specs[form->check_count]);
    if (json_field(json, "CheckID") == NULL)
        check->check_id =
            keep(reader, "service:", form->service->id, number);
    if (*check->name == '\0') {
        check->name = keep(reader, "Check of service ",
                           form->service->service, 0);
    }
    check->service_id = form->service->id;
    check->service_name = form->service->service;
    check->type = (char *)(uintptr_t)check_spec_kind(
        &form->specs[form->check_count]);
    form->checks[form->check_count++] = check;
}

static void read_checks(struct json_reader *reader, const json_t *json,
                        struct service_form *form)
{
    const json_t *one = json_field(json, "Check");
    const json_t *list = json_read_array(reader, json, "", "Checks");
    size_t listed = json_array_size(list), i;
    size_t total = listed + (one != NULL);

    form->checks = json_reader_alloc(reader, total, sizeof(*form->checks));
    form->specs = json_reader_alloc(reader, total, sizeof(*form->specs));
    for (i = 0; i < listed; i++) {
        char where[48];

        snprintf(where, sizeof(where), "Checks[%zu].", i);
        add_check(reader, json_array_get(list, i), where,
                  total > 1 ? form->check_count + 1 : 0, form);
    }
    if (one)
        add_check(reader, one, "Check.",
                  total > 1 ? form->check_count + 1 : 0, form);
}

bool service_form_read(struct json_reader *reader, const json_t *json,
                       struct service_form *out)
{
    Fedstate__Service *service = new_service(reader);

    memset(out, 0, sizeof(*out));
    out->service = service;
    read_service(reader, json, "", service);
    service->service = json_read_text(reader, json, "", "Name");
    if (*service->service == '\0')
        json_reader_fail(reader, "Missing service name");
    if (*service->id == '\0')
        service->id = service->service;
    if (*service->kind != '\0' && service->port == 0)
        json_reader_fail(reader, "Port: a mesh-gateway needs one");
    read_checks(reader, json, out);
    return reader->why == NULL;
}
