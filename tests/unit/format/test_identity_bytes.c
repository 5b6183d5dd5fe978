/* Slots and GENESIS: what was encoded is decoded again; a changed byte, a cut, another file or a
 * newer version is refused, and GENESIS says which of these it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/checksum.h"
#include "format/genesis.h"
#include "format/slot.h"
#include "unit/base/seeded_random.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { ROUNDS = 1000 };

static void fill(struct random_source *random, void *bytes, size_t count)
{
    uint8_t *at = bytes;
    for (size_t i = 0; i < count; i++)
        at[i] = (uint8_t)random_u64(random);
}

static struct anchor invent_anchor(struct random_source *random)
{
    return (struct anchor){random_u64(random), random_u64(random), random_u64(random)};
}

static struct slot invent_slot(struct random_source *random)
{
    struct slot slot;
    memset(&slot, 0, sizeof slot);
    fill(random, slot.uuid, sizeof slot.uuid);
    fill(random, slot.boot_id, sizeof slot.boot_id);
    slot.chain_seed = random_u64(random);
    slot.hash_seed = random_u64(random);
    slot.generation = random_u64(random);
    slot.synced = invent_anchor(random);
    slot.live = invent_anchor(random);
    return slot;
}

static void assert_same_anchor(const struct anchor *a, const struct anchor *b)
{
    assert_int_equal(a->position, b->position);
    assert_int_equal(a->catalog, b->catalog);
    assert_int_equal(a->catalog_checksum, b->catalog_checksum);
}

static void test_slot_round_trip(void **state)
{
    (void)state;
    struct random_source random = seeded_random("test_identity_bytes");
    for (int i = 0; i < ROUNDS; i++) {
        struct slot slot = invent_slot(&random);
        struct slot out;
        uint8_t *bytes = malloc(SLOT_BYTES);
        uint8_t other[16];
        slot_encode(&slot, bytes);
        assert_true(slot_decode(bytes, slot.uuid, &out));
        assert_memory_equal(out.uuid, slot.uuid, 16);
        assert_memory_equal(out.boot_id, slot.boot_id, 16);
        assert_int_equal(out.chain_seed, slot.chain_seed);
        assert_int_equal(out.hash_seed, slot.hash_seed);
        assert_int_equal(out.generation, slot.generation);
        assert_same_anchor(&out.synced, &slot.synced);
        assert_same_anchor(&out.live, &slot.live);
        memcpy(other, slot.uuid, sizeof other);
        other[i % 16] ^= 1;
        assert_false(slot_decode(bytes, other, &out));
        free(bytes);
    }
}

static void test_slot_refuses_every_changed_bit(void **state)
{
    (void)state;
    struct random_source random = seeded_random("test_identity_bytes");
    struct slot slot = invent_slot(&random);
    struct slot out;
    uint8_t bytes[SLOT_BYTES];
    slot_encode(&slot, bytes);
    for (int bit = 0; bit < 8 * (int)SLOT_BYTES; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_false(slot_decode(bytes, slot.uuid, &out));
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    memset(bytes, 0, sizeof bytes);
    memset(slot.uuid, 0, sizeof slot.uuid);
    assert_false(slot_decode(bytes, slot.uuid, &out));
    memset(bytes, 0xff, sizeof bytes);
    memset(slot.uuid, 0xff, sizeof slot.uuid);
    assert_false(slot_decode(bytes, slot.uuid, &out));
}

static struct genesis invent_genesis(struct random_source *random)
{
    struct genesis genesis;
    memset(&genesis, 0, sizeof genesis);
    fill(random, genesis.uuid, sizeof genesis.uuid);
    fill(random, genesis.set, sizeof genesis.set);
    genesis.version = FORMAT_VERSION;
    genesis.shard = (uint32_t)random_u64(random);
    genesis.compatible = random_u64(random);
    genesis.read_only_compatible = random_u64(random);
    genesis.hash_seed = random_u64(random);
    genesis.chain_seed = random_u64(random);
    return genesis;
}

/* From a buffer of exactly `count` bytes. */
static edb_status decode(const uint8_t *bytes, size_t count, struct genesis *out)
{
    uint8_t *exact = malloc(count > 0 ? count : 1);
    memcpy(exact, bytes, count);
    edb_status status = genesis_decode(exact, count, out);
    free(exact);
    return status;
}

static void test_genesis_round_trip(void **state)
{
    (void)state;
    struct random_source random = seeded_random("test_identity_bytes");
    for (int i = 0; i < ROUNDS; i++) {
        struct genesis genesis = invent_genesis(&random);
        struct genesis out;
        uint8_t bytes[GENESIS_BYTES];
        genesis_encode(&genesis, bytes);
        assert_int_equal(decode(bytes, sizeof bytes, &out), EDB_OK);
        assert_memory_equal(out.uuid, genesis.uuid, 16);
        assert_memory_equal(out.set, genesis.set, 16);
        assert_int_equal(out.version, genesis.version);
        assert_int_equal(out.shard, genesis.shard);
        assert_int_equal(out.compatible, genesis.compatible);
        assert_int_equal(out.read_only_compatible, genesis.read_only_compatible);
        assert_int_equal(out.incompatible, 0);
        assert_int_equal(out.hash_seed, genesis.hash_seed);
        assert_int_equal(out.chain_seed, genesis.chain_seed);
        assert_int_equal(genesis_chain(&out), checksum(genesis.uuid, 16, genesis.chain_seed));
    }
}

static void test_genesis_refuses(void **state)
{
    (void)state;
    struct random_source random = seeded_random("test_identity_bytes");
    struct genesis genesis = invent_genesis(&random);
    struct genesis out;
    uint8_t bytes[GENESIS_BYTES];
    genesis_encode(&genesis, bytes);
    for (size_t count = 0; count < sizeof bytes; count++)
        assert_int_equal(decode(bytes, count, &out), count < 8 ? EDB_FORMAT : EDB_CORRUPT);
    for (int bit = 0; bit < 8 * (int)sizeof bytes; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(decode(bytes, sizeof bytes, &out), bit < 64 ? EDB_FORMAT : EDB_CORRUPT);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    genesis.incompatible = 1ull << 63;
    genesis_encode(&genesis, bytes);
    assert_int_equal(decode(bytes, sizeof bytes, &out), EDB_FORMAT);
    genesis.incompatible = 0;
    genesis.version = FORMAT_VERSION + 1;
    genesis_encode(&genesis, bytes);
    assert_int_equal(decode(bytes, sizeof bytes, &out), EDB_FORMAT);
    genesis.version = 0;
    genesis_encode(&genesis, bytes);
    assert_int_equal(decode(bytes, sizeof bytes, &out), EDB_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slot_round_trip),
        cmocka_unit_test(test_slot_refuses_every_changed_bit),
        cmocka_unit_test(test_genesis_round_trip),
        cmocka_unit_test(test_genesis_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
