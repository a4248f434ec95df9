/*
 * Unpacking under a budget. The message is described by hand, as the protobuf
 * compiler would: message Tree { repeated Tree kids = 1; string name = 2; }
 */
#include <string.h>

#include "base/alloc.h"
#include "base/pb.h"
#include "suite.h"

struct tree {
    ProtobufCMessage base;
    size_t n_kids;
    struct tree **kids;
    char *name;
};

extern const ProtobufCMessageDescriptor tree_descriptor;

static const ProtobufCFieldDescriptor tree_fields[] = {
    {.name = "kids",
     .id = 1,
     .label = PROTOBUF_C_LABEL_REPEATED,
     .type = PROTOBUF_C_TYPE_MESSAGE,
     .quantifier_offset = offsetof(struct tree, n_kids),
     .offset = offsetof(struct tree, kids),
     .descriptor = &tree_descriptor},
    {.name = "name",
     .id = 2,
     .label = PROTOBUF_C_LABEL_NONE,
     .type = PROTOBUF_C_TYPE_STRING,
     .offset = offsetof(struct tree, name),
     .default_value = &protobuf_c_empty_string},
};
static const unsigned tree_by_name[] = {0, 1};
static const ProtobufCIntRange tree_ranges[] = {{1, 0}, {0, 2}};

static void tree_init(ProtobufCMessage *message)
{
    *(struct tree *)(void *)message =
        (struct tree){.base = {.descriptor = &tree_descriptor},
                      .name = (char *)(uintptr_t)protobuf_c_empty_string};
}

const ProtobufCMessageDescriptor tree_descriptor = {
    .magic = PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC,
    .name = "Tree",
    .short_name = "Tree",
    .c_name = "Tree",
    .package_name = "",
    .sizeof_message = sizeof(struct tree),
    .n_fields = 2,
    .fields = tree_fields,
    .fields_sorted_by_name = tree_by_name,
    .n_field_ranges = 1,
    .field_ranges = tree_ranges,
    .message_init = tree_init,
};

static struct tree *small_tree(void)
{
    static struct tree leaf;
    static struct tree root;
    static struct tree *kids[] = {&leaf, &leaf, &leaf};

    tree_init(&leaf.base);
    leaf.name = (char *)(uintptr_t) "leaf";
    tree_init(&root.base);
    root.name = (char *)(uintptr_t) "root";
    root.n_kids = 3;
    root.kids = kids;
    return &root;
}

START_TEST(messages_go_round)
{
    struct base_buf packed = BASE_BUF_INIT;
    struct tree *back;
    struct tree *copy;

    base_buf_append(&packed, "x", 1); /* packing appends */
    base_pb_pack(small_tree(), &packed);
    base_buf_consume(&packed, 1);
    back = base_pb_unpack(&tree_descriptor, base_buf_data(&packed),
                          base_buf_len(&packed),
                          base_pb_budget(base_buf_len(&packed)));
    ck_assert_ptr_nonnull(back);
    ck_assert_str_eq(back->name, "root");
    ck_assert_uint_eq(back->n_kids, 3);
    copy = base_pb_dup(back);
    base_pb_free(back);
    ck_assert_str_eq(copy->kids[2]->name, "leaf");
    base_pb_free(copy);
    base_pb_free(NULL);
    base_buf_close(&packed);
}
END_TEST

START_TEST(a_few_bytes_cannot_ask_for_gigabytes)
{
    /* 100,000 empty sub-messages in 200,000 bytes want 100 bytes each. */
    size_t len = 200000;
    uint8_t *bomb = base_alloc(len);
    size_t i;

    for (i = 0; i < len; i += 2) {
        bomb[i] = 1 << 3 | 2;
        bomb[i + 1] = 0;
    }
    ck_assert_ptr_null(
        base_pb_unpack(&tree_descriptor, bomb, len, base_pb_budget(len) / 2));
    base_free(bomb);
}
END_TEST

START_TEST(every_budget_ends_cleanly)
{
    struct base_buf packed = BASE_BUF_INIT;
    struct tree *back = NULL;
    size_t budget;

    base_pb_pack(small_tree(), &packed);
    /* Whichever allocation is refused, nothing leaks (SAN=1 looks). */
    for (budget = 0; back == NULL; budget++) {
        ck_assert_uint_lt(budget, 100000);
        back = base_pb_unpack(&tree_descriptor, base_buf_data(&packed),
                              base_buf_len(&packed), budget);
    }
    base_pb_free(back);
    base_buf_close(&packed);
}
END_TEST

START_TEST(malformed_input_is_refused)
{
    static const uint8_t bad[] = {2 << 3 | 2, 200, 'x'};

    ck_assert_ptr_null(
        base_pb_unpack(&tree_descriptor, bad, sizeof(bad), 100000));
    ck_assert_uint_eq(base_pb_budget(SIZE_MAX), SIZE_MAX);
}
END_TEST

Suite *pb_suite(void);
Suite *pb_suite(void)
{
    Suite *suite = suite_create("pb");
    TCase *tc = tcase_create("pb");

    tcase_add_test(tc, messages_go_round);
    tcase_add_test(tc, a_few_bytes_cannot_ask_for_gigabytes);
    tcase_add_test(tc, every_budget_ends_cleanly);
    tcase_add_test(tc, malformed_input_is_refused);
    suite_add_tcase(suite, tc);
    return suite;
}
