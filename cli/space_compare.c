/* The walk of diff: over the first space, each key looked up in the second; then over the second,
 * where it has keys that the first one did not ask for. */
#include "space_compare.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "report_error.h"

/* A digest cannot be asked for by the public interface: it would be digested again. Its first eight
 * bytes and its row stand in a sorted table. */
struct digest_entry {
    uint64_t beginning;
    uint64_t row;
};

struct side {
    edb_space *space;
    struct digest_entry *digests;
    size_t digest_count;
    int has_digests; /* the table is filled */
};

struct comparison {
    struct side first;
    struct side second;
    const edb_space_spec *spec;
    uint64_t matched; /* keys of the first that the second has, too */
    difference_function *found;
    void *arg;
};

static int compare_first(struct comparison *comparison);
static int find_second_only(struct comparison *comparison);
static int compare_record(struct comparison *comparison, const edb_view *view);
static int compare_views(const struct comparison *comparison, const edb_view *first,
                         const edb_view *second);
static enum difference_kind compare_terms(const edb_view *first, const edb_view *second);
static int compare_metadata(const edb_view *first, const edb_view *second, int *differs_out);
static int has_expired(const edb_view *view);
static int find_record(struct side *side, const edb_view *view, edb_view *found_out);
static int find_digest(struct side *side, const edb_view *view, edb_view *found_out);
static int fill_digests(struct side *side);
static int order_digests(const void *left, const void *right);
static uint64_t digest_beginning(const edb_view *view);
static int step(edb_iterator *iterator, edb_view *view);

int space_compare(edb_space *first, edb_space *second, difference_function *found, void *arg)
{
    edb_space_spec spec = EDB_SPACE_SPEC_INIT;
    edb_space_stats stats = {.struct_size = sizeof stats};
    struct comparison comparison = {.first.space = first, .second.space = second, .spec = &spec};
    comparison.found = found;
    comparison.arg = arg;
    edb_status status = edb_space_describe(first, &spec);
    if (status == EDB_OK)
        status = edb_space_stats_get(second, &stats);
    int code = status == EDB_OK ? compare_first(&comparison) : report_status(status, NULL);
    if (code == CODE_OK && comparison.matched != stats.live)
        code = find_second_only(&comparison);
    free(comparison.first.digests);
    free(comparison.second.digests);
    return code;
}

static int compare_first(struct comparison *comparison)
{
    edb_iterator *iterator;
    edb_view view;
    edb_status status = edb_iterate(comparison->first.space, &iterator);
    if (status != EDB_OK)
        return report_status(status, NULL);
    int code;
    while ((code = step(iterator, &view)) == CODE_OK) {
        code = compare_record(comparison, &view);
        edb_view_release(&view);
        if (code != CODE_OK)
            break;
    }
    edb_iterator_close(iterator);
    return code == CODE_END ? CODE_OK : code;
}

static int find_second_only(struct comparison *comparison)
{
    edb_iterator *iterator;
    edb_view view;
    edb_view other;
    edb_status status = edb_iterate(comparison->second.space, &iterator);
    if (status != EDB_OK)
        return report_status(status, NULL);
    int code;
    while ((code = step(iterator, &view)) == CODE_OK) {
        code = find_record(&comparison->first, &view, &other);
        if (code == CODE_NOT_FOUND && !has_expired(&view))
            comparison->found(comparison->arg, &(struct difference){DIFFERENCE_ONLY_SECOND,
                                                                    comparison->spec, NULL, &view});
        else if (code == CODE_OK)
            edb_view_release(&other);
        edb_view_release(&view);
        if (code != CODE_OK && code != CODE_NOT_FOUND)
            break;
    }
    edb_iterator_close(iterator);
    return code == CODE_END ? CODE_OK : code;
}

static int compare_record(struct comparison *comparison, const edb_view *view)
{
    edb_view other;
    int code = find_record(&comparison->second, view, &other);
    if (code == CODE_NOT_FOUND) {
        if (!has_expired(view))
            comparison->found(comparison->arg, &(struct difference){DIFFERENCE_ONLY_FIRST,
                                                                    comparison->spec, view, NULL});
        return CODE_OK;
    }
    if (code != CODE_OK)
        return code;
    comparison->matched++;
    code = compare_views(comparison, view, &other);
    edb_view_release(&other);
    return code;
}

static int compare_views(const struct comparison *comparison, const edb_view *first,
                         const edb_view *second)
{
    struct difference difference = {DIFFERENCES, comparison->spec, first, second};
    int differs = 0;
    int code = CODE_OK;
    if (first->vector_bytes != second->vector_bytes ||
        (first->vector_bytes > 0 &&
         memcmp(first->vector, second->vector, first->vector_bytes) != 0))
        difference.kind = DIFFERENCE_VECTOR;
    else if (first->has_text != second->has_text || first->text_bytes != second->text_bytes ||
             (first->text_bytes > 0 && memcmp(first->text, second->text, first->text_bytes) != 0))
        difference.kind = DIFFERENCE_TEXT;
    else
        code = compare_metadata(first, second, &differs);
    if (differs)
        difference.kind = DIFFERENCE_METADATA;
    else if (code == CODE_OK && difference.kind == DIFFERENCES)
        difference.kind = compare_terms(first, second);
    if (difference.kind != DIFFERENCES)
        comparison->found(comparison->arg, &difference);
    return code;
}

