#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The same rows come out of every format that import reads: told by content, by name, by --from, from a file and from
# standard input.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

rows=9
python3 "$test_tools/make_sources.py" $rows 6

# holds FILE [SHIFT [PREFIX]]: the cache has the rows of rows.json, each number with SHIFT added, under the keys PREFIX0,
# PREFIX1, ...
holds()
{
    local keys=()
    for i in $(seq 0 $((rows - 1))); do keys+=("${3:-}$i"); done
    expect 0 get "$1" "${keys[@]}" --json
    python3 - "${2:-0}" <<'PYTHON' || fail "$1 has other rows"
import json, sys
found = [json.loads(line)["vector"] for line in open("out")]
wanted = [[number + int(sys.argv[1]) for number in row] for row in json.load(open("rows.json"))]
sys.exit(found != wanted)
PYTHON
}

# imports SHIFT SOURCE [ARGUMENT...]: from the file, and from standard input with the kind told.
imports()
{
    local shift=$1 source=$2
    shift 2
    rm -f new.edb
    expect 0 import new.edb "$source" "$@"
    says "$rows rows of $source"
    holds new.edb "$shift"
}

# pipes SHIFT KIND SOURCE [ARGUMENT...]
pipes()
{
    local shift=$1 kind=$2 source=$3
    shift 3
    rm -f new.edb
    embedcache import new.edb - --from "$kind" "$@" <"$source" >out 2>err || fail "$source on standard input"
    says "$rows rows of standard input"
    holds new.edb "$shift"
}

imports 0 f32.fvecs
imports 128 u8.bvecs
imports 0 i32.ivecs
imports 0 f32.fbin
imports 128 u8.u8bin
imports 0 i8.i8bin
imports 0 rows.jsonl
imports 0 rows.csv
imports 0 columns.csv
imports 0 store
for type in f32 f16 bf16 f64 i8; do imports 0 $type.safetensors; done
for type in float32 float16 bfloat16 float64 int8; do
    imports 0 $type.raw --dims 6 --dtype $type
    pipes 0 memmap $type.raw --dims 6 --dtype $type
done
imports 0 float32.raw --dims 6
imports 0 float16.raw --dims 6 --dtype '<f2'
imports 128 uint8.raw --dims 6 --dtype uint8
imports 0 two.safetensors --tensor a
imports 128 two.safetensors --tensor b
pipes 0 fvecs f32.fvecs
pipes 128 bvecs u8.bvecs
pipes 0 ivecs i32.ivecs
pipes 0 fbin f32.fbin
pipes 128 u8bin u8.u8bin
pipes 0 i8bin i8.i8bin
pipes 0 jsonl rows.jsonl
pipes 0 csv rows.csv
pipes 0 safetensors bf16.safetensors

# Content tells, whatever the name.
for source in f32.fvecs f32.fbin f32.safetensors rows.jsonl rows.csv; do
    cp $source nameless
    imports 0 nameless
done
npy nameless '<f4' 2x2
expect 0 import array.edb nameless
for source in rows.jsonl rows.csv f32.safetensors; do
    rm new.edb
    embedcache import new.edb - <$source >out 2>err || fail "$source on standard input, kind not told"
    holds new.edb
done
# What has no name and could be anything is asked about, with the kinds; a name is no proof.
cp float32.raw nameless
expect 2 import none.edb nameless
complains '--from'
complains 'safetensors'
complains 'memmap'
expect 0 import new.edb nameless --dims 6
cp rows.jsonl wrong.npy
imports 0 wrong.npy

# Keys beside rows of any kind; batches of any size.
seq 0 $((rows - 1)) | sed 's/^/key /' >keys.txt
rm new.edb
expect 0 import new.edb f32.fvecs --keys keys.txt --batch 2
holds new.edb 0 'key '
for source in rows.jsonl rows.csv store f32.safetensors; do
    rm new.edb
    expect 0 import new.edb $source --batch 2
    holds new.edb
    rm new.edb
    expect 0 import new.edb $source --batch $rows
    holds new.edb
done
expect 0 verify new.edb

# Options that say nothing about a kind are not passed over in silence.
for option in '--dtype float32' '--tensor x' '--texts keys.txt' '--no-header' '--vector-field x'; do
    # shellcheck disable=SC2086
    expect 2 import none.edb f32.fbin $option
    complains "${option%% *} says nothing about f32.fbin"
done
for option in '--key-field id' '--text-field t' '--metadata-field m' --metadata-rest; do
    for source in f32.fbin store rows.csv; do
        case $source$option in rows.csv*-field*) continue ;; esac
        # shellcheck disable=SC2086
        expect 2 import none.edb $source $option
        complains "${option%% *} says nothing about $source"
    done
    # With keys beside, it speaks of those.
    seq 0 $((rows - 1)) | sed 's/.*/{"id": "&", "key": "k&", "t": "a", "m": {"n": 1}}/' >fields.jsonl
    # shellcheck disable=SC2086
    expect 0 import fields.edb f32.fbin --keys fields.jsonl $option
done
printf 'a,b\n1,2\n' >keyless.csv
expect 2 import none.edb keyless.csv --keys keys.txt --metadata-rest
complains '--metadata-rest says nothing about keyless.csv'
expect 3 import none.edb f32.fbin --dims 7
complains 'has rows of 6 numbers, not of the 7 of --dims'
expect 2 import none.edb rows.jsonl --keys keys.txt
complains 'rows.jsonl brings its own keys: leave --keys away'
expect 2 import none.edb rows.jsonl --keys keys.txt --key-field ''
complains '--keys keys.txt: how many rows rows.jsonl has is not known before its end: give each of them a key of its own there'
expect 2 import none.edb f32.fbin --from directory
complains 'is no directory'
expect 2 import none.edb store --from csv
complains 'is a directory'
expect 2 import none.edb float32.raw --from fvec
complains 'choose one of'
expect 2 import none.edb f32.fbin --space embedcache.imports
complains 'choose another'
embedcache import none.edb - --from fvecs --keys keys.txt <f32.fvecs >out 2>err && fail 'keys beside a pipe without a count'
complains 'save it to a file first'
[ ! -e none.edb ] || fail 'a refused import created a file'

# The words of --from are the kinds that there are.
embedcache import --help | grep -o -e '--from [a-z0-9|]*' | cut -d ' ' -f 2 | tr '|' '\n' | sort >words.txt
sed -n 's/^    \.name = "\([a-z0-9]*\)",$/\1/p' "$EDB_SOURCE"/cli/source_*.c | sort >kinds.txt
cmp -s words.txt kinds.txt || fail "--from takes $(tr '\n' ' ' <words.txt), the sources are $(tr '\n' ' ' <kinds.txt)"
