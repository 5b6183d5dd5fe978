#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What is exported and imported again is the same cache, in every form, whatever is in it; an export appears whole or not
# at all.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

# A cache with all that is hard: bytes that are no UTF-8, empty ones, controls, numbers at the ends of float32, deleted
# and overwritten rows, records that expire, cost something or are pinned.
python3 - <<'PYTHON'
import base64, json, random, struct
random.seed(7)
def row():
    values = [struct.unpack("<f", struct.pack("<I", random.getrandbits(32) & ~(0x40 << 23) ))[0] for _ in range(5)]
    return values + [random.gauss(0, 1), 0.0, -0.0, 1e-45, 3.4028234663852886e38]
records = [
    {"key": "", "text": ""}, {"key": "a\u0000b", "text": "x\u0000y"}, {"key": "\u001b[31m", "text": "\u0085 \u007f \u2028"},
    {"key_base64": base64.b64encode(b"\xff\x00\x80").decode(), "text_base64": base64.b64encode(b"\xc3").decode()},
    {"key": "key_base64", "metadata": {}}, {"key": "long " + "x" * 70000, "text": "long " + "x" * 70000},
    {"key": "é", "text": "日本", "metadata": {"é": [1, 2.5, None, True, {"n": 9223372036854775807, "s": "\u0000"}], "e": 1e300}},
    {"key": "docs/a"}, {"key": "docs/b", "text": "b"}, {"key": "doc"}]
records += [{"key": f"row {i}", "text": f"text {i}", "metadata": {"n": i}} for i in range(500)]
with open("records.jsonl", "w") as file:
    for record in records:
        record["vector"] = row()
        record |= {name: value for name, value in
                   {"expiry_s": 4102444800, "cost": 4294967295, "pinned": True}.items() if random.random() < 0.2}
        file.write(json.dumps(record) + "\n")
PYTHON
expect 0 import cache.edb records.jsonl --model 'a "model"' --revision 3 --metric l2 --role document --batch 100
expect 0 import cache.edb records.jsonl --space other --model m --batch 100
expect 0 del cache.edb 'row 7' 'row 8'
expect 0 put cache.edb 'row 9' --vector '[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]' --text new

# same_again: new.edb and cache.edb have the same space default.
same_again()
{
    expect 0 diff cache.edb new.edb --space default
    same 'differences' "$(cat out)" ''
    expect 0 verify new.edb
    rm new.edb
}
expect 0 export cache.edb out.jsonl
says '508 rows of cache.edb (space default) written to out.jsonl'
same 'lines' "$(wc -l <out.jsonl)" 508
python3 -c 'import json; [json.loads(line) for line in open("out.jsonl")]'
! grep -qP '[\x00-\x09\x0b-\x1f\x7f]' out.jsonl || fail 'a control character in the export'
expect 0 import new.edb out.jsonl
same_again
embedcache export cache.edb - >piped 2>err
cmp piped out.jsonl || fail 'standard output has something else'
embedcache export cache.edb - | embedcache import new.edb - -q
same_again
for form in npy fbin; do
    expect 0 export cache.edb rows.$form --json --quiet
    same rows "$(member out 'd["rows"]')" 508
    expect 0 import new.edb rows.$form
    complains 'are taken from rows.jsonl'
    same_again
    expect 0 import new.edb rows.$form --keys rows.jsonl
    same_again
    mv rows.jsonl moved.jsonl
    expect 0 import new.edb rows.$form --keys moved.jsonl --batch 7
    same_again
    expect 0 import new.edb rows.$form
    expect 0 get new.edb 507
    rm new.edb
    embedcache export cache.edb - --to $form >piped
    cmp piped rows.$form || fail "$form on standard output has something else"
done
# Only rows that an export can have written take the keys beside them: others may have the name by chance.
expect 0 export cache.edb chance.npy
tail -c +129 chance.npy >chance.f32
expect 0 import chance.edb chance.f32 --dims "$(embedcache info cache.edb --json >info; member info 'd["spaces"][0]["dims"]')"
complains 'chance.jsonl stands beside: --keys takes its keys'
expect 0 get chance.edb 507
rm chance.*
# diff compares them, so the round trip above is worth something: without them the two are not the same.
python3 - <<'PYTHON'
import json
lines = [json.loads(line) for line in open("out.jsonl")]
for member in ("expiry_s", "cost", "pinned"):
    assert 50 < sum(member in line for line in lines) < 200, member
    with open(f"no_{member}.jsonl", "w") as file:
        file.writelines(json.dumps({name: value for name, value in line.items() if name != member}) + "\n" for line in lines)
PYTHON
for member in expiry_s:expiry cost:cost pinned:pin; do
    expect 0 import new.edb no_${member%:*}.jsonl
    expect 1 diff cache.edb new.edb --space default
    says "has another ${member#*:} in new.edb"
    rm new.edb
done

