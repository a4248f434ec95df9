/*
 * The daemon's net: the table that gathers dialling, listening and datagrams.
 */
#include "net_event.h"

const struct base_net_ops net_event_ops = {
    .version = 1,
    .dial = dial_tcp,
    .dial_cancel = dial_tcp_cancel,
    .listen = listen_tcp,
    .listener_addr = listen_tcp_addr,
    .listener_close = listen_tcp_close,
    .packets = packets_udp,
    .packets_addr = packets_udp_addr,
    .packets_send = packets_udp_send,
    .packets_close = packets_udp_close,
};
