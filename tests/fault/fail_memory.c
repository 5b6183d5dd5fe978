/* Every allocation of every scenario fails, once and for ever: no crash, no leak (with a
 * sanitizer), no false success, and nothing stored where EDB_NO_MEMORY was said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "fault/play_scenario.h"
#include "os/os_sim.h"
#include "support/under_sanitizer.h"
#include "support/watch_case.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum {
    CASE_SECONDS = 60,
    SHOWN = 4,
    STEP = UNDER_SANITIZER ? 2 : 1, /* a sanitizer looks at every second allocation */
};

struct plan {
    size_t number;
    int for_ever;
};

static size_t armed_number;

static void arm(const void *plan)
{
    const struct plan *wanted = plan;
    armed_number = wanted->number;
    memory_fail_at(wanted->number, wanted->for_ever);
}

static uint64_t disarm(void)
{
    return memory_fail_at(0, 0) >= armed_number;
}

static const struct stage_faults memory_faults = {arm, disarm};

/* The plays of one scenario; returns how many were wrong. */
static size_t fail_each(const struct production *production, int for_ever)
{
    size_t failures = 0;
    struct plan plan = {1, for_ever};
    char wrong[512];
    for (uint64_t strikes = 1; strikes > 0; plan.number += STEP) {
        watch_case(production->scenario->name, plan.number, (unsigned long long)for_ever);
        strikes = production_play(production, &memory_faults, &plan, wrong);
        if (wrong[0] != '\0' && failures++ < SHOWN)
            fprintf(stderr, "%s, allocation %zu fails %s: %s\n", production->scenario->name,
                    plan.number, for_ever ? "for ever" : "once", wrong);
    }
    printf("%s: %zu allocations fail %s, %zu wrong\n", production->scenario->name,
           (plan.number - 1) / STEP - 1, for_ever ? "for ever" : "once", failures);
    return failures;
}

static void test_scenario(void **state)
{
    const struct scenario *scenario = *state;
    struct production production;
    char wrong[512];
    assert_true(production_open(&production, scenario));
    production_play(&production, NULL, NULL, wrong);
    assert_string_equal(wrong, "");
    size_t failures = fail_each(&production, 0) + fail_each(&production, 1);
    production_close(&production);
    assert_int_equal(failures, 0);
}

int main(void)
{
    struct CMUnitTest tests[64];
    assert_true(scenario_count <= sizeof tests / sizeof tests[0]);
    for (size_t i = 0; i < scenario_count; i++)
        tests[i] = (struct CMUnitTest){scenarios[i].name, test_scenario, NULL, NULL,
                                       (void *)(uintptr_t)&scenarios[i]};
    watch_case_begin("fail_memory", CASE_SECONDS);
    int failed = _cmocka_run_group_tests("fail_memory", tests, scenario_count, NULL, NULL);
    os_sim_end();
    return failed;
}
