/* The two embedders behind one interface. The built-in one computes a batch as it is given; a
 * server's work is in provider_send.c. */
#include "embedder.h"

#include <stdlib.h>

#include "hashing_embedder.h"
#include "provider_send.h"
#include "report_error.h"

struct embedder {
    struct embedder_choice choice;
    struct provider *provider; /* NULL: the built-in embedder */
    struct hashing *hashing;
    struct text_batch *ready; /* computed and not taken yet */
};

static int compute(struct embedder *embedder, struct text_batch *batch);

int embedder_open(struct embedder **embedder_out, const struct embedder_choice *choice)
{
    struct embedder *embedder = calloc(1, sizeof *embedder);
    *embedder_out = embedder;
    if (embedder == NULL)
        return report_no_memory();
    embedder->choice = *choice;
    if (choice->address != NULL)
        return provider_open(&embedder->provider, choice);
    embedder->hashing = hashing_open(choice->dims);
    return embedder->hashing != NULL ? CODE_OK : report_no_memory();
}

int embedder_has_room(const struct embedder *embedder)
{
    return embedder->provider != NULL ? provider_has_room(embedder->provider)
                                      : embedder->ready == NULL;
}

int embedder_give(struct embedder *embedder, struct text_batch *batch)
{
    return embedder->provider != NULL ? provider_give(embedder->provider, batch)
                                      : compute(embedder, batch);
}

struct text_batch *embedder_take(struct embedder *embedder, int waits)
{
    if (embedder->provider != NULL)
        return provider_take(embedder->provider, waits);
    struct text_batch *batch = embedder->ready;
    embedder->ready = NULL;
    return batch;
}

int embedder_code(const struct embedder *embedder)
{
    return embedder->provider != NULL ? provider_code(embedder->provider) : CODE_OK;
}

int embedder_is_stopped(const struct embedder *embedder)
{
    return embedder->provider != NULL && provider_is_stopped(embedder->provider);
}

struct embedder_counts embedder_count(const struct embedder *embedder)
{
    struct embedder_counts none = {0, 0, 0, 0};
    return embedder->provider != NULL ? provider_count(embedder->provider) : none;
}

void embedder_close(struct embedder *embedder)
{
    if (embedder == NULL)
        return;
    provider_close(embedder->provider);
    hashing_close(embedder->hashing);
    free(embedder);
}

static int compute(struct embedder *embedder, struct text_batch *batch)
{
    int code = text_batch_make_vectors(batch, embedder->choice.dims);
    for (size_t i = 0; i < batch->asked_count && code == CODE_OK; i++) {
        size_t bytes;
        size_t text = batch->asked[i];
        const char *words = text_batch_text(batch, text, &bytes);
        int has_words =
            hashing_embed(embedder->hashing, words, bytes, text_batch_vector(batch, text));
        batch->texts[text].fate = has_words ? FATE_CAME : FATE_WORDLESS;
    }
    embedder->ready = batch;
    return code;
}
