/* Every call of the system in every scenario fails, in every way, once and for ever: no crash, no
 * leak (with a sanitizer), no false success, nothing half stored (10, 11). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "fault/play_scenario.h"
#include "os/os_fault.h"
#include "os/os_sim.h"
#include "support/under_sanitizer.h"
#include "support/watch_case.h"

/* Last: it makes a macro of the name fail. */
#include <cmocka.h>

enum {
    CASE_SECONDS = 60,
    SHOWN = 4,
    STEP = UNDER_SANITIZER ? 2 : 1, /* a sanitizer looks at every second call */
};

static const char *const kind_names[OS_FAULT_KINDS] = {"EIO", "ENOSPC", "short, then EIO",
                                                       "short, then ENOSPC"};

/* Whether the last play would have gone otherwise with a fault of that kind. */
static bool last_differs[OS_FAULT_KINDS];

static void arm(const void *plan)
{
    os_fault_arm(plan);
}

static uint64_t disarm(void)
{
    const struct os_fault_plan none = {OS_FAULT_ANY, OS_FAULT_IO, 0, false};
    uint64_t strikes = os_fault_strikes();
    for (int kind = 0; kind < OS_FAULT_KINDS; kind++)
        last_differs[kind] = os_fault_differs((enum os_fault_kind)kind);
    os_fault_arm(&none);
    return strikes;
}

static const struct stage_faults io_faults = {arm, disarm};

/* One play; returns whether it was right. */
static bool play_once(const struct production *production, const struct os_fault_plan *plan,
                      bool is_shown, uint64_t *strikes_out)
{
    char wrong[512];
    watch_case(production->scenario->name, plan->number, plan->kind * 2ull + plan->for_ever);
    *strikes_out = production_play(production, &io_faults, plan, wrong);
    if (wrong[0] != '\0' && is_shown)
        fprintf(stderr, "%s, call %llu fails with %s %s: %s\n", production->scenario->name,
                (unsigned long long)plan->number, kind_names[plan->kind],
                plan->for_ever ? "for ever" : "once", wrong);
    return wrong[0] == '\0';
}

/* The plays of one scenario; returns how many were wrong. What no kind but the first could change
 * is not played again with the others. */
static size_t fail_each(const struct production *production, bool for_ever)
{
    size_t failures = 0;
    uint64_t plays = 0;
    struct os_fault_plan plan = {OS_FAULT_ANY, OS_FAULT_IO, 1, for_ever};
    for (uint64_t strikes = 1; strikes > 0; plan.number += STEP) {
        uint64_t again;
        bool differs[OS_FAULT_KINDS];
        plan.kind = OS_FAULT_IO;
        failures += !play_once(production, &plan, failures < SHOWN, &strikes);
        plays += strikes > 0;
        for (int kind = 1; kind < OS_FAULT_KINDS; kind++)
            differs[kind] = last_differs[kind];
        for (int kind = 1; kind < OS_FAULT_KINDS; kind++)
            if (differs[kind]) {
                plan.kind = (enum os_fault_kind)kind;
                failures += !play_once(production, &plan, failures < SHOWN, &again);
                plays++;
            }
    }
    printf("%s: %llu calls fail %s in %llu ways, %zu wrong\n", production->scenario->name,
           (unsigned long long)(plan.number - 1) / STEP - 1, for_ever ? "for ever" : "once",
           (unsigned long long)plays, failures);
    return failures;
}

static void test_scenario(void **state)
{
    const struct scenario *scenario = *state;
    struct production production;
    char wrong[512];
    size_t failures = 0;
    assert_true(production_open(&production, scenario));
    production_play(&production, NULL, NULL, wrong);
    assert_string_equal(wrong, "");
    failures += fail_each(&production, false) + fail_each(&production, true);
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
    watch_case_begin("fail_io", CASE_SECONDS);
    int failed = _cmocka_run_group_tests("fail_io", tests, scenario_count, NULL, NULL);
    os_sim_end();
    return failed;
}
