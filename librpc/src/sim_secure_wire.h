/* The three records of rpc/sim_secure.h, as bytes. */
#ifndef RPC_SRC_SIM_SECURE_WIRE_H
#define RPC_SRC_SIM_SECURE_WIRE_H

#include "base/buf.h"
#include "rpc/secure.h"

#define SIM_ALERT_BAD_CERTIFICATE 42
#define SIM_ALERT_DECODE_ERROR 50
#define SIM_ALERT_UNKNOWN_CA 48
#define SIM_ALERT_UNRECOGNIZED_NAME 112
#define SIM_ALERT_CERTIFICATE_REQUIRED 116
#define SIM_ALERT_NO_APPLICATION_PROTOCOL 120

/** What one end says of itself. */
struct sim_card {
    char alpn[64]; /* server: what it took; "" if nothing */
    char ca[254];  /* "": no certificate */
    struct rpc_peer names;
};

/** A well-formed TLS ClientHello in one record; alpn may be NULL. */
void sim_write_hello(struct base_buf *out, const char *server_name,
                     const char *alpn);
void sim_write_card(struct base_buf *out, const struct sim_card *card);
void sim_write_alert(struct base_buf *out, uint8_t alert);

/** Reads a card or an alert from the front. Returns its length; 0 for more; an
 * error if it is neither. *alert is -1 for a card. */
int64_t sim_read_card(const void *data, size_t len, struct sim_card *out,
                      int *alert);

#endif
