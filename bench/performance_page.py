# SPDX-License-Identifier: Apache-2.0
"""The measured parts of docs/performance.md: each stands between two marks and is written anew by its runner."""
import os
import sys

PAGE = os.path.join("docs", "performance.md")


def write(root, bench, table):
    """Puts the table of `bench` ("kv": bench/run_kv) between its marks."""
    begin, end = "<!-- bench-%s: begin (written by bench/run_%s) -->" % (bench, bench), "<!-- bench-%s: end -->" % bench
    path = os.path.join(root, PAGE)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    before, found_begin, rest = text.partition(begin)
    _, found_end, after = rest.partition(end)
    if not found_begin or not found_end:
        sys.exit("performance_page: %s has lost its marks: %s … %s" % (PAGE, begin, end))
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + begin + "\n\n" + table + "\n\n" + end + after)