/* DIFFERENCES where there is none. */
static enum difference_kind compare_terms(const edb_view *first, const edb_view *second)
{
    if (first->expiry_s != second->expiry_s)
        return DIFFERENCE_EXPIRY;
    if (first->cost != second->cost)
        return DIFFERENCE_COST;
    return first->pinned != second->pinned ? DIFFERENCE_PIN : DIFFERENCES;
}

/* By its stored form; where that differs, by what it says. */
static int compare_metadata(const edb_view *first, const edb_view *second, int *differs_out)
{
    char *one = NULL;
    char *other = NULL;
    *differs_out = 0;
    if (first->metadata_bytes == second->metadata_bytes &&
        (first->metadata_bytes == 0 ||
         memcmp(first->metadata, second->metadata, first->metadata_bytes) == 0))
        return CODE_OK;
    edb_status status = edb_view_metadata_json(first, &one);
    if (status == EDB_OK)
        status = edb_view_metadata_json(second, &other);
    int code = status == EDB_OK ? CODE_OK : report_status(status, NULL);
    *differs_out = status == EDB_OK && (one == NULL || other == NULL || strcmp(one, other) != 0);
    edb_free(one);
    edb_free(other);
    return code;
}

/* Since the walk met it: then its twin has, too, and is not found any more. */
static int has_expired(const edb_view *view)
{
    return view->expiry_s != 0 && view->expiry_s <= time(NULL);
}

/* CODE_OK, CODE_NOT_FOUND (not reported) or a reported code. */
static int find_record(struct side *side, const edb_view *view, edb_view *found_out)
{
    if (view->key_form != EDB_KEY_BYTES)
        return find_digest(side, view, found_out);
    edb_status status = edb_view_key(side->space, view->key, view->key_bytes, found_out);
    if (status == EDB_NOT_FOUND)
        return CODE_NOT_FOUND;
    return status == EDB_OK ? CODE_OK : report_status(status, NULL);
}

/* As find_record. */
static int find_digest(struct side *side, const edb_view *view, edb_view *found_out)
{
    struct digest_entry wanted = {digest_beginning(view), 0};
    int code = side->has_digests ? CODE_OK : fill_digests(side);
    if (code != CODE_OK)
        return code;
    size_t low = 0;
    size_t high = side->digest_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (order_digests(&side->digests[middle], &wanted) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < side->digest_count && side->digests[low].beginning == wanted.beginning; low++) {
        edb_status status = edb_view_row(side->space, side->digests[low].row, found_out);
        if (status == EDB_NOT_FOUND)
            continue;
        if (status != EDB_OK)
            return report_status(status, NULL);
        if (found_out->key_form == view->key_form && found_out->key_bytes == view->key_bytes &&
            memcmp(found_out->key, view->key, view->key_bytes) == 0)
            return CODE_OK;
        edb_view_release(found_out);
    }
    return CODE_NOT_FOUND;
}

static int fill_digests(struct side *side)
{
    edb_space_stats stats = {.struct_size = sizeof stats};
    edb_iterator *iterator = NULL;
    edb_view view;
    edb_status status = edb_space_stats_get(side->space, &stats);
    if (status != EDB_OK)
        return report_status(status, NULL);
    side->digests = malloc((size_t)(stats.live + 1) * sizeof *side->digests);
    if (side->digests == NULL)
        return report_no_memory();
    status = edb_iterate(side->space, &iterator);
    while (status == EDB_OK && (status = edb_next(iterator, &view)) == EDB_OK) {
        if (view.key_form != EDB_KEY_BYTES && side->digest_count < stats.live)
            side->digests[side->digest_count++] =
                (struct digest_entry){digest_beginning(&view), view.row};
        edb_view_release(&view);
    }
    int code = status == EDB_NOT_FOUND ? CODE_OK : report_status(status, NULL);
    edb_iterator_close(iterator);
    if (code != CODE_OK)
        return code;
    qsort(side->digests, side->digest_count, sizeof *side->digests, order_digests);
    side->has_digests = 1;
    return CODE_OK;
}

/* By beginning, then by row. */
static int order_digests(const void *left, const void *right)
{
    const struct digest_entry *a = left;
    const struct digest_entry *b = right;
    if (a->beginning != b->beginning)
        return a->beginning < b->beginning ? -1 : 1;
    return a->row < b->row ? -1 : a->row > b->row;
}

static uint64_t digest_beginning(const edb_view *view)
{
    uint64_t beginning = 0;
    memcpy(&beginning, view->key,
           view->key_bytes < sizeof beginning ? view->key_bytes : sizeof beginning);
    return beginning;
}

/* The next record: CODE_OK, CODE_END or a reported code. */
static int step(edb_iterator *iterator, edb_view *view)
{
    edb_status status = edb_next(iterator, view);
    if (status == EDB_NOT_FOUND)
        return CODE_END;
    return status == EDB_OK ? CODE_OK : report_status(status, NULL);
}
