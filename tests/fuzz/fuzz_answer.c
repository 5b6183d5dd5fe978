/* What an embedding server answers. Byte 0 says what was asked for, the rest is the answer. What is
 * taken has one finite vector of one size for each text, and, where jansson reads it too, the very
 * numbers that stand there. */
#include <jansson.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "embedcache.h"
#include "fuzz/target.h"
#include "provider_answer.h"

static struct answer_wish wish_of(uint8_t head)
{
    static const uint32_t dims[] = {0, 1, 3, 4};
    return (struct answer_wish){.model = "org/toy-model:v2",
                                .count = 1 + (head & 3),
                                .dims = dims[head >> 2 & 3],
                                .dims_are_fixed = head >> 4 & 1};
}

/* The number as a float: jansson's double, rounded twice, may be one float beside it. */
static void hold_decimal(const json_t *number, float taken)
{
    float wanted = (float)json_number_value(number);
    bool near = taken == wanted || taken == nextafterf(wanted, INFINITY) ||
                taken == nextafterf(wanted, -INFINITY);
    target_hold(json_is_number(number) && near, "%g was read as %g", (double)wanted, (double)taken);
}

/* Digits may end without their "=" and in bits that stand for nothing; else it is sodium's. */
static void hold_base64(const json_t *text, const float *taken, uint32_t dims)
{
    uint8_t bytes[CASE_BYTES_MAX];
    size_t count = 0;
    int known =
        sodium_base642bin(bytes, sizeof bytes, json_string_value(text), json_string_length(text),
                          NULL, &count, NULL, sodium_base64_VARIANT_ORIGINAL);
    if (known == 0 && count == dims * sizeof *taken)
        target_hold(memcmp(bytes, taken, count) == 0, "base64 was read as something else");
}

static void hold_element(const json_t *element, const struct answer *answer, size_t count)
{
    json_int_t index = json_integer_value(json_object_get(element, "index"));
    const json_t *list = json_object_get(element, "embedding");
    target_hold(index >= 0 && (size_t)index < count, "index %lld was taken", (long long)index);
    const float *taken = answer->vectors + (size_t)index * answer->dims;
    if (json_is_string(list)) {
        hold_base64(list, taken, answer->dims);
        return;
    }
    target_hold(json_array_size(list) == answer->dims, "%zu numbers, and %u dims",
                json_array_size(list), answer->dims);
    for (uint32_t i = 0; i < answer->dims; i++)
        hold_decimal(json_array_get(list, i), taken[i]);
}

/* Of the same member twice jansson takes the last, too. */
static void hold_content(const char *body, size_t bytes, const struct answer *answer, size_t count)
{
    json_t *whole = json_loadb(body, bytes, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
    if (whole == NULL)
        return;
    json_t *data = json_object_get(whole, "data");
    target_hold(json_array_size(data) == count, "%zu elements, and %zu texts",
                json_array_size(data), count);
    for (size_t i = 0; i < count; i++)
        hold_element(json_array_get(data, i), answer, count);
    json_decref(whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t count)
{
    if (count == 0)
        return 0;
    struct answer answer;
    struct answer_wish wish = wish_of(bytes[0]);
    char *body = (char *)target_exact(bytes, count); /* one byte more: behind it stands a NUL */
    memmove(body, body + 1, count - 1);
    body[count - 1] = '\0';
    if (answer_read(&wish, body, count - 1, &answer)) {
        target_hold(answer.dims > 0 && answer.dims <= EDB_DIMS_MAX, "%u dims", answer.dims);
        target_hold(wish.dims == 0 || answer.dims == wish.dims, "%u dims", answer.dims);
        for (size_t i = 0; i < wish.count * answer.dims; i++)
            target_hold(isfinite(answer.vectors[i]), "number %zu is not finite", i);
        hold_content(body, count - 1, &answer, wish.count);
    } else {
        target_hold(answer.vectors == NULL, "refused, and there are vectors");
        target_hold(answer.has_no_memory || answer.wrong[0] != '\0', "refused without a reason");
    }
    free(answer.vectors);
    free(body);
    return 0;
}

size_t target_seed(size_t number, uint8_t *out)
{
    static const struct {
        uint8_t head;
        const char *body;
    } seeds[] = {
        {0, "{\"object\":\"list\",\"data\":[{\"object\":\"embedding\",\"index\":0,\"embedding\":"
            "[0.25,-1,1e-3]}],\"model\":\"toy-model\",\"usage\":{\"total_tokens\":5}}"},
        {1 | 2 << 2, "{\"model\":\"Org/Toy-Model:v2\",\"data\":[{\"index\":1,\"embedding\":[1,2,3]}"
                     ",{\"embedding\":[4.5E0,5,6],\"index\":0}]}"},
        {0 | 1 << 2, "{\"data\":[{\"index\":0,\"embedding\":\"AACAPw==\"}]}"},
        {3, "{\"data\":[{\"index\":0,\"embedding\":\"AACAPwAA\\/78=\"},{\"index\":2,\"embedding\":"
            "\"AACAPwAAAEA=\"},{\"index\":1,\"embedding\":[1,2]},{\"index\":3,\"embedding\":[3,"
            "16777217]}],\"model\":\"toy-model-2024-01-25\"}"},
        {0, "{\"error\":{\"message\":\"no\",\"code\":400}}"},
        {0, "<html>Bad Gateway</html>"},
    };
    if (number >= sizeof seeds / sizeof seeds[0])
        return 0;
    out[0] = seeds[number].head;
    memcpy(out + 1, seeds[number].body, strlen(seeds[number].body));
    return 1 + strlen(seeds[number].body);
}
