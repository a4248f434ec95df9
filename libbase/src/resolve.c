/*
 * Names to addresses by the system's own resolver, because operators expect
 * /etc/hosts and nsswitch.conf to count. It blocks, so it runs on the bulk
 * worker. IP literals need no worker but are answered later all the same. SRV
 * records, which getaddrinfo(3) does not know, are resolve_srv.c's.
 */
#include "resolve.h"

#include <netdb.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/error.h"
#include "resolve_srv.h"

struct request {
    char name[BASE_HOST_MAX];
    enum base_resolve_type type;
    base_resolve_fn done;
    void *arg;
    int status;
    struct resolve_list found;
};

void resolve_list_add(struct resolve_list *list, const struct base_addr *addr)
{
    size_t i;

    for (i = 0; i < list->count; i++)
        if (base_addr_equal(&list->addrs[i], addr))
            return;
    if (list->count < BASE_RESOLVE_MAX)
        list->addrs[list->count++] = *addr;
}

static int error_from_eai(int eai)
{
    switch (eai) {
    case EAI_NONAME:
    case EAI_NODATA:
    case EAI_ADDRFAMILY:
        return BASE_ENOTFOUND;
    case EAI_AGAIN:
        return BASE_ETIMEOUT;
    }
    return BASE_EIO;
}

int resolve_host(const char *name, uint16_t port, struct resolve_list *list)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM};
    struct addrinfo *answers = NULL;
    const struct addrinfo *answer;
    int rv = getaddrinfo(name, NULL, &hints, &answers);

    if (rv != 0)
        return error_from_eai(rv);
    for (answer = answers; answer != NULL; answer = answer->ai_next) {
        struct base_addr addr;

        if (base_addr_from_sockaddr(&addr, answer->ai_addr) < 0)
            continue;
        addr.port = port;
        resolve_list_add(list, &addr);
    }
    freeaddrinfo(answers);
    return 0;
}

static void ask(void *arg)
{
    struct request *request = arg;

    if (request->type == BASE_RESOLVE_SRV)
        request->status = resolve_srv(request->name, &request->found);
    else
        request->status = resolve_host(request->name, 0, &request->found);
    if (request->status == 0 && request->found.count == 0)
        request->status = BASE_ENOTFOUND;
}

static void answer(void *arg)
{
    struct request *request = arg;

    if (request->status < 0)
        request->done(request->arg, request->status, NULL, 0);
    else
        request->done(request->arg, 0, request->found.addrs,
                      request->found.count);
    base_free(request);
}

int resolve_start(struct base_env *env, const char *name,
                  enum base_resolve_type type, base_resolve_fn done, void *arg)
{
    struct request *request;
    struct base_addr literal;
    size_t len = strlen(name);
    int rv;

    if (len == 0 || len >= BASE_HOST_MAX)
        return BASE_EINVAL;
    BASE_NEW(request);
    memcpy(request->name, name, len + 1);
    request->type = type;
    request->done = done;
    request->arg = arg;
    if (type == BASE_RESOLVE_HOST && base_addr_parse_ip(&literal, name) == 0) {
        resolve_list_add(&request->found, &literal);
        rv = base_env_post(env, answer, request);
    } else {
        rv = base_env_submit(env, BASE_WORKER_BULK, ask, answer, request);
    }
    if (rv < 0)
        base_free(request);
    return rv;
}
