#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The built-in embedder, computed from its description in cli/hashing_embedder.h and nothing else.

usage: embedder_oracle.py DIMS RECORDS.jsonl     compares each record ("text", "vector") bit for bit
"""
import json
import math
import struct
import sys

SEED = 0x656D62656463616C
MASK = (1 << 64) - 1
FUNCTION_WORDS = set("""all also and any are been but can could did does for from had has have her his how into its may
not nor one other our out shall she should some such than that the their them then there these they this those under
upon was were what when where which who why will with would you your""".split())


def characters(data):
    """The characters of a byte string; a byte that is no valid UTF-8 stands for itself."""
    text = data.decode("utf-8", "surrogateescape")
    return [(ord(c), c.encode("utf-8", "surrogateescape")) for c in text]


def is_word_character(point):
    if point < 0x80:
        return chr(point).isalnum()
    return not (0x80 <= point <= 0xBF or 0x2000 <= point <= 0x206F or 0x3000 <= point <= 0x303F)


def words_of(data):
    word = []
    for point, encoded in characters(data) + [(0x20, b" ")]:
        if is_word_character(point):
            word.append(encoded.lower() if point < 0x80 else encoded)
        if word and (len(word) == 64 or not is_word_character(point)):
            yield word
            word = []


def is_function_word(word):
    joined = b"".join(word)
    if len(joined) < 3:
        return joined[0] < 0x80
    return joined in {known.encode() for known in FUNCTION_WORDS}


def mix(value):
    value = (value ^ value >> 31) * 0x9E3779B97F4A7C15 & MASK
    value = (value ^ value >> 29) * 0xD1B54A32D192ED03 & MASK
    return value ^ value >> 32


def number_of(feature):
    value = SEED
    for byte in feature:
        value = (value ^ byte) * 0x100000001B3 & MASK
    return mix(value) >> 44


def features_of(data):
    before = None
    for word in words_of(data):
        joined = b"".join(word)
        share = 8 if is_function_word(word) else 1
        yield b"w" + joined, 48 // share
        if before is not None:
            pair_share = 8 if share == 8 or is_function_word(before) else 1
            yield b"b" + b"".join(before) + b" " + joined, 24 // pair_share
        marked = [b"<", *word, b">"]
        for first in range(len(marked)):
            for size in (3, 4, 5):
                if first + size <= len(marked):
                    yield b"c" + b"".join(marked[first:first + size]), 8 // share
        before = word


def embed(data, dims):
    counts, weights = {}, {}
    for feature, weight in features_of(data):
        number = number_of(feature)
        weights.setdefault(number, weight)
        counts[number] = min(counts.get(number, 0) + 1, 65535)
    sums = [0] * dims
    for number, count in counts.items():
        place = mix((number + SEED) & MASK)
        value = weights[number] * (64 * count // (count + 3))
        sums[(place & 0xFFFFFFFF) % dims] += -value if place >> 63 else value
    divisor = 1
    while max(map(abs, sums)) // divisor >> 23:
        divisor *= 2
    sums = [abs(value) // divisor * (1 if value > 0 else -1) for value in sums]
    norm = math.sqrt(sum(value * value for value in sums)) or 1.0
    return [value / norm for value in sums]


def main():
    dims, path = int(sys.argv[1]), sys.argv[2]
    compared = 0
    with open(path, encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            text = record["text"].encode("utf-8", "surrogateescape")
            wanted = struct.pack(f"<{dims}f", *embed(text, dims))
            if struct.pack(f"<{dims}f", *record["vector"]) != wanted:
                sys.exit(f"the vector of {record['text'][:60]!r} differs from its description")
            compared += 1
    print(f"{compared} vectors as described")
    sys.exit(compared == 0)


if __name__ == "__main__":
    main()