# What has expired is not in an export, and its header does not count it; a line that has expired since is left out.
expect 0 put short.edb stays --vector '[1, 2]'
expect 0 put short.edb goes --vector '[3, 4]' --ttl 3
expect 0 export short.edb whole.jsonl
expect 0 put short.edb other --vector '[5, 6]'
sleep 3.1
for form in jsonl npy fbin; do
    expect 0 export short.edb short.$form --force
    says '2 rows of short.edb'
    embedcache export short.edb - --to $form | cmp - short.$form || fail "$form on standard output has something else"
    expect 0 import new.edb short.$form
    expect 0 diff short.edb new.edb
    rm new.edb
done
# A header that has flowed away cannot be mended: the record is counted, and expires before there is a reader.
mkfifo late.npy
expect 0 put late.edb stays --vector '[1, 2]'
expect 0 put late.edb goes --vector '[3, 4]' --ttl 3
embedcache export late.edb late.npy 2>err &
export=$!
sleep 3.1
timeout 20 cat late.npy >flown
code=0
wait $export || code=$?
same 'exit code' $code 5
complains 'records expired while they were written, and the number of rows stands before them: run it again'
rm late.npy
expect 0 import new.edb whole.jsonl --json
same 'left out' "$(member out '(d["rows"], d["expired"])')" '(1, 1)'
expect 1 get new.edb goes
rm new.edb
expect 0 export cache.edb other.ndjson --space other
expect 0 import new.edb other.ndjson
expect 0 import new.edb out.jsonl
expect 0 diff cache.edb new.edb
expect 1 diff cache.edb new.edb --space nowhere
rm new.edb
expect 0 import new.edb out.jsonl --space default --model 'a "model"' --revision 3
expect 3 import new.edb out.jsonl --model another
complains 'another'
rm new.edb

# What import reads, export writes: through every format and back.
python3 "$test_tools/make_sources.py" 9 6
for source in f32.fvecs i8.i8bin f16.safetensors rows.jsonl rows.csv store; do
    expect 0 import first.edb "$source" --metric dot
    expect 0 export first.edb again.jsonl --force
    expect 0 import second.edb again.jsonl
    expect 0 diff first.edb second.edb
    rm first.edb second.edb
done

# By prefix; in order; nothing is no error.
expect 0 export cache.edb docs.jsonl --prefix docs/
same 'by prefix' "$(python3 -c 'import json; print([json.loads(line)["key"] for line in open("docs.jsonl")])')" "['docs/a', 'docs/b']"
expect 0 export cache.edb docs.npy --prefix docs/ --force
expect 0 import new.edb docs.npy
expect 0 get new.edb docs/b --json
same 'text by prefix' "$(member out 'd["text"]')" b
rm new.edb
for form in jsonl npy fbin; do
    expect 0 export cache.edb none.$form --prefix nobody --force
    says '0 rows'
    expect 0 import new.edb none.$form
    expect 0 info new.edb --json
    same 'an empty space like the other' "$(member out '[(s["dims"], s["metric"], s["live"]) for s in d["spaces"]]')" "[(10, 'l2', 0)]"
    rm new.edb
done

# Opaque values, and keys that are only known by their digest.
head -c 3000 /dev/urandom >value
expect 0 put values.edb v --value-file value --text t
: >value
expect 0 put values.edb empty --value-file value
expect 0 export values.edb values.jsonl
expect 0 import new.edb values.jsonl
expect 0 diff values.edb new.edb
rm new.edb
expect 3 export values.edb values.npy
complains 'no vectors: export it --to jsonl'
for form in blake2b sha256; do
    expect 0 create $form.edb --dims 2 --key-form $form
    expect 0 put $form.edb 'the text' --vector '[1, 2]' --text 'the text'
    expect 0 export $form.edb $form.jsonl
    expect 0 import new.edb $form.jsonl
    expect 0 diff $form.edb new.edb
    expect 0 put $form.edb 'a key' --vector '[1, 2]' --text 'another text'
    expect 1 diff $form.edb new.edb
    complains '1 key only in the first'
    expect 1 diff new.edb $form.edb
    complains '1 only in the second'
    rm new.edb
    expect 0 export $form.edb $form.jsonl --force
    complains 'the keys of 1 record are kept as digests only: lines with "key_digest" cannot be imported again'
    expect 3 import new.edb $form.jsonl
    complains 'line 2: "key" is not there, only its digest'
done

