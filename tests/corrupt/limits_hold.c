/* The limits that a case has are real: one that takes too long, or asks for too much, ends the
 * process that replays it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/bound_memory.h"
#include "support/under_sanitizer.h"
#include "support/watch_case.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum { OWN_MS = 200, WATCHED = 99 };

static volatile uint64_t spun;

static int status_of(void (*way)(void))
{
    int ended = 0;
    pid_t child = fork();
    if (child == 0) {
        way();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFEXITED(ended));
    return WEXITSTATUS(ended);
}

static void spin_through_cases(void)
{
    watch_case_begin("limits_hold, which is to spin", 60);
    watch_case_limit(OWN_MS);
    for (int i = 0; i < 3; i++)
        watch_case("spin", 0, (unsigned)i);
    for (;;)
        spun++;
}

static void take_memory(void)
{
    bound_memory(256u << 20);
    void *much = malloc(300u << 20);
    void *less = malloc(100u << 20);
    _exit(much == NULL && less != NULL ? WATCHED : 0);
}

static void test_time_is_bounded(void **state)
{
    (void)state;
    assert_int_equal(status_of(spin_through_cases), WATCHED);
}

static void test_memory_is_bounded(void **state)
{
    (void)state;
    if (UNDER_SANITIZER)
        skip();
    assert_int_equal(status_of(take_memory), WATCHED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_is_bounded),
        cmocka_unit_test(test_memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
