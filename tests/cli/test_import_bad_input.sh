#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What is no array, or not the array that its keys belong to, is refused with its name and the reason, before a file
# appears; what is found out later loses nothing that was stored.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

# refuses CODE REASON [ARGUMENT...]: importing bad.npy fails with words, and no file appears.
refuses()
{
    local code=$1 reason=$2
    shift 2
    rm -f new.edb
    expect "$code" import new.edb bad.npy "$@"
    complains "$reason"
    [ ! -e new.edb ] || fail "a refused import created a file ($reason)"
}

# header TEXT [BYTES]: bad.npy with this dictionary and so many bytes of data (default 24).
header()
{
    python3 - "$1" "${2:-24}" <<'PYTHON'
import struct, sys
text = sys.argv[1].encode() + b"\n"
open("bad.npy", "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(int(sys.argv[2])))
PYTHON
}

header "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"
expect 0 import good.edb bad.npy
header "{'shape':(2,3),'fortran_order':False,'descr':\"<f4\"}"
expect 0 import good.edb bad.npy
header "{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }"
expect 0 import good.edb bad.npy

header "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }"
refuses 3 'Fortran order'
header "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }"
refuses 3 '(6,)'
header "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2, 3), }"
refuses 3 '(1, 2, 3)'
header "{'descr': '<f4', 'fortran_order': False, 'shape': (), }" 4
refuses 3 'two dimensions'
header "{'descr': '<f4', 'fortran_order': False, 'shape': (6, 0), }" 0
refuses 3 '(6, 0)'
header "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 65537), }" 262148
refuses 3 '65537'
header "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4), }"
refuses 3 'truncated'
header "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }"
refuses 3 'no single array'
header "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }"
refuses 3 'larger than any file'
header "{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551615, 65536), }"
refuses 3 'larger than any file'
header "{'descr': '<f4', 'fortran_order': False, 'shape': (18446744073709551616, 3), }"
refuses 3 'whole numbers'
for dtype in '<i4' '<i8' '<c8' '|b1' '<U4' '|O' '|f4' 'f4' '<f16' '' 'float32' '<<f4'; do
    header "{'descr': '$dtype', 'fortran_order': False, 'shape': (2, 3), }"
    refuses 3 'astype("float32")'
done
header "{'descr': [('x', '<f4'), ('y', '<f4')], 'fortran_order': False, 'shape': (3,), }"
refuses 3 'structured'

# Dictionaries that are none.
for text in '' '{' '}' '{}' '[]' 'x' '{]' "{'descr': '<f4'}" "{'descr': '<f4', 'fortran_order': False}" \
    "{'descr' '<f4', 'fortran_order': False, 'shape': (2, 3)}" \
    "{'descr': <f4, 'fortran_order': False, 'shape': (2, 3)}" \
    "{'descr': '<f4, 'fortran_order': False, 'shape': (2, 3)}" \
    "{'descr': '<f4\\', 'fortran_order': False, 'shape': (2, 3)}" \
    "{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3)}" \
    "{'descr': '<f4', 'fortran_order': false, 'shape': (2, 3)}" \
    "{'descr': '<f4', 'fortran_order': False, 'shape': 2}" \
    "{'descr': '<f4', 'fortran_order': False, 'shape': (6)}" \
    "{'descr': '<f4', 'fortran_order': False, 'shape': [2, 3]}" \
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3}" \
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2 3)}" \
    "{'descr': '<f4', 'fortran_order': False, 'shape': (,2, 3)}" \
    "{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 3)}" \
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2.0, 3)}" \
    "{'descr': '<f4', 'fortran_order': False, 'shape': (None, 3)}" \
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)" \
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)} {}" \
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'extra': 1}" \
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), 'descr': '<f4'}" \
    "{'descr': '<f4', 'fortran_order': False, 'shape': ($(seq -s ', ' 40)), }" \
    "{'descr': '$(printf 'x%.0s' $(seq 300))', 'fortran_order': False, 'shape': (2, 3)}"; do
    header "$text"
    refuses 3 "header"
done

# Files that are none, cut at every length of the header.
npy whole.npy '<f4' 2x3
for bytes in $(seq 0 9 128) 140 151; do
    head -c "$bytes" whole.npy >bad.npy
    refuses 3 'bad.npy'
