#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Flat lines of JSON are read without a parser. Whatever such a line is, it means what Python reads in it; and a line
# that is flat, broken, or nearly either means the same as with a list in front of it, which only the parser reads.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

seed=${EDB_SEED:-$RANDOM}
echo "EDB_SEED=$seed"

cat >lines.py <<'PYTHON'
import base64 as base64_module, json, random, sys

chance = random.Random(int(sys.argv[1]))
letters = ['a', 'b', ' ', 'é', '€', '😀', '\u007f', '\u0080', '\ufffe', '"', '\\', '/', '\b', '\f', '\n', '\r', '\t', '\0', '{', '}', ',']

def blanks():
    return chance.choice(["", "", "", " ", "\t", "  ", "\r"])

def string(text):
    """The text as one of the ways in which JSON may have it."""
    out = ""
    for letter in text:
        plain = letter not in '"\\' and letter >= ' '
        short = json.dumps(letter)[1:-1]
        long = "".join("\\u%04x" % unit for unit in
                       (int.from_bytes(letter.encode("utf-16-be")[i:i + 2], "big") for i in range(0, len(letter.encode("utf-16-be")), 2)))
        ways = [long, long.upper().replace("\\U", "\\u"), short] + ([letter] * 5 if plain else []) + (["\\/"] if letter == "/" else [])
        out += chance.choice(ways)
    return '"' + out + '"'

def text():
    return "".join(chance.choices(letters, k=chance.choice([0, 1, 3, 8, 40])))

def base64(text):
    return '"' + base64_module.b64encode(text.encode()).decode() + '"'

def metadata():
    return json.dumps({"n": chance.choice([1, 1.5, None, True, [1, {"x": "}"}], {"y": {}}]), "t{": text()}, ensure_ascii=chance.random() < 0.5)

def line(number):
    """A line and what it means: key, text, metadata, and for how long it is kept."""
    key, content = f"{number} {text()}", chance.choice([None, text()])
    if chance.random() < 0.1:
        key, members = str(number), [('"key"', str(number))]
    else:
        members = [chance.choice([('"key"', string(key))] * 9 + [('"key_base64"', base64(key))])]
    if content is not None:
        members.append(chance.choice([('"text"', string(content))] * 9 + [('"text_base64"', base64(content))]))
    elif chance.random() < 0.5:
        members.append(('"text"', "null"))
    about = chance.choice([None, None, metadata()])
    if about is not None or chance.random() < 0.2:
        members.append(('"metadata"', about or "null"))
    terms = {}
    for name, values in (("expiry_s", ["4102444800", "4294967295"]), ("cost", ["1", "4294967295"]), ("pinned", ["true"])):
        value = chance.choice([None] * 6 + values + ["null", "false" if name == "pinned" else "0"])
        if value is not None:
            members.append((f'"{name}"', value))
        if value in values:
            terms[name] = json.loads(value)
    for extra in chance.sample(["row", "é", "", "keys", "texts_base64x"], chance.choice([0, 0, 1, 3])):
        members.append((json.dumps(extra, ensure_ascii=False), chance.choice(["0", "-7", "true", "false", "null", '"x"', '"\\n"', "0.5", "[1, 2]", '{"a": 1}', "123456789012345678"])))
    chance.shuffle(members)
    written = ",".join(blanks() + name + blanks() + ":" + blanks() + value + blanks() for name, value in members)
    return blanks() + "{" + written + "}" + blanks(), (key, content, None if about is None else json.loads(about), terms)

def damage(line):
    kind = chance.randrange(5)
    if kind == 4: # another value, or another name
        member = chance.choice(["key", "text", "metadata", "row", "cost"])
        value = chance.choice(["1", "null", "true", '"x"', "[]", "{}", "1.5", "-1", "4294967296"])
        return f',"{member}":{value}}}'.join(line.replace(f'"{member}"', f'"no {member}"', 1).rsplit("}", 1))
    at = chance.randrange(line.index("{") + 1, len(line))
    piece = chance.choice(list('{}[]":,\\u/0-1.eEtfn d\t') + ['"key":', '"text":1,', '"key_base64":"YQ==",', "\\ud800", "\\u00", "null", "\x01", "1e5", "01", "1234567890123456789012"])
    return line[:at] + (piece if kind else "") + line[at + (kind < 3):]

def parsed(line):
    """The same line for the parser."""
    return line.replace("{", '{"a list": [0],', 1)

good = [line(number) for number in range(3000)]
bad = [damage(line(number)[0]) for number in range(8000)]
bad = [line for line in bad if "\n" not in line and line.strip() not in ("{}", "{ }")]
with open("good.jsonl", "w", newline="") as file:
    file.writelines(line + "\n" for line, _ in good)
with open("flat.jsonl", "w", newline="", errors="surrogatepass") as flat, open("parsed.jsonl", "w", newline="", errors="surrogatepass") as other:
    for one in bad:
        flat.write(one + "\n")
        other.write(parsed(one) + "\n")
json.dump([meaning for _, meaning in good], open("good.json", "w"))
PYTHON
PYTHONUTF8=1 python3 lines.py "$seed"

# What is read in them.
python3 - <<'PYTHON'
import struct
with open("rows.fvecs", "wb") as file:
    for row in range(3000):
        file.write(struct.pack("<iff", 2, row, 1))
PYTHON
expect 0 import good.edb rows.fvecs --keys good.jsonl
expect 0 export good.edb out.jsonl
PYTHONUTF8=1 python3 - <<'PYTHON' || fail 'lines mean something else'
import base64, json, sys
wanted = json.load(open("good.json"))
lines = [json.loads(line) for line in open("out.jsonl", newline="\n")]
assert len(lines) == len(wanted), (len(lines), len(wanted))
for row, (line, meaning) in enumerate(zip(lines, wanted)):
    terms = {name: line[name] for name in ("expiry_s", "cost", "pinned") if name in line}
    found = [line["key"], line.get("text"), line.get("metadata"), terms]
    if found != meaning or line["vector"][0] != row:
        sys.exit(f"row {row}: {found!r}, not {meaning!r}")
PYTHON

# And in damaged ones.
for how in flat parsed; do
    expect 3 embed $how.edb --input $how.jsonl --key-field key --cost-field cost --dims 8 --json
    member out '[d[name] for name in ("texts", "hits", "embedded", "changed", "wordless", "skipped", "refused")]' >$how.counts
    sed 's/at column [0-9]*//; s/flat.jsonl/parsed.jsonl/' err >$how.err
done
same 'counts' "$(cat flat.counts)" "$(cat parsed.counts)"
same 'messages' "$(cat flat.err)" "$(cat parsed.err)"
expect 0 diff flat.edb parsed.edb
cat flat.counts
