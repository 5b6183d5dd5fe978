/* Digests are the published ones, at any length, from the first call on, in many threads at once.
 * The expected values are Python's hashlib's; those of "" and "abc" are in the standards too. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "codec/codec_digest.h"

#include <cmocka.h>

struct sample {
    const char *text;
    size_t repeat;
    const char *sha256;
    const char *blake2b;
};

static const struct sample samples[] = {
    {"", 1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
     "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"},
    {"abc", 1, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
     "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"},
    {"a", 200000, "2287d207f24a941ff3b56c04c8a25ad56b63e3023207b3bb5b4ac0c9869d74be",
     "5d9714feafe283193f3554a956c08f5d8fbade49844b12bf3ba49ac2aa9107e3"},
};

enum { SAMPLES = sizeof samples / sizeof samples[0], TEXT_MAX = 200000, THREADS = 8 };

static const char *digest_text(edb_key_form form, const void *bytes, size_t count, char text[65])
{
    uint8_t digest[CODEC_DIGEST_BYTES];
    if (codec_digest(form, bytes, count, digest) != EDB_OK)
        return "failed";
    for (size_t i = 0; i < sizeof digest; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return text;
}

static void *first_call_of_a_thread(void *arg)
{
    char text[65];
    *(int *)arg = strcmp(digest_text(EDB_KEY_BLAKE2B, "abc", 3, text), samples[1].blake2b);
    return NULL;
}

/* Runs first: no digest has been asked for yet. */
static void test_many_threads_begin_at_once(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    int differs[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, first_call_of_a_thread, &differs[i]), 0);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(differs[i], 0);
    }
}

static void test_published_digests(void **state)
{
    (void)state;
    static char bytes[TEXT_MAX];
    char text[65];
    for (size_t i = 0; i < SAMPLES; i++) {
        size_t count = strlen(samples[i].text) * samples[i].repeat;
        for (size_t at = 0; at < count; at++)
            bytes[at] = samples[i].text[at % strlen(samples[i].text)];
        assert_string_equal(digest_text(EDB_KEY_SHA256, bytes, count, text), samples[i].sha256);
        assert_string_equal(digest_text(EDB_KEY_BLAKE2B, bytes, count, text), samples[i].blake2b);
        assert_string_equal(digest_text(EDB_KEY_BYTES, bytes, count, text), samples[i].blake2b);
    }
    assert_string_equal(digest_text(EDB_KEY_SHA256, NULL, 0, text), samples[0].sha256);
    assert_string_equal(digest_text(EDB_KEY_BLAKE2B, NULL, 0, text), samples[0].blake2b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_threads_begin_at_once),
        cmocka_unit_test(test_published_digests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
