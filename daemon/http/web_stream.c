/*
 * Answers that go on: lines as they come, chunked, until the end or until the
 * client goes away. What a slow client has not read yet is bounded.
 */
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "http/internal.h"

#define STREAM_WRITE_TIMEOUT_S 60

void web_on_gone(struct web_request *request, void (*gone)(void *arg),
                 void *arg)
{
    request->gone = gone;
    request->gone_arg = arg;
}

void web_stream_begin(struct web_request *request, const char *type)
{
    struct timeval patience = {STREAM_WRITE_TIMEOUT_S, 0};

    web_put_header(request, "Content-Type", type);
    web_put_header(request, "X-Content-Type-Options", "nosniff");
    web_put_header(request, "Connection", "close");
    request->streams = true;
    http_conn_streams(request->conn);
    evhttp_send_reply_start(request->raw, 200, NULL);
    /* Silence is no fault of the client's; not reading is. */
    bufferevent_set_timeouts(request->conn->bev, NULL, &patience);
}

bool web_stream_write(struct web_request *request, const void *data, size_t len)
{
    struct evbuffer *out = bufferevent_get_output(request->conn->bev);
    struct evbuffer *chunk;

    if (evbuffer_get_length(out) + len > WEB_STREAM_BYTES_MAX)
        return false;
    chunk = evbuffer_new();
    evbuffer_add(chunk, data, len);
    evhttp_send_reply_chunk(request->raw, chunk);
    evbuffer_free(chunk);
    return true;
}

bool web_stream_json(struct web_request *request, json_t *line)
{
    char *text = json_dumps(line, JSON_COMPACT);
    char *whole = base_asprintf("%s\n", text ? text : "null");
    bool sent = web_stream_write(request, whole, strlen(whole));

    base_free(whole);
    free(text);
    json_decref(line);
    return sent;
}