# refuses CODE REASON ARGUMENT...: nothing is written or changed.
refuses()
{
    local code=$1 reason=$2
    shift 2
    local before
    before=$(find . -type f ! -name out ! -name err -exec md5sum {} + | sort)
    expect "$code" export "$@"
    complains "$reason"
    [ "$before" = "$(find . -type f ! -name out ! -name err -exec md5sum {} + | sort)" ] ||
        fail "embedcache export $*: left or changed something"
}
refuses 2 'out.jsonl is there already: --force' cache.edb out.jsonl
refuses 2 'docs.jsonl is there already: --force' cache.edb docs.fbin
refuses 2 'its name does not say what to write' cache.edb out.txt
refuses 2 'is the cache itself' cache.edb cache.edb --to jsonl --force
refuses 2 'is a directory' cache.edb . --to jsonl --force
refuses 2 'name it .npy or .fbin' cache.edb new.jsonl --to npy
refuses 5 'No such file' cache.edb nowhere/out.jsonl
refuses 5 'nowhere.edb' nowhere.edb new.jsonl
refuses 1 'no space' cache.edb new.jsonl --space nobody
refuses 2 'needs FILE OUT' cache.edb
code=0
(ulimit -f 100; "$test_command" export cache.edb large.jsonl --space other >out 2>err) || code=$?
same 'exit code of a full device' $code 5
complains 'large.jsonl'
[ -z "$(find . -name '*large*')" ] || fail 'a full device: something was left'
cp cache.edb damaged.edb
python3 - <<'PYTHON'
data = bytearray(open("damaged.edb", "rb").read())
at = data.find(b"text 300")
data[at:at + 4] = b"TEXT"
open("damaged.edb", "wb").write(data)
PYTHON
refuses 3 'damaged.edb' damaged.edb new.jsonl

python3 -c '
import json
with open("many.jsonl", "w") as file:
    for row in range(20000):
        file.write(json.dumps({"key": str(row), "vector": [row] * 40}) + "\n")'
expect 0 import many.edb many.jsonl

# A device that fills up while rows are written is named, with what the system says of it, once.
code=0
(ulimit -f 2000; "$test_command" export many.edb many.out --to jsonl >out 2>err) || code=$?
same 'exit code of a device that fills up' $code 5
same 'a device that fills up' "$(cat err)" 'embedcache: cannot write many.out: File too large'
if [ -e /dev/full ]; then
    code=0
    "$test_command" export many.edb - >/dev/full 2>err || code=$?
    same 'exit code of a full standard output' $code 5
    same 'a full standard output' "$(cat err)" 'embedcache: cannot write standard output: No space left on device'
fi

# Ctrl-C leaves nothing.
"$test_command" export many.edb many.out --to jsonl >/dev/null 2>err &
export=$!
for _ in $(seq 100); do
    [ -z "$(find . -name '.many.out*')" ] || break
    sleep 0.01
done
kill -INT $export 2>/dev/null || true
code=0
wait $export || code=$?
if [ $code -eq 0 ]; then
    echo 'the export was faster than Ctrl-C'
else
    same 'exit code' $code 130
    complains 'interrupted: many.out was not written'
    [ -z "$(find . -name '*many.out*')" ] || fail 'Ctrl-C: something was left'
fi

# What flows is written into and stays what it is, with or without --force; there is nothing beside it.
mkfifo flow.jsonl flow.npy
for flow in flow.jsonl flow.npy; do
    for force in '' --force; do
        timeout 20 cat $flow >flown 2>/dev/null &
        reader=$!
        expect 0 export cache.edb $flow --space other $force
        says "written to $flow, "
        wait $reader
        [ -p $flow ] || fail "$flow was replaced"
        expect 0 export cache.edb whole.${flow#*.} --space other --force
        cmp flown whole.${flow#*.} || fail "another export went into $flow"
    done
done
rm flow.npy whole.jsonl
expect 0 export cache.edb /dev/stdout --to jsonl --force
cmp out out.jsonl || fail '/dev/stdout has something else'
embedcache export cache.edb /dev/stdout --to jsonl | cmp - out.jsonl || fail '/dev/stdout as a pipe has something else'
expect 0 export cache.edb /dev/null --to npy
[ ! -e /dev/null.jsonl ] && [ -c /dev/null ] || fail '/dev/null was taken for a file'
ln -s /dev/null nowhere.jsonl
expect 0 export cache.edb nowhere.jsonl --force
[ -L nowhere.jsonl ] || fail 'a link to a device was replaced'

# The keys beside the rows must not go over the cache.
cp cache.edb cache.jsonl
for form in npy fbin; do
    refuses 2 'cache.jsonl, which gets the keys of cache.'$form', is the cache itself' cache.jsonl cache.$form --force
done
rm cache.jsonl

# By prefix in a space of digests: the key that its line has; what has none is counted.
printf '%s\n' '{"key": "doc/1", "text": "doc/1", "vector": [1]}' '{"key": "no", "text": "no", "vector": [1]}' \
    '{"key": "doc/2", "text": "another", "vector": [1]}' >digests.jsonl
expect 0 import digests.edb digests.jsonl --key-form sha256
expect 0 export digests.edb docs.jsonl --prefix doc/ --force --json
complains '1 record is left out: only the digest of a key is kept'
same 'rows of the prefix' "$(member out 'd["rows"]')" 1
same 'the key of a digest' "$(member docs.jsonl 'd["key"]')" doc/1
