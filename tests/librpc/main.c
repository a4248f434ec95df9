#include "suite.h"

Suite *call_limits_suite(void);
Suite *call_trace_suite(void);
Suite *calls_suite(void);
Suite *dialer_suite(void);
Suite *frame_suite(void);
Suite *peer_frames_suite(void);
Suite *pool_suite(void);
Suite *port_bytes_suite(void);
Suite *port_limits_suite(void);
Suite *port_tls_suite(void);
Suite *protocol_suite(void);
Suite *server_end_suite(void);
Suite *sni_suite(void);
Suite *tls_stream_suite(void);
Suite *tls_suite(void);

static Suite *(*const suites[])(void) = {
    protocol_suite,
    frame_suite,
    sni_suite,
    tls_suite,
    tls_stream_suite,
    port_bytes_suite,
    port_tls_suite,
    port_limits_suite,
    dialer_suite,
    calls_suite,
    call_limits_suite,
    call_trace_suite,
    pool_suite,
    server_end_suite,
    peer_frames_suite,
};

int main(void)
{
    return suite_main(suites, sizeof(suites) / sizeof(suites[0]));
}