done
printf '\x93NUMPY\x04\x00\x10\x00................' >bad.npy
refuses 3 'version'
printf '\x93NUMPY\x02\x00\xff\xff\xff\xff' >bad.npy
refuses 3 'its header has 4,294,967,295 bytes: that of a plain array has at most'
printf 'PK\x03\x04 a zip file' >bad.npy
refuses 3 'no .npy file'
rm bad.npy
refuses 5 'No such file'
mkdir bad.npy
refuses 3 'has no files'
expect 5 put new.edb key --vector-file bad.npy
complains 'directory'
rmdir bad.npy

# Numbers that cannot be stored are named by row and element; rows before their batch are in.
for bad in nan inf -inf; do
    for dtype in '<f4' '<f8' '<f2'; do
        npy bad.npy $dtype 4x3 1 2 3 4 5 6 7 8 $bad
        rm -f new.edb
        expect 3 import new.edb bad.npy --batch 2
        complains 'row 2, element 2'
        complains '2 of 4 rows are in new.edb: go on with --start 2'
        expect 0 get new.edb 0 1
        expect 1 get new.edb 2
    done
done
npy bad.npy '<f8' 2x2 1 1e39
expect 3 import other.edb bad.npy
complains 'row 0, element 1 does not fit float32'
complains 'no row of '
[ ! -e other.edb ] || fail 'a refused first row created a file'

# Keys that do not belong to the array: both counts, and nothing is stored.
npy bad.npy '<f4' 3x2
for count in 0 2 4; do
    seq "$count" >keys.txt
    refuses 3 "keys.txt has $count keys, bad.npy has 3 rows" --keys keys.txt
done
printf '1\n2\n3\n\n' >keys.txt
refuses 3 'has 4 keys' --keys keys.txt
good='{"key": "a"}'
for line in '{"key": }' '[1]' '"a"' 'a' '{"id": 1}' '{"key": null}' '{"key": 1.5}' '{"key": ["a"]}' '{"key": "a"} x' \
    '{"key": "a", "text": 5}' '{"key": "a", "metadata": [1]}' '{"key": "a", "metadata": "x"}' '{"key": "a", "key": "b"}' \
    $'{"key": "\xff"}'; do
    printf '%s\n' "$good" "$line" "$good" >keys.jsonl
    refuses 3 'line 2' --keys keys.jsonl
done
refuses 5 'nowhere.txt' --keys nowhere.txt
refuses 2 'directory' --keys .
mkfifo pipe
refuses 2 'no regular file' --keys pipe

# The space has another size: nothing changes.
expect 0 create three.edb --dims 3
expect 3 import three.edb bad.npy
complains 3
expect 0 info three.edb --json
same rows "$(member out 'd["live"]')" 0

# An array that ends early on a pipe: the whole batches stay.
npy whole.npy '<f4' 1000x4
code=0
head -c 9000 whole.npy | embedcache import pipe.edb - --batch 100 >out 2>err || code=$?
same 'exit code of a cut pipe' $code 3
complains 'truncated'
complains '500 of 1,000 rows are in pipe.edb: go on with --start 500'
expect 0 get pipe.edb 499
expect 1 get pipe.edb 500

# A device that is full in the middle of a batch: that batch is absent, the file is good.
code=0
(ulimit -f 256; embedcache import full.edb whole.npy --batch 100 --space a >out 2>err; ) || code=$?
[ $code -eq 0 ] || [ $code -eq 5 ] || fail "a file size limit: exit code $code"
npy large.npy '<f4' 2000x256
code=0
(ulimit -f 1024; embedcache import full.edb large.npy --batch 100 >out 2>err; ) || code=$?
same 'exit code of a full device' $code 5
complains 'go on with --start'
stored=$(sed -n 's/.*--start \([0-9]*\).*/\1/p' err)
expect 0 verify full.edb
expect 0 info full.edb --json
same 'rows that were told and rows that are there' "$(member out 'd["spaces"][-1]["live"]')" "$stored"
expect 0 import full.edb large.npy --start "$stored"
expect 0 info full.edb --json
same 'rows after going on' "$(member out 'd["spaces"][-1]["live"]')" 2000

# A directory on standard input has no name to open.
mkdir -p ./-
echo '[1, 2]' >./-/row
code=0
embedcache import directory.edb - <. >out 2>err || code=$?
same 'exit code of a directory' $code 2
complains 'standard input is a directory: name it'
[ ! -e directory.edb ] || fail 'a directory on standard input was imported'
