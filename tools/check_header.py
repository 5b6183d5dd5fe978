#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the public header: every function has a block of documentation right above it, every function that returns a
status tells which, and the header compiles without warnings as C99, C11, C++11 and C++17, its _INIT macros included.

`check_header.py --self-test` proves that each rule can fail.
"""
import re
import shutil
import subprocess
import sys

import c_source

HEADER = "include/embedcache.h"
STANDARDS = (("c", "c99"), ("c", "c11"), ("c++", "c++11"), ("c++", "c++17"))
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Werror", "-fsyntax-only"]

_DECLARATION = re.compile(r"^EDB_API\s+(?P<type>[^;(]*?)(?P<name>edb_\w+)\s*\([^;]*;", re.MULTILINE)


def statuses(text):
    match = re.search(r"typedef enum edb_status \{(.*?)\}", c_source.blank(text), re.DOTALL)
    return set(re.findall(r"\bEDB_\w+", match.group(1))) if match else set()


def comment_above(text, position):
    """The comment that ends on the line right above `position`, or an empty string."""
    above = text[:position].rstrip(" ")
    if not above.endswith("*/\n"):
        return ""
    return above[above.rindex("/*"):]


def check_documentation(text):
    findings, known = [], statuses(text)
    code = c_source.blank(text)
    for match in _DECLARATION.finditer(code):
        place = "%s:%d: %s" % (HEADER, c_source.line_of(code, match.start()), match.group("name"))
        comment = comment_above(text, match.start())
        if not comment:
            findings.append("%s has no documentation right above it" % place)
        elif match.group("type").strip() == "edb_status":
            refers = re.search(r"\bas\s+for\b|\bas\s+edb_\w+", comment.replace("*", " "), re.IGNORECASE)
            if not refers and not known & set(re.findall(r"\bEDB_\w+", comment)):
                findings.append("%s returns a status and its documentation names none" % place)
    for match in re.finditer(r"^\s*(?:extern\s+)?(?!.*EDB_API)[\w *]*\b(edb_\w+)\([^;{]*\);", code, re.MULTILINE):
        if not match.group().lstrip().startswith(("typedef", "EDB_API")):
            findings.append("%s:%d: %s is not marked EDB_API" % (
                HEADER, c_source.line_of(code, match.start(1)), match.group(1)))
    return findings


def compile_as(root, compiler, language, standard, text):
    """Errors and warnings of a program that includes the header and uses its _INIT macros, as findings."""
    program = "#include <embedcache.h>\n#include <embedcache.h>\n"
    for macro in re.findall(r"^#define (EDB_\w+_INIT)\b", text, re.MULTILINE):
        kind = macro[:-len("_INIT")].lower()
        program += "%s use_%s(void);\n%s use_%s(void)\n{\n    %s value = %s;\n    return value;\n}\n" % (
            kind, kind, kind, kind, kind, macro)
    # -I and not -isystem: warnings of the header are wanted.
    result = subprocess.run([compiler, "-x", language, "-std=" + standard, *WARNINGS, "-Iinclude", "-"],
                            cwd=root, input=program, capture_output=True, text=True, check=False)
    lines = [line for line in result.stderr.splitlines() if re.search(r":\d+:.*(error|warning)", line)]
    if result.returncode and not lines:
        lines = [result.stderr.strip()]
    return ["%s (%s as %s)" % (line, compiler, standard) for line in lines]


def check(root):
    text = c_source.read(root, HEADER)
    findings = check_documentation(text)
    compilers = {"c": ("gcc", "clang"), "c++": ("g++", "clang++")}
    for language, standard in STANDARDS:
        for compiler in filter(shutil.which, compilers[language]):
            findings += compile_as(root, compiler, language, standard, text)
    return findings


def prove():
    def header(body):
        return {HEADER: '#ifdef __cplusplus\nextern "C" {\n#endif\n#ifndef EDB_API\n#define EDB_API\n'
                        "typedef enum edb_status { EDB_OK = 0, EDB_IO = -6 } edb_status;\n"
                        "typedef struct edb_options {\n    int a;\n    int b;\n} edb_options;\n" + body +
                        "#endif\n#ifdef __cplusplus\n}\n#endif\n"}
    documented = "/* Does it. EDB_IO when not. */\nEDB_API edb_status edb_f(int a,\n    int b);\n"
    good = header("#define EDB_OPTIONS_INIT {0, 0}\n" + documented + "/* Says it. */\nEDB_API const char *edb_g(void);\n")
    c_source.self_test("check_header", good, [
        (header(documented + "\nEDB_API int edb_h(void);\n"), "edb_h has no documentation"),
        (header("/* Does it. */\nEDB_API edb_status edb_h(void);\n"), "edb_h returns a status"),
        (header("/* Does it: EDB_OTHER. */\nEDB_API edb_status edb_h(void);\n"), "edb_h returns a status"),
        (header("/* Does it. */\nint edb_h(void);\n"), "edb_h is not marked EDB_API"),
        (header("int (*new)(int);\n"), "as c++11"),
        (header("typedef int edb_none[0];\n"), "as c99"),
        (header("#define EDB_OPTIONS_INIT {1}\n"), "as c99"),
    ], check)


if __name__ == "__main__":
    sys.exit(c_source.run("check_header", sys.argv[1:], check, prove))
