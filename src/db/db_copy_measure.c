/* How many bytes a cache that is written anew will take, by a sample of its records. Called by
 * db_compact, behind the survey and before there is a new file. */
#include "db/db_copy.h"

enum {
    SAMPLE_ROWS = 1024, /* of all spaces */
    SAMPLE_ROWS_MIN = 16,
    SAMPLES_AT_ONCE = 64,
};

/* The first live row of a word, and what its copy will take. */
static edb_status measure_row(edb_space *space, const struct rows_word *word, uint64_t *bytes)
{
    struct db_found found;
    edb_status status =
        db_locate_any_row(space, word->first + (uint64_t)__builtin_ctzll(word->bits), &found);
    if (status == EDB_OK)
        *bytes += db_place_bytes(&found.place);
    return status;
}

/* How far apart, in words, samples of the space at hand are: some of its rows, all over it, stand
 * for all. */
static size_t sample_step(const struct db_copy *copy)
{
    size_t wanted = SAMPLE_ROWS / copy->source->space_count;
    wanted = wanted > SAMPLE_ROWS_MIN ? wanted : SAMPLE_ROWS_MIN;
    return copy->live[copy->space].count / wanted + 1;
}

struct sampling {
    struct db_copy *copy;
    uint64_t bytes;
    uint64_t count;
};

static edb_status sample_some(void *arg)
{
    struct sampling *sampling = arg;
    struct db_copy *copy = sampling->copy;
    const struct rows_live *live = &copy->live[copy->space];
    size_t step = sample_step(copy);
    edb_status status = EDB_OK;
    sampling->bytes = sampling->count = 0;
    for (size_t i = copy->word;
         i < live->count && sampling->count < SAMPLES_AT_ONCE && status == EDB_OK; i += step) {
        status = measure_row(copy->source->spaces[copy->space], &live->words[i], &sampling->bytes);
        sampling->count++;
    }
    return status;
}

/* A space is done: what was found of some of its rows, of all. */
static void end_samples(struct db_copy *copy)
{
    if (copy->samples > 0)
        copy->needed += (uint64_t)((double)copy->sampled_bytes / (double)copy->samples *
                                   (double)rows_live_count(&copy->live[copy->space]));
    copy->sampled_bytes = copy->samples = 0;
    copy->word = 0;
    copy->space++;
}

edb_status db_copy_measure(struct db_copy *copy, uint64_t *bytes_out, bool *done_out)
{
    struct sampling sampling = {.copy = copy};
    *done_out = copy->space == copy->source->space_count;
    *bytes_out = FIRST_FRAME_OFFSET + PAGE_BYTES + copy->needed;
    if (*done_out) {
        copy->space = 0;
        return EDB_OK;
    }
    edb_status status = db_copy_with_view(copy, sample_some, &sampling);
    if (status != EDB_OK)
        return status;
    copy->samples += sampling.count;
    copy->sampled_bytes += sampling.bytes;
    copy->word += sampling.count * sample_step(copy);
    if (copy->word >= copy->live[copy->space].count)
        end_samples(copy);
    return status;
}
