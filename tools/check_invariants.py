#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the promise of docs/format.md that every numbered invariant has a test that would catch its violation.

An invariant is a list item that begins with its number in bold and names its tests in backticks:

    - **4** All-zero and all-ones bytes are no frame. *Test:* `zero_is_no_frame`, `tests/unit/format/test_frame.c:ones`

A test is a function in tests/, a program or script of tests/ by its file name, or a path and a function. An invariant
that cannot be tested yet says "not before" and what must come first. `check_invariants.py --self-test` proves that
each rule can fail.
"""
import os
import re
import sys

import c_source

DOCUMENT = "docs/format.md"
NUMBERS = range(1, 36)

_ITEM = re.compile(r"^\s*- \*\*(\d+)\.?\*\*")
_TESTS = re.compile(r"\*Tests?:\*(.*)", re.DOTALL)


def items(text):
    """(line, number, text) of each invariant; an item ends where the next one, a heading or an empty line begins."""
    found = []
    for number, line in enumerate(text.split("\n"), 1):
        match = _ITEM.match(line)
        if match:
            found.append([number, int(match.group(1)), line])
            inside = True
        elif not line.strip() or line.startswith(("#", "- ")):
            inside = False
        elif found and inside:
            found[-1][2] += " " + line.strip()
    return found


class Tests:
    """What there is in tests/: functions by file, and files by name."""

    def __init__(self, root):
        self._functions, self._files = {}, set()
        for path in c_source.list_files(root, ("tests", "fuzz"), (".c", ".sh", ".py")):
            self._files |= {path, os.path.basename(path), os.path.splitext(os.path.basename(path))[0]}
            text = c_source.read(root, path)
            self._functions[path] = set(re.findall(r"\b(\w+)\s*\(", c_source.blank(text) if path.endswith(".c") else text))

    def has(self, name):
        path, _, function = name.rpartition(":")
        if path:
            return function in self._functions.get(path, ())
        return name in self._files or any(name in functions for functions in self._functions.values())


def check(root):
    if not os.path.isfile(os.path.join(root, DOCUMENT)):
        print("check_invariants: skipped, there is no %s" % DOCUMENT)
        return []
    tests, findings, seen = Tests(root), [], set()
    for line, number, text in items(c_source.read(root, DOCUMENT)):
        place = "%s:%d: invariant %d" % (DOCUMENT, line, number)
        if number in seen:
            findings.append("%s stands twice" % place)
        seen.add(number)
        match = _TESTS.search(text)
        names = re.findall(r"`([^`]+)`", match.group(1)) if match else []
        if not names and not re.search(r"\bnot before\b", text):
            findings.append("%s names no test" % place)
        findings += ["%s: there is no test `%s`" % (place, name) for name in names if not tests.has(name)]
    return findings + ["%s:1: invariant %d is missing" % (DOCUMENT, number) for number in NUMBERS if number not in seen]


def prove():
    def document(*changed):
        lines = {number: "- **%d** It holds. *Test:* `holds`" % number for number in NUMBERS}
        lines.update(changed)
        return {DOCUMENT: "# Format\n\n" + "\n".join(line for line in lines.values() if line) + "\n"}

    good = {
        "tests/unit/test_a.c": "static void holds(void **state)\n{\n}\n",
        **document((3, "- **3** Two lines,\n  the test below.\n  *Tests:* `holds`, `tests/unit/test_a.c:holds`, `test_a`"),
                   (16, "- **16** Later: not before compaction.")),
    }
    c_source.self_test("check_invariants", good, [
        (document((7, "- **7** It holds.")), "invariant 7 names no test"),
        (document((7, "- **7** It `holds`.")), "invariant 7 names no test"),
        (document((7, "- **7** It holds. *Test:* `gone`")), "invariant 7: there is no test `gone`"),
        (document((7, "- **7** It. *Test:* `tests/unit/test_b.c:holds`")), "there is no test `tests/unit/test_b.c:holds`"),
        (document((7, "")), "invariant 7 is missing"),
        (document((8, "- **7** It holds. *Test:* `holds`")), "invariant 7 stands twice"),
    ], check)


if __name__ == "__main__":
    sys.exit(c_source.run("check_invariants", sys.argv[1:], check, prove))
