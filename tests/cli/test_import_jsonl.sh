#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Lines of JSON with vectors: every decimal becomes the float32 nearest to it, what stands beside comes with it, and a
# line that is wrong is named with the member that is wrong.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

# Decimals near the middle of two floats, subnormal, huge, long: Python rounds exactly, by fractions.
python3 - <<'PYTHON'
import json, random, struct
from fractions import Fraction

def bits(value):
    return struct.unpack("<I", struct.pack("<f", value))[0]

def floats(pattern):
    return struct.unpack("<f", struct.pack("<I", pattern))[0]

def nearest(decimal):
    exact = Fraction(decimal)
    sign = -1 if decimal.startswith("-") else 1
    low, high = 0, 0x7f7fffff
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if Fraction(floats(middle)) <= abs(exact) else (low, middle)
    below, above = abs(exact) - Fraction(floats(low)), Fraction(floats(high)) - abs(exact)
    pattern = low if below < above or (below == above and low % 2 == 0) else high
    return sign * floats(pattern)

random.seed(20)
decimals = ["0", "-0", "0.0", "-0.0", "1", "-1", "1e0", "1E+2", "1e-2", "0.1", "3.4028234e38", "340282346638528859811704183484516925440",
            "1e-45", "1e-46", "7e-46", "1.17549435e-38", "1.1754942e-38", "16777217", "16777219", "9007199254740993",
            "0." + "0" * 40 + "1", "123456789012345678901234567890", "1" + "0" * 30, "0." + "3" * 200, "1e-400", "0e999"]
for _ in range(6000):
    pattern = random.randrange(0x00000001, 0x7f7fffff)
    low, high = floats(pattern), floats(pattern + 1)
    middle = (Fraction(low) + Fraction(high)) / 2
    kind = random.randrange(5)
    if kind == 0:
        decimals.append(repr(random.gauss(0, 1)))
    elif kind == 1:
        decimals.append(repr(low))
    elif kind == 2:
        decimals.append("%.*e" % (random.randrange(6, 20), low))
    else: # a middle, exactly, and a little beside it
        scale = 10 ** 160
        whole = middle * scale
        if whole.denominator == 1:
            text = str(whole.numerator)
            nudge = {3: 0, 4: random.choice([-1, 1])}[kind]
            text = str(int(text) * 10 + nudge)
            decimals.append(f"{text}e-161")
    decimals[-1] = random.choice(["", "-"]) + decimals[-1].lstrip("-")
