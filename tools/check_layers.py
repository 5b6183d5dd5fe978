#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Holds the floors: a folder of src/ includes its own files and those of strictly lower floors, nothing else.

Customers (cli, examples, bench) see <embedcache.h> and files of their own folder. ARCHITECTURE.md has the
reasons. `check_layers.py --self-test` proves that each rule can fail.
"""
import os
import re
import sys

import c_source

FLOORS = {
    "base": 0, "os": 1, "kernel": 2, "codec": 3, "format": 3, "store": 4,
    "space": 5, "keys": 5, "rows": 5, "evict": 5, "fetch": 5, "tier": 5, "filter": 5, "index": 5,
    "db": 6, "shard": 7,
}
CUSTOMERS = ("cli", "examples", "bench")
SYSTEM_DOUBLES = re.compile(r"os/os_(sim|fault)")

_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^">]+)[">]', re.MULTILINE)


def includes(root, path):
    """(line, whether quoted, name) of each #include of a file."""
    code = c_source.blank(c_source.read(root, path), strings=False)
    return [(c_source.line_of(code, match.start()), match.group(1) == '"', match.group(2))
            for match in _INCLUDE.finditer(code)]


def refuse_inner(folder, quoted, name):
    """Why a file in src/<folder> may not include `name`; None when it may."""
    if name == "embedcache.h" or not quoted:
        return None
    if "/" not in name or ".." in name:
        return 'is not written as "folder/file.h"'
    target = os.path.dirname(name)
    if target == folder or folder.startswith(target + "/"):
        return None
    floor, target_floor = FLOORS.get(folder.split("/")[0]), FLOORS.get(target.split("/")[0])
    if target_floor is None:
        return "leads to a folder that has no floor"
    if target_floor < floor:
        return None
    return "is %s: %s is on floor %d, %s on floor %d" % (
        "sideways" if floor == target_floor else "upwards", folder, floor, target, target_floor)


def refuse_customer(root, path, quoted, name):
    """Why a customer's file may not include `name`; None when it may."""
    if not quoted:
        inner = os.path.isfile(os.path.join(root, "src", name))
        return "reaches into src/" if inner else None
    if ".." in name or not os.path.isfile(os.path.join(root, os.path.dirname(path), name)):
        return "is neither <embedcache.h> nor a file of this folder"
    return None


def check(root):
    findings = []
    for path in c_source.list_files(root, ("src",), (".c", ".h")):
        folder = os.path.dirname(path)[len("src/"):]
        if folder.split("/")[0] not in FLOORS:
            findings.append("%s:1: folder '%s' has no floor" % (path, folder))
            continue
        for line, quoted, name in includes(root, path):
            reason = refuse_inner(folder, quoted, name)
            if reason is None and SYSTEM_DOUBLES.match(name) and not SYSTEM_DOUBLES.match(path[len("src/"):]):
                reason = "is a double for tests"
            if reason:
                findings.append("%s:%d: include of %s %s" % (path, line, name, reason))
    for path in c_source.list_files(root, CUSTOMERS, (".c", ".h")):
        for line, quoted, name in includes(root, path):
            reason = refuse_customer(root, path, quoted, name)
            if reason:
                findings.append("%s:%d: include of %s %s" % (path, line, name, reason))
    return findings


def prove():
    good = {
        "src/base/a.h": "\n",
        "src/index/index.h": '#include "keys_not_included"\n'.replace("#include", "// #include"),
        "src/index/flat/flat.c": '#include "index/flat/flat.h"\n#include "index/index.h"\n#include "base/a.h"\n',
        "src/db/db_get.c": '#include "embedcache.h"\n#include <string.h>\n/* #include "shard/x.h" */\n',
        "cli/main.c": '#include <embedcache.h>\n#include "main.h"\n',
        "cli/main.h": "\n",
    }
    c_source.self_test("check_layers", good, [
        ({"src/base/b.c": '#include "os/os.h"\n'}, "upwards"),
        ({"src/keys/k.c": '#include "rows/rows.h"\n'}, "sideways"),
        ({"src/index/index.c": '#include "index/flat/flat.h"\n'}, "sideways"),
        ({"src/codec/c.c": '#include "format/format.h"\n'}, "sideways"),
        ({"src/base/b.c": '#include "a.h"\n'}, 'not written as "folder/file.h"'),
        ({"src/base/b.c": '#include "extra/a.h"\n'}, "no floor"),
        ({"src/extra/b.c": "\n"}, "no floor"),
        ({"src/store/s.c": '#include "os/os_sim.h"\n'}, "double for tests"),
        ({"cli/get.c": '#include "../src/base/a.h"\n'}, "neither"),
        ({"bench/b.c": '#include <base/a.h>\n'}, "reaches into src/"),
        ({"examples/e.c": '#include "embedcache.h"\n'}, "neither"),
    ], check)


if __name__ == "__main__":
    sys.exit(c_source.run("check_layers", sys.argv[1:], check, prove))
