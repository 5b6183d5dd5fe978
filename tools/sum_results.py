#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Adds up the JUnit accounts of several CTest runs: tools/test calls it last.

usage: sum_results.py <number of broken builds> <results.xml>...

Before the sum stand the figures that some tests have printed: how much was tried, and with what end.
A cmocka program counts with each of its test functions, anything else (a script, a style check) as one. A test that
was not run, because its program is not there, has failed.
The last line is "N passed, N failed"; the exit status is 1 when anything failed.
"""
import re
import sys
import xml.etree.ElementTree as ElementTree


def cmocka_counts(output):
    """(passed, skipped, failed) functions as cmocka's summaries tell them; zeros when there are none."""
    return tuple(
        sum(int(n) for n in re.findall(r"^\[ +%s +\] (\d+) test\(s\)" % word, output, re.MULTILINE))
        for word in ("PASSED", "SKIPPED", "FAILED"))


# Of a test's output the lines that tell how much it has been through.
FIGURES = {
    "crash_protocol": r"crash states",
    "mutants_caught": r"mutants caught",
    "kill_loop": r"^\d+ (kills|commits)",
    "writers_readers": r"^(kills|acknowledged|reads judged|compactions|stopped|lock hand-over)",
    "strangers": r"truncations",
    "random_operations": r"rows were given",
    "colliding_keys": r"pairs of keys collide",
    "hostile_bytes": r"^\d+ files:",
    "threads_handle": r"^\d+ (seconds|commits)",
}


def figures(name, output):
    """The lines of FIGURES that a test has printed."""
    pattern = FIGURES.get(name)
    return [line for line in (output or "").split("\n") if pattern and re.search(pattern, line)]


def main():
    passed, failed = 0, int(sys.argv[1])
    skipped, bad = [], ["a build"] * failed
    for path in sys.argv[2:]:
        for case in ElementTree.parse(path).getroot().iter("testcase"):
            for line in figures(case.get("name"), case.findtext("system-out")):
                print("%s: %s" % (case.get("name"), line))
            functions_passed, functions_skipped, functions_failed = cmocka_counts(case.findtext("system-out") or "")
            said = case.find("skipped")
            if said is not None and said.get("message", "").startswith("SKIP_RETURN_CODE"):
                skipped.append(case.get("name"))
            elif case.get("status") == "run":
                passed += functions_passed or (0 if functions_skipped else 1)
                if functions_skipped:
                    skipped.append("%d of %s" % (functions_skipped, case.get("name")))
            else:
                passed += functions_passed
                failed += functions_failed or 1
                bad.append("%s (%s)" % (case.get("name"), path.split("/")[0]))
    if skipped:
        print("skipped: " + ", ".join(skipped))
    if bad:
        print("failed: " + ", ".join(bad))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
