/* From a key or a row to its live record: the floor under every read. The keys index proposes rows,
 * the row directory says where they stand, and the key itself decides (30). Called with the view
 * lock held. */
#include <string.h>

#include "base/memory.h"
#include "codec/codec_digest.h"
#include "codec/codec_vector.h"
#include "db/db.h"

enum { INDEX_BYTES = 48 }; /* of a row in KEYS and ROWS, about */

edb_status db_make_key(const edb_space *space, const void *key, size_t key_bytes,
                       struct db_key *out)
{
    static const uint8_t nothing[1];
    out->bytes = key_bytes > 0 ? key : nothing;
    out->count = key_bytes;
    out->form = EDB_KEY_BYTES;
    edb_key_form form = space->spec.key_form;
    if (form == EDB_KEY_BYTES && key_bytes > EDB_KEY_BYTES_MAX)
        form = EDB_KEY_BLAKE2B;
    if (form != EDB_KEY_BYTES) {
        edb_status status = codec_digest(form, out->bytes, key_bytes, out->digest);
        if (status != EDB_OK)
            return status;
        out->bytes = NULL; /* db_key may be copied: the digest is found by its form */
        out->count = sizeof out->digest;
        out->form = (uint8_t)form;
    }
    out->hash = record_key_hash(db_key_bytes(out), out->count, out->form, space->db->hash_seed);
    return EDB_OK;
}

/* The key is compared next and the vector read after it: their lines are asked for at once. Inline,
 * or the compiler takes it for a function that does nothing. */
static inline void ask_ahead(const struct db_found *found)
{
    const struct row_place *place = &found->place;
    for (uint32_t at = 0; at < place->key_bytes && at < 512; at += 64)
        __builtin_prefetch(found->frame + place->key_offset + at);
    for (uint32_t at = 0; at < place->vector_bytes && at < 256; at += 64)
        __builtin_prefetch(found->frame + place->vector_offset + at);
}

edb_status db_locate_place(struct store *store, uint64_t row, const struct row_place *place,
                           struct db_found *out)
{
    out->store = store;
    out->place = *place;
    out->row = row;
    /* The vector's end is the farthest byte that a place speaks of; text and metadata are checked
     * on the way. */
    uint64_t reach = (uint64_t)out->place.vector_offset + out->place.vector_bytes;
    uint64_t key_end = (uint64_t)out->place.key_offset + out->place.key_bytes;
    out->frame = store_at(store, out->place.frame, reach > key_end ? reach : key_end);
    if (out->frame == NULL)
        return EDB_CORRUPT;
    ask_ahead(out);
    return EDB_OK;
}

/* Where a row stands, if it is live; with `any`, also if it has expired. */
static edb_status find_live(edb_space *space, uint64_t row, bool any, struct db_found *out)
{
    bool dead;
    struct row_place place;
    edb_status status = rows_dead(&space->rows, row, &dead);
    if (status == EDB_OK && dead)
        return EDB_NOT_FOUND;
    if (status == EDB_OK)
        status = rows_place(&space->rows, row, &place);
    if (status == EDB_OK && !any && db_has_expired(space->db->store, &place))
        return EDB_NOT_FOUND;
    if (status != EDB_OK)
        return status;
    status = db_locate_place(space->db->store, row, &place, out);
    if (status == EDB_CORRUPT) /* the section that said so is lost */
        rows_lose_place(&space->rows, row);
    return status;
}

static bool same_key(const struct db_found *found, const struct db_key *key)
{
    return found->place.key_bytes == key->count && found->place.key_form == key->form &&
           memcmp(found->frame + found->place.key_offset, db_key_bytes(key), key->count) == 0;
}

/* Whether a candidate is the record that is looked for. One with another key is looked at closely,
 * once: is it another key, or is it this one, damaged? */
static edb_status decide(edb_space *space, const struct db_key *key, const struct db_found *found)
{
    const uint8_t *vector;
    if (same_key(found, key))
        return EDB_OK;
    edb_status status = db_vector(space, found, &vector);
    return status == EDB_OK ? EDB_NOT_FOUND : status;
}

