/* A table of hashes, open addressing. A run of embed keeps its texts in it. */
#include "text_seen.h"

#include <stdlib.h>
#include <string.h>

#include "key_hash.h"

enum { CAPACITY_FIRST = 1024 };

static int grow(struct text_seen *seen);
static void insert(struct text_seen *seen, uint64_t hash, uint64_t place);

/* Never 0, which marks an empty entry. */
uint64_t seen_hash(const char *text, size_t bytes)
{
    uint64_t hash = key_hash(text, bytes);
    return hash != 0 ? hash : 1;
}

uint64_t seen_find(const struct text_seen *seen, uint64_t hash, seen_is_there *is_there, void *arg)
{
    size_t at = (size_t)hash;
    for (; seen->capacity > 0 && seen->entries[at & (seen->capacity - 1)].hash != 0; at++) {
        const struct seen_entry *entry = &seen->entries[at & (seen->capacity - 1)];
        if (entry->hash == hash && entry->place != SEEN_NOWHERE && is_there(arg, entry->place))
            return entry->place;
    }
    return SEEN_NOWHERE;
}

int seen_add(struct text_seen *seen, uint64_t hash, uint64_t place)
{
    if (seen->used * 2 >= seen->capacity && !grow(seen))
        return 0;
    insert(seen, hash, place);
    return 1;
}

void seen_move(struct text_seen *seen, uint64_t hash, uint64_t place, uint64_t place_now)
{
    size_t at = (size_t)hash;
    for (; seen->capacity > 0 && seen->entries[at & (seen->capacity - 1)].hash != 0; at++) {
        struct seen_entry *entry = &seen->entries[at & (seen->capacity - 1)];
        if (entry->hash == hash && entry->place == place) {
            entry->place = place_now;
            return;
        }
    }
}

void seen_close(struct text_seen *seen)
{
    free(seen->entries);
    memset(seen, 0, sizeof *seen);
}

/* What leads nowhere is left behind. */
static int grow(struct text_seen *seen)
{
    struct text_seen old = *seen;
    size_t capacity = old.capacity == 0 ? CAPACITY_FIRST : old.capacity * 2;
    struct seen_entry *entries = calloc(capacity, sizeof *entries);
    if (entries == NULL)
        return 0;
    *seen = (struct text_seen){entries, capacity, 0};
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.entries[i].hash != 0 && old.entries[i].place != SEEN_NOWHERE)
            insert(seen, old.entries[i].hash, old.entries[i].place);
    }
    free(old.entries);
    return 1;
}

static void insert(struct text_seen *seen, uint64_t hash, uint64_t place)
{
    size_t at = (size_t)hash;
    while (seen->entries[at & (seen->capacity - 1)].hash != 0)
        at++;
    seen->entries[at & (seen->capacity - 1)] = (struct seen_entry){hash, place};
    seen->used++;
}
