#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes the same rows in every format that import reads, without NumPy.

usage: make_sources.py ROWS DIMS

Rows are whole numbers from -128 to 127, so that every element type holds them; unsigned ones are in u8.* (the number
plus 128). Also writes rows.json, what import has to find: a list of rows.
"""
import json
import os
import struct
import sys


def half(number):
    return struct.pack("<e", number)


def brain(number):
    return struct.pack("<f", number)[2:]


def packed(code):
    return lambda number: struct.pack("<" + code, number)


def write(path, data):
    with open(path, "wb") as file:
        file.write(data)


def body(rows, pack):
    return b"".join(pack(number) for row in rows for number in row)


def vecs(rows, pack):
    return b"".join(struct.pack("<i", len(row)) + body([row], pack) for row in rows)


def safetensors(tensors):
    header, data = {"__metadata__": {"made": "for a test"}}, b""
    for name, dtype, shape, content in tensors:
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def main():
    count, dims = int(sys.argv[1]), int(sys.argv[2])
    rows = [[(row * 37 + element * 11) % 256 - 128 for element in range(dims)] for row in range(count)]
    unsigned = [[number + 128 for number in row] for row in rows]
    head = struct.pack("<II", count, dims)
    write("rows.json", json.dumps(rows).encode())
    write("f32.fvecs", vecs(rows, packed("f")))
    write("u8.bvecs", vecs(unsigned, packed("B")))
    write("i32.ivecs", vecs(rows, packed("i")))
    write("f32.fbin", head + body(rows, packed("f")))
    write("u8.u8bin", head + body(unsigned, packed("B")))
    write("i8.i8bin", head + body(rows, packed("b")))
    for name, pack in (("float32", packed("f")), ("float16", half), ("bfloat16", brain), ("float64", packed("d")),
                       ("int8", packed("b"))):
        write(f"{name}.raw", body(rows, pack))
    write("uint8.raw", body(unsigned, packed("B")))
    for name, dtype, pack in (("f32", "F32", packed("f")), ("f16", "F16", half), ("bf16", "BF16", brain),
                              ("f64", "F64", packed("d")), ("i8", "I8", packed("b"))):
        write(f"{name}.safetensors", safetensors([("bias", "F32", [dims], body([rows[0]], packed("f"))),
                                                  ("rows", dtype, [count, dims], body(rows, pack))]))
    write("two.safetensors", safetensors([("a", "F32", [count, dims], body(rows, packed("f"))),
                                          ("b", "F32", [count, dims], body(unsigned, packed("f")))]))
    write("rows.jsonl", "".join(
        json.dumps({"key": str(i), "vector": row, "text": f"text {i}", "metadata": {"n": i}}) + "\n"
        for i, row in enumerate(rows)).encode())
    write("rows.csv", ("key,vector,text\n" + "".join(
        f'{i},"{json.dumps(row)}","text ""{i}"", and\nmore"\r\n' for i, row in enumerate(rows))).encode())
    write("columns.csv", ("id," + ",".join(f"x{i}" for i in range(dims)) + "\n" + "".join(
        f"{i}," + ",".join(map(str, row)) + "\n" for i, row in enumerate(rows))).encode())
    os.makedirs("store", exist_ok=True)
    for i, row in enumerate(rows):
        write(f"store/{i}", json.dumps(row).encode())


if __name__ == "__main__":
    main()
