#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Chooses the cases of a fuzz target that are kept in the repository: `tools/fuzz --keep` calls it.

usage: fuzz_keep.py <merge control file> <folder of the seeds> <folder to write>

libFuzzer's control file lists for each case what it reaches that none before it has reached, the seeds first, then the
others, the shorter one of two first. Those that reach the most are kept. Only files named reach_* are replaced: a case
that once broke something has a name of its own.
"""
import glob
import os
import sys

CASES_MAX, BYTES_MAX = 100, 400000


def read_control(path):
    """How many new things each file reaches."""
    with open(path, encoding="utf-8") as file:
        lines = file.read().split("\n")
    count = int(lines[0])
    files = lines[2:2 + count]
    reached = {}
    for line in lines[2 + count:]:
        words = line.split()
        if words[:1] == ["FT"]:
            reached[files[int(words[1])]] = len(words) - 2
    return reached


def choose(reached, seeds):
    """The names of the cases, the most telling one first."""
    chosen, room = [], BYTES_MAX
    for name in sorted(reached, key=reached.get, reverse=True):
        size = os.path.getsize(name)
        if reached[name] > 0 and size <= room and not name.startswith(seeds) and len(chosen) < CASES_MAX:
            chosen.append(name)
            room -= size
    return chosen


def read_bytes(path):
    with open(path, "rb") as file:
        return file.read()


def main():
    control, seeds, folder = sys.argv[1:4]
    # Some of them are the ones that are replaced.
    cases = [read_bytes(name) for name in choose(read_control(control), seeds)]
    os.makedirs(folder, exist_ok=True)
    for old in glob.glob(os.path.join(folder, "reach_*")):
        os.remove(old)
    for number, case in enumerate(cases, 1):
        with open(os.path.join(folder, "reach_%02d" % number), "wb") as file:
            file.write(case)
    print("%s: %d cases, %d bytes" % (folder, len(cases), sum(map(len, cases))))


if __name__ == "__main__":
    main()