static edb_status locate(edb_space *space, const struct db_key *key, bool any, struct db_found *out)
{
    struct keys_probe probe;
    keys_probe_begin(&space->keys, key->hash, &probe);
    for (;;) {
        uint64_t row;
        edb_status status = keys_probe_next(&space->keys, &probe, &row);
        if (status != EDB_OK)
            return status;
        status = find_live(space, row, any, out);
        if (status == EDB_OK)
            status = decide(space, key, out);
        if (status != EDB_NOT_FOUND)
            return status;
    }
}

edb_status db_locate(edb_space *space, const struct db_key *key, struct db_found *out)
{
    return locate(space, key, false, out);
}

edb_status db_locate_any(edb_space *space, const struct db_key *key, struct db_found *out)
{
    return locate(space, key, true, out);
}

void db_locate_ahead(edb_space *space, struct db_ahead *ahead, size_t count)
{
    for (size_t i = 0; i < count; i++)
        keys_probe_begin(&space->keys, ahead[i].key.hash, &ahead[i].probe);
    for (size_t i = 0; i < count; i++) {
        ahead[i].hinted = keys_probe_next(&space->keys, &ahead[i].probe, &ahead[i].row) == EDB_OK;
        if (ahead[i].hinted)
            rows_prefetch(&space->rows, ahead[i].row);
    }
    for (size_t i = 0; i < count; i++) {
        struct db_found found;
        if (ahead[i].hinted)
            (void)find_live(space, ahead[i].row, true, &found);
    }
}

edb_status db_locate_row(edb_space *space, uint64_t row, struct db_found *out)
{
    return row < space->next_row ? find_live(space, row, false, out) : EDB_NOT_FOUND;
}

edb_status db_locate_any_row(edb_space *space, uint64_t row, struct db_found *out)
{
    return row < space->next_row ? find_live(space, row, true, out) : EDB_NOT_FOUND;
}

uint64_t db_place_bytes(const struct row_place *place)
{
    return (uint64_t)RECORD_BYTES + INDEX_BYTES + place->key_bytes + place->extra_bytes +
           place->vector_bytes;
}

static edb_status damaged(const edb_space *space, const struct db_found *found)
{
    return fail(EDB_CORRUPT, "the record of row %llu in space '%s' is damaged (group at %llu)",
                (unsigned long long)found->row, space->spec.name,
                (unsigned long long)found->place.frame);
}

/* Nothing here is verified yet: whatever does not fit is damage, also what would be the sign of a
 * newer format elsewhere. */
edb_status db_read_record(const edb_space *space, const struct db_found *found, struct group *group,
                          struct record *record)
{
    struct store *store = found->store;
    struct frame_header header;
    const uint8_t *bytes = store_at(store, found->place.frame, FRAME_HEADER_BYTES);
    bool fits =
        bytes != NULL &&
        frame_header_decode(bytes, store->genesis.chain_seed, found->place.frame, &header) &&
        header.type == FRAME_GROUP &&
        store_at(store, found->place.frame, header.frame_bytes) != NULL &&
        group_decode(found->frame + FRAME_HEADER_BYTES, header.payload_bytes, header.frame_bytes,
                     group) == EDB_OK &&
        found->place.index < group->count &&
        record_decode(found->frame, group, found->place.index, record) == EDB_OK &&
        record->operation == RECORD_PUT && record->row == found->row;
    return fits ? EDB_OK : damaged(space, found);
}

/* Whether record and vector are what was written for this row, and stand where the row directory
 * says. */
