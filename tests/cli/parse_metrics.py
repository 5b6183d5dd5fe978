# SPDX-License-Identifier: Apache-2.0
"""Reads the text format of Prometheus, version 0.0.4, as strictly as its description allows, and prints it as JSON:
{"metrics": {name: {"type", "help", "samples": [[labels, value], ...]}}}. What breaks a rule ends it with a message."""
import json
import re
import sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')


def labels_of(text):
    labels, at = {}, 0
    while at < len(text):
        found = LABEL.match(text, at)
        assert found, "labels: %r" % text[at:]
        name, value = found.groups()
        assert name not in labels, "label %s twice" % name
        labels[name] = re.sub(r"\\(.)", lambda match: {"n": "\n"}.get(match.group(1), match.group(1)), value)
        at = found.end()
        assert at == len(text) or text[at] == ",", "labels: %r" % text[at:]
        at += 1
    return labels


def parse(text):
    assert text.endswith("\n"), "the last line has no end"
    metrics, current = {}, None
    for line in text[:-1].split("\n"):
        head = re.fullmatch(r"# (HELP|TYPE) (%s) (.+)" % NAME, line)
        if head and head.group(1) == "HELP":
            current = head.group(2)
            assert current not in metrics, "%s comes twice" % current
            metrics[current] = {"help": head.group(3), "samples": []}
        elif head:
            assert head.group(2) == current and "type" not in metrics[current], line
            assert head.group(3) in ("counter", "gauge"), line
            metrics[current]["type"] = head.group(3)
        else:
            sample = re.fullmatch(r"(%s)(?:\{(.*)\})? (\S+)" % NAME, line)
            assert sample, "no line of the format: %r" % line
            assert sample.group(1) == current and "type" in metrics[current], "not behind its HELP and TYPE: %r" % line
            labels = labels_of(sample.group(2) or "")
            assert labels not in [known for known, _ in metrics[current]["samples"]], "twice: %r" % line
            metrics[current]["samples"].append([labels, float(sample.group(3))])
    return metrics


metrics = parse(sys.stdin.buffer.read().decode("utf-8"))
for name, metric in metrics.items():
    assert name.endswith("_total") == (metric["type"] == "counter"), "%s is a %s" % (name, metric["type"])
json.dump({"metrics": metrics}, sys.stdout)
