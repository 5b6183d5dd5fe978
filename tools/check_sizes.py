#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the sizes of things: functions, files, parameters, lines; and a few marks that a file must or must not have.

Hard limits are findings; the softer ones are printed as notes and fail nothing. `check_sizes.py --self-test`
proves that each rule can fail.
"""
import os
import re
import sys

import c_source

FUNCTION_LINES_MAX, FUNCTION_LINES_NOTE = 100, 60
FILE_LINES_MAX, FILE_LINES_NOTE = 1000, 700
PARAMETERS_MAX = 6

# Spelled in pieces, so that this file does not find itself.
_LEFT_FOR_LATER = re.compile(r"\b(%s)\b" % "|".join(("TO" "DO", "FIX" "ME", "XX" "X", "HA" "CK")))
_TEXT_SUFFIXES = (".c", ".h", ".py", ".pyx", ".pxd", ".pxi", ".pyi", ".sh", ".cmake", ".md", "CMakeLists.txt", "Makefile")


def column_limit(root):
    """The line length has one home: .clang-format."""
    match = re.search(r"^ColumnLimit: *(\d+)", c_source.read(root, ".clang-format"), re.MULTILINE)
    return int(match.group(1))


def check_function(path, function):
    """(findings, notes) on one function."""
    place = "%s:%d: function %s" % (path, function.first, function.name)
    findings, notes = [], []
    if function.lines > FUNCTION_LINES_MAX:
        findings.append("%s has %d lines, %d are allowed" % (place, function.lines, FUNCTION_LINES_MAX))
    elif function.lines > FUNCTION_LINES_NOTE:
        notes.append("note: %s has %d lines" % (place, function.lines))
    # The public functions are counted where they are declared, once, by people.
    if function.parameters > PARAMETERS_MAX and not function.name.startswith("edb_"):
        findings.append("%s has %d parameters, %d are allowed" % (place, function.parameters, PARAMETERS_MAX))
    return findings, notes


def check_file(path, text, columns):
    """(findings, notes) on one C file."""
    findings, notes = [], []
    lines = text.split("\n")
    if len(lines) - 1 > FILE_LINES_MAX:
        findings.append("%s:1: file has %d lines, %d are allowed" % (path, len(lines) - 1, FILE_LINES_MAX))
    elif len(lines) - 1 > FILE_LINES_NOTE:
        notes.append("note: %s:1: file has %d lines" % (path, len(lines) - 1))
    if not text.startswith("/*"):
        findings.append("%s:1: no head comment: what lives here, who calls it, what it must not do" % path)
    for number, line in enumerate(lines, 1):
        if len(line) > columns:
            findings.append("%s:%d: line has %d columns, %d are allowed" % (path, number, len(line), columns))
        if "\t" in line:
            findings.append("%s:%d: tab" % (path, number))
    for function in c_source.functions(text):
        more, more_notes = check_function(path, function)
        findings += more
        notes += more_notes
    return findings, notes


def check_names(paths):
    """File names are unique over src/: a name is enough to find a file."""
    seen, findings = {}, []
    for path in paths:
        name = os.path.basename(path)
        if name in seen:
            findings.append("%s:1: file name is taken by %s" % (path, seen[name]))
        seen.setdefault(name, path)
    return findings


def check_marks(root):
    """Nothing is left for later in the text."""
    folders = c_source.C_FOLDERS + ("docs", "tools", "cmake", "python")
    paths = c_source.list_files(root, folders, _TEXT_SUFFIXES) + [
        name for name in sorted(os.listdir(root)) if name.endswith(_TEXT_SUFFIXES)]
    findings = []
    for path in paths:
        for number, line in enumerate(c_source.read(root, path).split("\n"), 1):
            match = _LEFT_FOR_LATER.search(line)
            if match:
                findings.append("%s:%d: %s: build it, or say it in docs/limits.md" % (path, number, match.group()))
    return findings


def check(root):
    columns = column_limit(root)
    findings = check_names(c_source.list_files(root, ("src",), (".c", ".h")))
    for path in c_source.list_files(root, c_source.C_FOLDERS, (".c", ".h")):
        more, notes = check_file(path, c_source.read(root, path), columns)
        findings += more
        for note in notes:
            print(note)
    return findings + check_marks(root)


def prove():
    head = "/* Head. */\n"
    good = {
        ".clang-format": "ColumnLimit: 100\n",
        "src/base/a.c": head + "static int\nadd(int a, void (*f)(int, int))\n{\n    return a;\n}\n",
        "src/base/b.c": head + "struct s {\n    int x;\n};\n/* " + "é" * 90 + " */\n",
    }

    def function(parameters, lines):
        return head + "int big(%s)\n{\n%s}\n" % (", ".join(parameters), "    f();\n" * (lines - 3))

    c_source.self_test("check_sizes", good, [
        ({"src/os/c.c": function(["void"], 101)}, "function big has 101 lines"),
        ({"src/os/c.c": function(["int %s" % name for name in "abcdefg"], 5)}, "function big has 7 parameters"),
        ({"src/os/c.c": head + "int x;\n" * 1000}, "file has 1001 lines"),
        ({"tests/c.c": head + "/* " + "x" * 100 + " */\n"}, "line has 106 columns"),
        ({"src/os/c.c": head + "\tint x;\n"}, "tab"),
        ({"src/os/c.c": "int x;\n"}, "no head comment"),
        ({"src/os/a.c": head}, "file name is taken by"),
        ({"docs/a.md": "a " + "TO" + "DO: later\n"}, "build it"),
    ], check)


if __name__ == "__main__":
    sys.exit(c_source.run("check_sizes", sys.argv[1:], check, prove))
