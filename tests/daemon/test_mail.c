/* Letters between loops: each is delivered or dropped, never both or neither. */
#include "base/alloc.h"
#include "base/sim.h"
#include "server/mail.h"
#include "suite.h"

static struct base_sim *sim;
static struct base_sim_host *host;
static struct base_env *here, *there;
static struct mailbox box;
static unsigned delivered, returned, dropped;

static void setup(void)
{
    struct base_addr addr;

    sim = base_sim_new(1);
    base_addr_parse_ip(&addr, "10.0.0.1");
    host = base_sim_host_new(sim, "host", &addr, 1);
    here = base_sim_host_env(host, "main");
    there = base_sim_host_env(host, "gossip");
    mailbox_init(&box);
    delivered = returned = dropped = 0;
}

static void teardown(void)
{
    base_sim_free(sim);
}

static void drop(struct mail *mail)
{
    dropped++;
    base_free(mail);
}

static void on_return(struct mail *mail)
{
    returned++;
    mail_end(mail);
    base_free(mail);
}

static void on_delivery(struct mail *mail)
{
    delivered++;
    ck_assert_int_eq(mail_send(mail, here, on_return), 0);
}

static struct mail *letter(void)
{
    struct mail *mail;

    BASE_NEW(mail);
    mail_open(&box, mail, drop);
    return mail;
}

START_TEST(a_letter_goes_there_and_back)
{
    unsigned i;

    for (i = 0; i < 100; i++)
        ck_assert_int_eq(mail_send(letter(), there, on_delivery), 0);
    ck_assert_uint_eq(delivered, 0);
    base_sim_run_for_ms(sim, 100);
    ck_assert_uint_eq(delivered, 100);
    ck_assert_uint_eq(returned, 100);
    mailbox_close(&box);
    ck_assert_uint_eq(dropped, 0);
}
END_TEST

/* The loops have ended: what was under way is freed, and nobody is called. */
START_TEST(letters_under_way_are_dropped_at_the_end)
{
    mail_send(letter(), there, on_delivery);
    mail_send(letter(), there, on_delivery);
    letter(); /* opened, not yet sent */
    base_sim_host_crash(host);
    mailbox_close(&box);
    ck_assert_uint_eq(dropped, 3);
    ck_assert_uint_eq(delivered, 0);
}
END_TEST

START_TEST(letters_end_in_any_order)
{
    struct mail *mail[5];
    static const unsigned order[] = {2, 0, 4};
    unsigned i;

    for (i = 0; i < 5; i++)
        mail[i] = letter();
    for (i = 0; i < 3; i++) {
        mail_end(mail[order[i]]);
        base_free(mail[order[i]]);
    }
    mailbox_close(&box);
    ck_assert_uint_eq(dropped, 2);
}
END_TEST

Suite *mail_suite(void)
{
    Suite *suite = suite_create("mail");
    TCase *tcase = tcase_create("mail");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_letter_goes_there_and_back);
    tcase_add_test(tcase, letters_under_way_are_dropped_at_the_end);
    tcase_add_test(tcase, letters_end_in_any_order);
    suite_add_tcase(suite, tcase);
    return suite;
}