with open("decimals.jsonl", "w") as file:
    for at in range(0, len(decimals), 100):
        file.write('{"vector": [%s], "key": "%d"}\n' % (", ".join((decimals[at:at + 100] + ["0"] * 100)[:100]), at // 100))
wanted = [nearest(decimal) for decimal in decimals]
json.dump([bits(value) for value in wanted], open("wanted.json", "w"))
PYTHON
expect 0 import decimals.edb decimals.jsonl
# shellcheck disable=SC2046
expect 0 get decimals.edb $(seq 0 $(($(wc -l <decimals.jsonl) - 1))) --json
python3 - <<'PYTHON' || fail 'a decimal did not become the nearest float'
import json, struct, sys
found = [number for line in open("out") for number in json.loads(line)["vector"]]
wanted = json.load(open("wanted.json"))
found = [struct.unpack("<I", struct.pack("<f", number))[0] for number in found][:len(wanted)]
bad = [at for at in range(len(wanted)) if found[at] != wanted[at]]
print(len(wanted), "decimals,", len(bad), "wrong", bad[:5])
sys.exit(bool(bad))
PYTHON

# Members of other names and in any order, among others that hold lists and braces; bytes that are no text.
cat >odd.jsonl <<'JSON'
{"more": {"vector": [9, 9], "s": "]}\"{["}, "emb":[ 1 ,2.5e0 ], "id": 7, "say": "hi", "meta": {"a": [1, {"b": "]"}]}}

  {"id":"\u00e9","meta":null,"emb":[-3,4],"say":null}
{"key_base64": "/wA=", "id_base64": "/wE=", "say_base64": "gA==", "emb": [0, 0]}
JSON
expect 0 import odd.edb odd.jsonl --key-field id --text-field say --metadata-field meta --vector-field emb
expect 0 get odd.edb 7 é --json
head -1 out >first
same 'the first' "$(member first '(d["vector"], d["text"], d["metadata"])')" "([1.0, 2.5], 'hi', {'a': [1, {'b': ']'}]})"
same 'the second' "$(sed -n 2p out >second; member second '(d["vector"], d["text"], d["metadata"])')" '([-3.0, 4.0], None, None)'
expect 0 get odd.edb $'\xff\x01' --json
same 'bytes as text' "$(member out '(d["text"], d["text_form"])')" "('gA==', 'base64')"
expect 0 import rest.edb odd.jsonl --key-field '' --metadata-rest --vector-field emb
expect 0 get rest.edb 0 --json
same 'the rest without the vector' "$(member out 'sorted(d["metadata"])')" "['id', 'meta', 'more', 'say']"
# What stands for key, text or value as base64 is none of the rest; what only has such a name is.
printf '%s\n' '{"key_base64": "/wE=", "text_base64": "gA==", "vector": [1], "n": 1}' \
    '{"key": "k", "text": "t", "key_base64": "other", "text_base64": "other", "vector": [1]}' >base64.jsonl
expect 0 import base64.edb base64.jsonl --metadata-rest
expect 0 get base64.edb $'\xff\x01' --json
same 'the rest without base64' "$(member out 'd["metadata"]')" "{'n': 1}"
expect 0 get base64.edb k --json
same 'names like those of base64' "$(member out 'd["metadata"]')" "{'key_base64': 'other', 'text_base64': 'other'}"
printf '%s\n' '{"key": "v", "value_base64": "gA==", "n": 1}' >values.jsonl
expect 0 import values.edb values.jsonl --metadata-rest
expect 0 get values.edb v --json
same 'the rest without a value' "$(member out 'd["metadata"]')" "{'n': 1}"

# refuses REASON LINE...: the lines are the file; nothing appears.
refuses()
{
    local reason=$1
    shift
    printf '%s\n' "$@" >bad.jsonl
    expect 3 import new.edb bad.jsonl
    complains "$reason"
    [ ! -e new.edb ] || fail "a refused import created a file ($reason)"
}
good='{"key": "a", "vector": [1, 2]}'
# Wrong in a first line, and in a later one.
for bad in '{"key": "b"}' '{"key": "b", "vector": 5}' '{"key": "b", "vector": "[1, 2]"}' '{"key": "b", "vector": [[1, 2]]}' \
    '{"key": "b", "vector": null}' '{"key": "b", "vector": []}' '{"key": "b", "vector": [1, 2,]}' \
    '{"key": "b", "vector": [1, NaN]}' '{"key": "b", "vector": [1, Infinity]}' '{"key": "b", "vector": [1, 1e39]}' \
    '{"key": "b", "vector": [1, 01]}' '{"key": "b", "vector": [1, "2"]}' '{"key": "b", "vector": [1, .5]}' \
    '{"key": "b", "vector": [1 2]}' '{"key": "b", "vector": [1, 2], "vector": [1, 2]}' '{"key": "b", "vector": [1, 2]' \
    '{"vector": [1, 2]}' '{"key": "b", "vector": [1, 2], "metadata": 3}' '{"key_base64": "abc", "vector": [1, 2]}' \
    '{"key_base64": 1, "vector": [1, 2]}' '{"key": "b", "vector": [1, 2], "text_base64": "a==="}'; do
    refuses 'bad.jsonl, line 2: ' "$good" "$bad" "$good"
    refuses 'bad.jsonl, line 1: ' "$bad"
done
for bad in '{"key": "b", "vector": [1]}' '{"key": "b", "vector": [1, 2, 3]}' '[1, 2]' null '"vector"'; do
    refuses 'bad.jsonl, line 2: ' "$good" "$bad"
done
refuses 'element 1 that does not fit float32' '{"key": "b", "vector": [1, 1e39]}'
refuses 'element 0 that is no number' '{"key": "b", "vector": []}'
refuses 'has 1 numbers' "$good" '{"key": "b", "vector": [1]}'
refuses '--vector-field' '{"key": "b"}'
refuses '"key" is not there, only its digest' '{"key_digest": "00", "vector": [1]}'
: >bad.jsonl
expect 3 import new.edb bad.jsonl
complains 'has no rows'
expect 0 import empty.edb bad.jsonl --dims 3
says '0 rows'
