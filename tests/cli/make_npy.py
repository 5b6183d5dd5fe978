#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a .npy array without NumPy.

usage: make_npy.py FILE DTYPE SHAPE [VALUE...]

DTYPE like <f4, SHAPE like 3x4; the values fill the array again and again (default: 1 2 3 ...).
"""
import itertools
import struct
import sys

CODES = {"f2": "e", "f4": "f", "f8": "d", "u1": "B", "i1": "b", "i4": "i", "i8": "q"}


def write(path, dtype, shape, values):
    order = ">" if dtype[0] == ">" else "<"
    count = 1
    for size in shape:
        count *= size
    numbers = itertools.islice(itertools.cycle(values), count) if values else range(1, count + 1)
    code = CODES[dtype[1:]]
    convert = float if code in "efd" else int
    header = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))},), }}"
    header += " " * (-(len(header) + 11) % 64) + "\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode())
        file.write(struct.pack(f"{order}{count}{code}", *map(convert, numbers)))


if __name__ == "__main__":
    write(sys.argv[1], sys.argv[2], [int(size) for size in sys.argv[3].split("x")], sys.argv[4:])
