#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The decimals of get --json are the shortest that read back as the same float, and put takes them back bit for bit.
# Python computes both independently. EDB_SEED chooses the floats.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"
seed=${EDB_SEED:-$RANDOM}
echo "seed $seed (EDB_SEED)"

python3 - "$seed" "$test_tools" <<'PYTHON'
import random, struct, sys
sys.path.insert(0, sys.argv[2])
import make_npy
random.seed(int(sys.argv[1]))
bits = [0, 0x80000000, 1, 0x7fffff, 0x800000, 0x7f7fffff, 0xff7fffff, 0x3f800000, 0x4b800000]
bits += [exponent << 23 for exponent in range(1, 255)]
bits += [random.getrandbits(32) for _ in range(4000)]
bits = [b for b in bits if b >> 23 & 255 != 255]
floats = [struct.unpack("<f", struct.pack("<I", b))[0] for b in bits]
floats += [struct.unpack("<f", struct.pack("<f", random.gauss(0, 0.03)))[0] for _ in range(4000)]
make_npy.write("floats.npy", "<f4", [len(floats)], floats)
PYTHON

expect 0 put floats.edb key --vector-file floats.npy
expect 0 get floats.edb key --json
cp out first.json
embedcache get floats.edb key --raw >raw
tail -c +129 floats.npy | cmp - raw || fail 'the bytes changed'

python3 - <<'PYTHON'
import json, struct
def as_float(text):
    return struct.unpack("<f", struct.pack("<f", float(text)))[0]
raw = open("raw", "rb").read()
words = json.load(open("first.json"), parse_float=str)["vector"]
floats = struct.unpack(f"<{len(raw) // 4}f", raw)
assert len(words) == len(floats)
for word, value in zip(words, floats):
    assert isinstance(word, str), f"{word} reads as an integer"
    assert struct.pack("<f", as_float(word)) == struct.pack("<f", value), (word, value)
    digits = len(word.split("e")[0].replace("-", "").replace(".", "").strip("0"))
    shorter = f"{value:.{max(digits - 2, 0)}e}"
    assert digits <= 1 or as_float(shorter) != value, f"{word} could be {shorter}"
PYTHON

python3 -c 'import json; print(json.load(open("first.json"), parse_float=lambda word: word)["vector"])' |
    tr -d "'" | embedcache put floats.edb again -q
embedcache get floats.edb again --raw | cmp - raw || fail 'put did not take back what get gave'
