/* edb_vectors: all vectors of a space, as they stand in the file.
 *
 *   1 db_moment_open    which rows are live, and where they stand
 *   2 gather            each vector, verified; neighbours in the file become one run
 *   3 join              runs of whole pages are mapped once more, one behind another: one matrix.
 *     turn              instead, where floats cannot be used as they stand: a matrix in memory
 *   4 lend              what the caller gets */
#include <string.h>

#include "base/checked.h"
#include "base/memory.h"
#include "codec/codec_vector.h"
#include "db/db_moment.h"

enum {
    ROWS_AT_ONCE = 4096,
    JOINED_MAX = 1 << 14, /* runs: a process has room for some 65,000 mappings */
};

/* Vectors that stand one behind another. */
struct run {
    const uint8_t *bytes;
    uint64_t offset; /* in the file */
    size_t count;
};

/* `matrix` is what the caller has. */
struct lent {
    edb_matrix matrix;
    edb_block *blocks;
    uint64_t *rows;
    struct store_map *pin;
    const struct os_io *io;
    const uint8_t *joined;
    uint64_t joined_bytes;
    uint8_t *turned;
};

struct gathering {
    struct db_moment moment;
    struct lent *lent;
    uint64_t stride;
    struct run *runs;
    size_t run_count;
    size_t run_capacity;
    uint64_t next; /* row */

    /* Rows that were located and verified in the last step. */
    struct {
        uint64_t row;
        uint64_t offset;
        const uint8_t *bytes;
    } found[ROWS_AT_ONCE];
    size_t found_count;
    uint64_t found_to;
};

/* ------------------------------------------------------------------------------------ gathering */

/* A step, with the view held still. */
static edb_status find_some(void *arg)
{
    struct gathering *gathering = arg;
    struct db_moment *moment = &gathering->moment;
    gathering->found_count = 0;
    gathering->found_to = gathering->next;
    while (gathering->found_count < ROWS_AT_ONCE) {
        struct db_found found;
        const uint8_t *vector;
        uint64_t row = db_moment_next(moment, gathering->found_to);
        gathering->found_to = row;
        if (row == moment->end)
            break;
        edb_status status = db_moment_locate(moment, row, &found);
        if (status == EDB_OK)
            status = db_vector(moment->space, &found, &vector);
        if (status != EDB_OK)
            return status;
        size_t i = gathering->found_count++;
        gathering->found[i].row = row;
        gathering->found[i].offset = found.place.frame + found.place.vector_offset;
        gathering->found[i].bytes = vector;
        gathering->found_to = row + 1;
    }
    return EDB_OK;
}

static edb_status begin_run(struct gathering *gathering, uint64_t offset, const uint8_t *bytes)
{
    edb_status status = memory_reserve(&gathering->runs, &gathering->run_capacity,
                                       gathering->run_count + 1, sizeof *gathering->runs);
    if (status != EDB_OK)
        return status;
    gathering->runs[gathering->run_count++] = (struct run){bytes, offset, 0};
    return EDB_OK;
}

/* Neighbours in the file are neighbours in memory when they are in one segment of the map. */
static bool goes_on(const struct gathering *gathering, uint64_t offset, const uint8_t *bytes)
{
    if (gathering->run_count == 0)
        return false;
    const struct run *run = &gathering->runs[gathering->run_count - 1];
    uint64_t length = run->count * gathering->stride;
    return run->offset + length == offset && run->bytes + length == bytes;
}

static edb_status take_found(struct gathering *gathering)
{
    struct lent *lent = gathering->lent;
    for (size_t i = 0; i < gathering->found_count; i++) {
        uint64_t offset = gathering->found[i].offset;
        const uint8_t *bytes = gathering->found[i].bytes;
        if (!goes_on(gathering, offset, bytes)) {
            edb_status status = begin_run(gathering, offset, bytes);
            if (status != EDB_OK)
                return status;
        }
        gathering->runs[gathering->run_count - 1].count++;
        lent->rows[lent->matrix.count++] = gathering->found[i].row;
    }
    gathering->next = gathering->found_to;
    return EDB_OK;
}

static edb_status gather(struct gathering *gathering)
{
    struct db_moment *moment = &gathering->moment;
    size_t count = rows_live_count(&moment->live);
    gathering->lent->rows = memory_zeroed(count, sizeof(uint64_t));
    edb_status status =
        gathering->lent->rows != NULL ? EDB_OK : memory_failed(count * sizeof(uint64_t));
    while (status == EDB_OK && gathering->next < moment->end) {
        status = db_with_view(moment->space->db, find_some, gathering);
        if (status == EDB_OK)
            status = take_found(gathering);
    }
    return status;
}

/* -------------------------------------------------------------------------------------- joining */

static bool can_join(const struct gathering *gathering)
{
    if (gathering->run_count < 2 || gathering->run_count > JOINED_MAX)
        return false;
    for (size_t i = 0; i < gathering->run_count; i++) {
        const struct run *run = &gathering->runs[i];
        bool last = i + 1 == gathering->run_count;
        if (run->offset % PAGE_BYTES != 0 ||
            (!last && run->count * gathering->stride % PAGE_BYTES != 0))
            return false;
    }
    return true;
}

