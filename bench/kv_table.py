# SPDX-License-Identifier: Apache-2.0
"""Prints the key-value comparison as a table, and keeps it: JSON in bench/results/, the table in docs/performance.md.

`python3 bench/kv_table.py RESULT.json` writes the table of an earlier run into the page again.
"""
import json
import os
import sys

sys.dont_write_bytecode = True

import machine_line  # noqa: E402
import performance_page  # noqa: E402

NOT_HERE = "not available here"


def number(value, unit):
    """A figure with about three digits that count."""
    if value is None:
        return NOT_HERE
    if unit == "MiB":
        return "%.2f MiB" % (value / 2 ** 20)
    if unit == "/s":
        return "%s k/s" % ("%.0f" % (value / 1e3) if value >= 1e5 else "%.3g" % (value / 1e3))
    if unit == "x":
        return "%.3fx" % value
    return ("%.0f %s" if value >= 100 else "%.3g %s") % (value, unit)


def ratio_cell(line):
    if "ratio" not in line:
        return "–"
    low, high = line["ratio_spread"]
    names = {"lmdb": "LMDB", "sqlite": "SQLite", "bare": "bare"}
    return "**%.2fx** %s (%.2f–%.2f)" % (line["ratio"], names[line["against"]], low, high)


def goal_cell(line):
    if line["goal"] is None:
        return "–"
    sign = "≥" if line["more"] else "≤"
    goal = "%gx" % line["goal"] if line["against"] else number(line["goal"], line["unit"])
    return "%s %s: %s" % (sign, goal, "met" if line["met"] else "**missed**")


def row(line):
    cells = [line["text"]]
    cells += [number(line["median"][peer], line["unit"]) if peer in line["median"] else "–"
              for peer in ("edb", "lmdb", "sqlite")]
    if "bare" in line["median"]:
        cells[0] += ": %s" % number(line["median"]["bare"], line["unit"])
    return "| %s |" % " | ".join(cells + [ratio_cell(line), goal_cell(line)])


def counters(lines):
    """What the processor counted in a get, or that it does not count here."""
    texts = []
    for line in lines:
        for counter in ("instructions", "cache_misses"):
            values = line.get(counter)
            if values and None not in values.values():
                texts.append("%s, %s: %s" % (line["name"], counter.replace("_", " "), ", ".join(
                    "%s %.1f" % (peer, value) for peer, value in values.items())))
    return "; ".join(texts) or NOT_HERE


def render(report):
    """The whole of what stands between the marks."""
    versions = report["versions"]
    lines = ["Measured %s, %d rounds; the ratio is the median of the rounds' ratios, lowest and highest behind it."
             % (report["date"], report["rounds"]), "",
             "| work | EmbedCache %s | LMDB %s | SQLite %s | EmbedCache : peer | goal |"
             % (versions["edb"], versions["lmdb"], versions["sqlite"]),
             "|---|---|---|---|---|---|"]
    lines += [row(line) for line in report["lines"]]
    lines += ["", "Machine: " + machine_line.line(report["machine"]) + ".", "",
              "Instructions and cache misses of a get: " + counters(report["lines"]) + "."]
    return "\n".join(lines)


def keep(root, report, table):
    results = os.path.join(root, "bench", "results")
    os.makedirs(results, exist_ok=True)
    with open(os.path.join(results, "kv-%s.json" % report["date"]), "w", encoding="utf-8") as file:
        json.dump(report, file, indent=1)
        file.write("\n")
    performance_page.write(root, "kv", table)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with open(sys.argv[1], encoding="utf-8") as result:
        performance_page.write(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "kv",
                               render(json.load(result)))
