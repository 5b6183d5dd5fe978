/* Lookup in the key index: candidates from the tail, then from the sections, newest first. Called
 * by db_locate. The lines of all sections are asked for at once, so that a lookup over ten sections
 * waits for memory about once. */
#include "base/bytes.h"
#include "keys/keys.h"
#include "keys/keys_section.h"

void keys_probe_begin(const struct keys *keys, uint64_t hash, struct keys_probe *probe)
{
    *probe = (struct keys_probe){.hash = hash};
    if (keys->tail.capacity > 0)
        __builtin_prefetch(&keys->tail.slots[hash & (keys->tail.capacity - 1)]);
    for (size_t i = 0; i < keys->sections.count; i++) {
        const struct store_section *section = keys->sections.items[i];
        uint32_t bucket = keys_bucket_of(keys_tag_of(hash), keys_section_buckets(section));
        __builtin_prefetch(section->body + KEYS_HEAD_BYTES + (uint64_t)bucket * KEYS_BUCKET_BYTES);
    }
}

/* True when the tail had one more candidate. */
static bool next_in_tail(const struct keys_tail *tail, struct keys_probe *probe, uint64_t *row_out)
{
    while (probe->tail_at < tail->capacity) {
        const struct keys_slot *slot =
            &tail->slots[(probe->hash + probe->tail_at) & (tail->capacity - 1)];
        if (slot->row_plus_1 == 0) {
            probe->tail_at = tail->capacity;
            return false;
        }
        probe->tail_at++;
        if (slot->hash == probe->hash) {
            *row_out = slot->row_plus_1 - 1;
            return true;
        }
    }
    return false;
}

static void enter_section(struct store_section *section, struct keys_probe *probe)
{
    uint32_t buckets = keys_section_buckets(section);
    probe->bucket = keys_bucket_of(keys_tag_of(probe->hash), buckets);
    probe->buckets_left = buckets;
    probe->entry = 0;
    probe->in_section = true;
}

/* The next candidate of the section that the probe is in; EDB_NOT_FOUND leaves it. */
static edb_status next_in_section(struct store_section *section, struct keys_probe *probe,
                                  uint64_t *row_out)
{
    uint32_t tag = keys_tag_of(probe->hash);
    uint32_t buckets = keys_section_buckets(section);
    while (probe->buckets_left > 0) {
        const uint8_t *bucket = keys_section_bucket(section, probe->bucket);
        if (bucket == NULL)
            return keys_section_damaged(section);
        int used = keys_bucket_used(bucket);
        while (probe->entry < used) {
            int entry = probe->entry++;
            if (load_u32(bucket + 4 * entry) == tag) {
                *row_out = section->descriptor.first + load_u32(bucket + KEYS_AT_ROWS + 4 * entry);
                return EDB_OK;
            }
        }
        probe->buckets_left = bucket[KEYS_AT_SPILLED] ? probe->buckets_left - 1 : 0;
        probe->bucket = probe->bucket + 1 == buckets ? 0 : probe->bucket + 1;
        probe->entry = 0;
    }
    probe->in_section = false;
    return EDB_NOT_FOUND;
}

edb_status keys_probe_next(const struct keys *keys, struct keys_probe *probe, uint64_t *row_out)
{
    if (next_in_tail(&keys->tail, probe, row_out))
        return EDB_OK;
    while (probe->section < keys->sections.count) {
        struct store_section *section =
            keys->sections.items[keys->sections.count - 1 - probe->section];
        if (!probe->in_section)
            enter_section(section, probe);
        edb_status status = next_in_section(section, probe, row_out);
        if (status != EDB_NOT_FOUND)
            return status;
        probe->section++;
    }
    return EDB_NOT_FOUND;
}