static bool verifies(const edb_space *space, const struct db_found *found,
                     const struct group *group, const struct record *record)
{
    uint64_t seed = found->store->genesis.chain_seed;
    const struct row_place *place = &found->place;
    bool right_vector = space->spec.dims == 0 || (record->vector_bytes == 4u * space->spec.dims &&
                                                  (place->frame + place->vector_offset) % 4 == 0);
    return right_vector && record->vector_offset == place->vector_offset &&
           record->vector_bytes == place->vector_bytes && record->key_bytes == place->key_bytes &&
           record->key_form == place->key_form &&
           (record->flags & RECORD_EXTRAS) == place->extras &&
           record->expiry_s == place->expiry_s && record->cost == place->cost &&
           record_heap_bytes(record) - record->key_bytes == place->extra_bytes &&
           group->heap_offset + record->heap_offset == place->key_offset &&
           record_verify(found->frame, group, place->index, record, seed) &&
           record_vector_checksum(found->frame + place->vector_offset, place->vector_bytes,
                                  found->row, seed) == record->vector_checksum;
}

edb_status db_vector(edb_space *space, const struct db_found *found, const uint8_t **vector_out)
{
    /* Of a file that has been written anew since, nothing is noted any more. */
    bool noted = found->store == space->db->store;
    *vector_out = found->frame + found->place.vector_offset;
    if (noted && rows_is_checked(&space->rows, found->row))
        return EDB_OK;
    struct group group;
    struct record record;
    edb_status status = db_read_record(space, found, &group, &record);
    if (status != EDB_OK)
        return status;
    if (!verifies(space, found, &group, &record))
        return damaged(space, found);
    if (noted)
        rows_set_checked(&space->rows, found->row);
    return EDB_OK;
}

/* Text and metadata stand behind the key. The record was verified when its vector was first asked
 * for. */
static void fill_extras(const struct db_found *found, edb_view *view)
{
    struct record record;
    const uint8_t *at = found->frame + found->place.key_offset + found->place.key_bytes;
    record_decode_again(found->frame, found->place.index, &record);
    view->put_s = record.put_s;
    view->cost = record.cost;
    if (record.flags & RECORD_TEXT) {
        view->has_text = 1;
        view->text = (const char *)at;
        view->text_bytes = record.text_bytes;
        at += record.text_bytes + 1;
    }
    if (record.flags & RECORD_METADATA) {
        view->metadata = at;
        view->metadata_bytes = record.metadata_bytes;
    }
}

/* What a view's pin leads to where floats cannot be used as they stand in the file: its own. */
struct turned_view {
    struct store_map *pin;
    float vector[];
};

static edb_status turn_view(const edb_space *space, edb_view *view)
{
    size_t dims = space->spec.dims;
    struct turned_view *turned = memory_aligned(sizeof *turned + dims * sizeof(float));
    if (turned == NULL) {
        store_unpin(view->pin);
        memset(view, 0, sizeof *view);
        return memory_failed(dims * sizeof(float));
    }
    codec_vector_copy(view->vector, dims, turned->vector);
    if (dims > 0)
        view->vector = turned->vector;
    turned->pin = view->pin;
    view->pin = turned;
    return EDB_OK;
}

void db_view_unpin(void *pin)
{
    struct turned_view *turned = CODEC_VECTOR_IN_PLACE ? NULL : pin;
    store_unpin(turned != NULL ? turned->pin : pin);
    memory_free(turned);
}

edb_status db_fill_view(edb_space *space, const struct db_found *found, edb_view *view_out)
{
    const uint8_t *vector;
    edb_status status = db_vector(space, found, &vector);
    if (status != EDB_OK)
        return status;
    *view_out = (edb_view){.vector = vector,
                           .vector_bytes = found->place.vector_bytes,
                           .key = found->frame + found->place.key_offset,
                           .key_bytes = found->place.key_bytes,
                           .key_form = found->place.key_form,
                           .pinned = (found->place.extras & RECORD_PINNED) != 0,
                           .expiry_s = found->place.expiry_s,
                           .row = found->row};
    fill_extras(found, view_out);
    view_out->pin = store_pin(found->store);
    return CODEC_VECTOR_IN_PLACE ? EDB_OK : turn_view(space, view_out);
}
