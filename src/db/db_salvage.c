/* The transactions of a damaged file. Called by db_repair, once for each of its passes. */
#include "db/db_salvage.h"

#include <string.h>

#include "base/memory.h"
#include "db/db_piece.h"

struct salvage {
    struct store *store;
    const struct db_salvage_visitor *visitor;
    struct db_part *run; /* the transaction at hand */
    size_t count;
    size_t capacity;
    bool after_gap; /* a group without BEGIN may belong to one whose beginning is lost */
};

static edb_status visit_group(struct salvage *s, const struct db_part *part, bool certain)
{
    edb_status status = s->visitor->group(s->visitor->arg, part, certain);
    return status != EDB_FORMAT ? status
                                : fail(status, "%s, frame at %llu: %s", s->store->path,
                                       (unsigned long long)part->header.offset, edb_error_detail());
}

static edb_status visit_run(struct salvage *s, bool certain)
{
    edb_status status = EDB_OK;
    for (size_t i = 0; i < s->count && status == EDB_OK; i++)
        status = visit_group(s, &s->run[i], certain);
    s->count = 0;
    return status;
}

static edb_status add_part(struct salvage *s, const struct frame_header *header)
{
    edb_status status = memory_reserve(&s->run, &s->capacity, s->count + 1, sizeof *s->run);
    if (status != EDB_OK)
        return status;
    s->run[s->count++] = (struct db_part){.header = *header};
    return EDB_OK;
}

static edb_status take_group(struct salvage *s, const struct frame_header *header)
{
    if (header->flags & FRAME_BEGIN)
        s->count = 0;
    else if (s->count == 0 && !s->after_gap)
        return EDB_OK; /* part of an abandoned one */
    s->after_gap = false;
    edb_status status = add_part(s, header);
    if (status == EDB_OK && (header->flags & FRAME_COMMIT))
        status = visit_run(s, true);
    return status;
}

static edb_status take_frame(struct salvage *s, const struct frame_header *header)
{
    bool known = header->type >= FRAME_GROUP && header->type <= FRAME_NOTE;
    if (header->type == FRAME_GROUP)
        return take_group(s, header);
    if (header->type == FRAME_CATALOG && s->visitor->catalog != NULL)
        return s->visitor->catalog(s->visitor->arg, header);
    if (known || !(header->flags & FRAME_CRITICAL))
        return EDB_OK;
    return fail(EDB_FORMAT,
                "%s holds a frame of type %u at %llu that this library does not know: update "
                "EmbedCache",
                s->store->path, header->type, (unsigned long long)header->offset);
}

/* At the beginning of the gap one was, whatever is left of it; others are found by what is left of
 * them, or by the index. */
static edb_status visit_headless(struct salvage *s, uint64_t from, uint64_t to)
{
    edb_status status = EDB_OK;
    while (from < to && status == EDB_OK) {
        struct db_part headless = {.header = {.offset = from}, .limit = to};
        status = visit_group(s, &headless, false);
        uint64_t indexed = s->visitor->indexed(s->visitor->arg, from);
        uint64_t found = db_piece_next_headless(s->store, from, to);
        from = found < indexed ? found : indexed;
    }
    return status;
}

/* What began before the gap is in doubt, and so are groups in it. */
static edb_status pass_gap(struct salvage *s, const struct db_gap *gap)
{
    uint64_t bytes = atomic_load(&s->store->file_bytes);
    edb_status status = visit_run(s, false);
    s->after_gap = true;
    if (status == EDB_OK)
        status = visit_headless(s, gap->from, gap->to < bytes ? gap->to : bytes);
    if (status == EDB_OK && s->visitor->gap != NULL)
        status = s->visitor->gap(s->visitor->arg, gap);
    return status;
}

static edb_status take_stretch(struct salvage *s, const struct store_stretch *stretch)
{
    edb_status status = EDB_OK;
    for (uint64_t at = stretch->offset; at < stretch->end && status == EDB_OK;) {
        struct frame_header header;
        if (!store_scan_header(s->store, at, &header))
            return fail(EDB_STALE, "%s was changed while it was read", s->store->path);
        status = take_frame(s, &header);
        at = frame_next(&header);
    }
    return status;
}

static edb_status take_all(struct salvage *s, const struct store_scan *scan)
{
    uint64_t end = FIRST_FRAME_OFFSET;
    uint64_t last = 0;
    edb_status status = EDB_OK;
    for (size_t i = 0; i < scan->count && status == EDB_OK; i++) {
        const struct store_stretch *stretch = &scan->stretches[i];
        struct db_gap gap = {end, stretch->offset, stretch->first - last - 1, last + 1};
        if (stretch->offset != end || gap.missing > 0)
            status = pass_gap(s, &gap);
        if (status == EDB_OK)
            status = take_stretch(s, stretch);
        end = stretch->end;
        last = stretch->last;
    }
    struct db_gap rest = {end, scan->proven_to, 0, last + 1};
    return status == EDB_OK && end < scan->proven_to ? pass_gap(s, &rest) : status;
}

edb_status db_salvage_visit(struct store *store, const struct store_scan *scan,
                            const struct db_salvage_visitor *visitor)
{
    struct salvage salvage = {.store = store, .visitor = visitor};
    edb_status status = take_all(&salvage, scan);
    memory_free(salvage.run);
    return status;
}
