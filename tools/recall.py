#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Recall of a search against exact truth; fails when it is below 1.

usage: recall.py FOUND.json TRUTH_ROWS.npy TRUTH_SCORES.npy

FOUND.json is the output of `embedcache search --vectors --json`, the truth two arrays (queries, 100): row numbers and
similarities, best first. A hit counts when it is as near as the truth's last one, with a slack for equal neighbours, and
when its score is the truth's wherever the truth knows the row. Needs nothing but Python.
"""
import array
import ast
import json
import sys

SLACK = 1e-5


def read_npy(path):
    """A two-dimensional little-endian array of <i4 or <f4 as a list of rows."""
    with open(path, "rb") as file:
        data = file.read()
    header_end = 10 + int.from_bytes(data[8:10], "little")
    header = ast.literal_eval(data[10:header_end].decode("latin-1"))
    if header["descr"] not in ("<i4", "<f4") or header["fortran_order"]:
        sys.exit(f"recall: {path}: not a plain <i4 or <f4 array")
    values = array.array("i" if header["descr"] == "<i4" else "f", data[header_end:])
    if sys.byteorder == "big":
        values.byteswap()
    count, width = header["shape"]
    return [values[i * width:(i + 1) * width] for i in range(count)]


def count_right(hits, rows, scores):
    """How many of the hits belong among the nearest len(hits)."""
    known = dict(zip(rows, scores))
    bound = scores[len(hits) - 1] - SLACK
    right = 0
    for row, hit in {hit["row"]: hit for hit in hits}.items():
        score = hit["score"]
        right += score >= bound and abs(known.get(row, score) - score) <= SLACK
    return right


def main():
    found_path, rows_path, scores_path = sys.argv[1:]
    with open(found_path, encoding="utf-8") as file:
        found = json.load(file)
    rows, scores = read_npy(rows_path), read_npy(scores_path)
    if len(found) != len(rows) or not all(answer["complete"] for answer in found):
        sys.exit(f"recall: {len(found)} answers to {len(rows)} queries, or an incomplete one")
    depth = min(len(answer["hits"]) for answer in found)
    if depth == 0 or depth != max(len(answer["hits"]) for answer in found):
        sys.exit("recall: the answers are of different lengths")
    right = sum(map(count_right, (answer["hits"] for answer in found), rows, scores))
    recall = right / (depth * len(found))
    print(f"recall@{depth} of {len(found)} queries against the exact truth: {recall:.4f}")
    sys.exit(recall < 1)


if __name__ == "__main__":
    main()
