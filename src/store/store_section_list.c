/* Lists of sections. Called by keys/ and rows/, which hold them, and by db_adopt, which opens those
 * of a catalog. */
#include "store/store_section_list.h"

#include <string.h>

#include "base/memory.h"

static edb_status reserve(struct store_section_list *list, size_t capacity)
{
    memset(list, 0, sizeof *list);
    list->items = memory_zeroed(capacity, sizeof *list->items);
    return list->items != NULL ? EDB_OK : memory_failed(capacity * sizeof *list->items);
}

static struct store_section *find(const struct store_section_list *list,
                                  const struct catalog_section *entry)
{
    for (size_t i = 0; list != NULL && i < list->count; i++) {
        const struct catalog_section *have = &list->items[i]->entry;
        if (have->offset == entry->offset && have->sequence == entry->sequence)
            return list->items[i];
    }
    return NULL;
}

/* Adds the section that `entry` means. */
static edb_status add(struct store *store, const struct catalog_section *entry,
                      const struct store_section_list *known, struct store_section_list *list)
{
    struct store_section *section = find(known, entry);
    edb_status status = EDB_OK;
    if (section != NULL)
        store_section_share(section);
    else
        status = store_section_open(store, entry, &section);
    if (status == EDB_OK)
        list->items[list->count++] = section;
    return status;
}

edb_status store_section_list_open(struct store *store, const struct catalog *catalog,
                                   uint32_t space, uint16_t kind,
                                   const struct store_section_list *known,
                                   struct store_section_list *out)
{
    edb_status status = reserve(out, catalog->section_count);
    for (uint32_t i = 0; i < catalog->section_count && status == EDB_OK; i++) {
        const struct catalog_section *entry = &catalog->sections[i];
        if (entry->space == space && entry->kind == kind)
            status = add(store, entry, known, out);
    }
    if (status != EDB_OK)
        store_section_list_close(out);
    return status;
}

edb_status store_section_list_share(const struct store_section_list *list,
                                    struct store_section_list *out)
{
    edb_status status = reserve(out, list->count);
    for (size_t i = 0; i < list->count && status == EDB_OK; i++)
        out->items[out->count++] = store_section_share(list->items[i]);
    return status;
}

void store_section_list_replace(struct store_section_list *list, struct store_section_list *by)
{
    store_section_list_close(list);
    *list = *by;
    memset(by, 0, sizeof *by);
}

void store_section_list_close(struct store_section_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        store_section_close(list->items[i]);
    memory_free(list->items);
    memset(list, 0, sizeof *list);
}

bool store_section_list_covers(const struct store_section_list *list, uint64_t rows)
{
    uint64_t next = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i]->entry.first != next)
            return false;
        next = list->items[i]->entry.last;
    }
    return next == rows;
}

bool store_section_list_lost(const struct store_section_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (atomic_load(&list->items[i]->lost))
            return true;
    return false;
}