/* The same pages of the same file, in another place: what was verified is what is lent. Where the
 * system does not do it, the runs are lent as they are. */
static edb_status join(struct gathering *gathering)
{
    struct lent *lent = gathering->lent;
    if (!can_join(gathering))
        return EDB_OK;
    struct os_range *ranges = memory_zeroed(gathering->run_count, sizeof *ranges);
    if (ranges == NULL)
        return memory_failed(gathering->run_count * sizeof *ranges);
    uint64_t bytes = 0;
    for (size_t i = 0; i < gathering->run_count; i++) {
        const struct run *run = &gathering->runs[i];
        ranges[i] =
            (struct os_range){run->offset, round_up(run->count * gathering->stride, PAGE_BYTES)};
        bytes += ranges[i].bytes;
    }
    if (store_join(gathering->moment.store, ranges, gathering->run_count, &lent->joined) ==
        EDB_OK) {
        lent->joined_bytes = bytes;
        gathering->runs[0] = (struct run){lent->joined, 0, lent->matrix.count};
        gathering->run_count = 1;
    }
    memory_free(ranges);
    return EDB_OK;
}

/* One matrix of all runs, with the bytes of each float as this machine has them. */
static edb_status turn(struct gathering *gathering)
{
    struct lent *lent = gathering->lent;
    uint64_t bytes = lent->matrix.count * gathering->stride;
    if (bytes == 0)
        return EDB_OK;
    uint8_t *at = lent->turned = memory_aligned(bytes);
    if (at == NULL)
        return memory_failed(bytes);
    for (size_t i = 0; i < gathering->run_count; i++) {
        const struct run *run = &gathering->runs[i];
        uint64_t length = run->count * gathering->stride;
        codec_vector_copy(run->bytes, length / sizeof(float), at);
        at += length;
    }
    gathering->runs[0] = (struct run){lent->turned, 0, lent->matrix.count};
    gathering->run_count = 1;
    return EDB_OK;
}

/* -------------------------------------------------------------------------------------- lending */

static edb_status lend(const struct gathering *gathering)
{
    struct lent *lent = gathering->lent;
    const uint64_t *rows = lent->rows;
    lent->blocks = memory_zeroed(gathering->run_count, sizeof *lent->blocks);
    if (lent->blocks == NULL)
        return memory_failed(gathering->run_count * sizeof *lent->blocks);
    for (size_t i = 0; i < gathering->run_count; i++) {
        const struct run *run = &gathering->runs[i];
        lent->blocks[i] = (edb_block){(const float *)(const void *)run->bytes, rows, run->count};
        rows += run->count;
    }
    lent->matrix.blocks = lent->blocks;
    lent->matrix.block_count = gathering->run_count;
    lent->matrix.rows = lent->rows;
    lent->matrix.dims = gathering->moment.space->spec.dims;
    lent->matrix.contiguous = gathering->run_count <= 1;
    lent->io = gathering->moment.store->io;
    lent->pin = store_pin(gathering->moment.store);
    return EDB_OK;
}

static edb_status lend_space(edb_space *space, struct gathering *gathering)
{
    gathering->stride = 4ull * space->spec.dims;
    edb_status status = db_moment_open(space, &gathering->moment);
    if (status == EDB_OK)
        status = gather(gathering);
    if (status == EDB_OK)
        status = CODEC_VECTOR_IN_PLACE ? join(gathering) : turn(gathering);
    if (status == EDB_OK)
        status = lend(gathering);
    db_moment_close(&gathering->moment);
    memory_free(gathering->runs);
    if (status == EDB_NOT_FOUND)
        return fail(EDB_CORRUPT, "a row of space '%s' is lost", space->spec.name);
    return status;
}

edb_status edb_vectors(edb_space *space, edb_matrix **matrix_out)
{
    if (matrix_out != NULL)
        *matrix_out = NULL;
    if (space == NULL || matrix_out == NULL)
        return fail(EDB_INVALID, "edb_vectors: an argument is NULL");
    if (space->spec.dims == 0)
        return fail(EDB_INVALID, "edb_vectors: space '%s' has dims 0: its values are no vectors",
                    space->spec.name);
    struct lent *lent = memory_zeroed(1, sizeof *lent);
    struct gathering *gathering = memory_zeroed(1, sizeof *gathering);
    edb_status status =
        lent != NULL && gathering != NULL ? EDB_OK : memory_failed(sizeof *gathering);
    if (status == EDB_OK) {
        gathering->lent = lent;
        status = lend_space(space, gathering);
    }
    memory_free(gathering);
    if (status == EDB_OK)
        *matrix_out = &lent->matrix;
    else if (lent != NULL)
        edb_vectors_release(&lent->matrix);
    return status;
}

void edb_vectors_release(edb_matrix *matrix)
{
    struct lent *lent = (struct lent *)(void *)matrix;
    if (lent == NULL)
        return;
    if (lent->joined != NULL)
        store_unjoin(lent->io, lent->joined, lent->joined_bytes);
    if (lent->pin != NULL)
        store_unpin(lent->pin);
    memory_free(lent->turned);
    memory_free(lent->blocks);
    memory_free(lent->rows);
    memory_free(lent);
}
