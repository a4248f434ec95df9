#include "suite.h"

Suite *calls_suite(void);
Suite *dialer_suite(void);
Suite *frame_suite(void);
Suite *listener_suite(void);
Suite *peer_frames_suite(void);
Suite *protocol_suite(void);
Suite *sni_suite(void);
Suite *tls_stream_suite(void);
Suite *tls_suite(void);

static Suite *(*const suites[])(void) = {
    protocol_suite, frame_suite,      sni_suite,
    tls_suite,      tls_stream_suite, listener_suite,
    dialer_suite,   calls_suite,      peer_frames_suite,
};

int main(void)
{
    return suite_main(suites, sizeof(suites) / sizeof(suites[0]));
}
