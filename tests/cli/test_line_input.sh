#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Lines of texts and keys: the line end is no part of them, whichever it is; what is no text is refused by file and
# line, and the good lines around it are stored.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

# keys FILE: what is stored, in order of rows, as JSON strings.
keys()
{
    embedcache search "$1" --threshold -1 --text a --json >found
    PYTHONIOENCODING=utf-8 member found 'json.dumps([hit["key"] for hit in sorted(d[0]["hits"], key=lambda h: h["row"])])'
}

# Exactly one CR before LF goes; others are part of the line, and so is one at the very end.
printf 'one\r\n\r\ntwo\r\r\nth\rree\r\nfour\r' >texts.txt
expect 0 embed crlf.edb --input texts.txt
says '4 texts: 0 hits, 4 embedded and stored, 1 empty'
same 'texts of CRLF lines' "$(keys crlf.edb)" '["one", "two\r", "th\rree", "four\r"]'
printf 'one\n' >texts.txt
expect 0 embed crlf.edb --input texts.txt
says '1 hit,'
printf '\xef\xbb\xbfbom\r\n' >texts.txt
expect 0 embed bom.edb --input texts.txt
same 'behind a byte order mark' "$(keys bom.edb)" '["bom"]'
expect 0 del crlf.edb --keys <(printf 'one\r\nth\rree\r\n')
says '2 deleted'
printf '{"text": "json"}\r\n\r\n' >texts.jsonl
expect 0 embed json.edb --input texts.jsonl
same 'a text of JSON lines' "$(keys json.edb)" '["json"]'
npy array.npy '<f4' 2x2
printf 'a\r\nb\r\n' >keys.txt
expect 0 import keys.edb array.npy --keys keys.txt
expect 0 get keys.edb a b

# Files that are no text: nothing is stored, nothing is made.
printf 'a\0b\n' >nul.txt
printf '\xff\xfea\0\n\0' >wide.txt
head -c 3000 /dev/urandom >chance.bin
printf 'line\n\0' >>chance.bin
for file in crlf.edb array.npy nul.txt wide.txt chance.bin; do
    expect 3 embed new.edb --input $file
    complains "$file"
    [ ! -e new.edb ] || fail "$file was taken for texts"
    expect 3 import new.edb array.npy --keys $file
    complains "$file"
    expect 3 del keys.edb --keys $file
    complains "$file"
    embedcache embed new.edb --input - <$file >out 2>err && fail "$file on standard input was taken for texts"
    complains 'standard input'
done
expect 3 embed new.edb --input nul.txt
complains 'nul.txt, line 1'
expect 3 embed new.edb --input wide.txt
complains 'UTF-16'
expect 3 embed new.edb --input array.npy
complains 'embedcache import'
expect 0 get keys.edb a b

# A bad line among good ones: named, counted, passed over; the exit code tells.
printf 'good one\nbad \xff one\ngood two\n' >texts.txt
expect 3 embed lines.edb --input texts.txt --json
complains 'texts.txt, line 2: '
complains 'UTF-8'
complains '1 line of texts.txt refused'
same counts "$(member out '(d["texts"], d["embedded"], d["refused"])')" '(2, 2, 1)'
same 'the good lines' "$(keys lines.edb)" '["good one", "good two"]'
printf '{"text": "before"}\n{"text": 5}\n{"text": }\n{"text": "after"}\n' >texts.jsonl
expect 3 embed lines.edb --input texts.jsonl
complains 'line 2'
complains 'line 3'
says '2 texts: 0 hits, 2 embedded and stored, 2 refused'
yes '{"text": 5}' | head -1000 >texts.jsonl || true
expect 3 embed new.edb --input texts.jsonl
same 'lines that are named' "$(grep -c ', line ' err)" 10
complains '1,000 lines of texts.jsonl refused'
[ ! -e new.edb ] || fail 'refused lines made a file'
printf 'good one\nbad \xff one\nnowhere\ngood two\n' >keys.txt
expect 3 del lines.edb --keys keys.txt
complains 'keys.txt, line 2'
says '2 deleted, 1 not there, 1 refused'

# Lines longer than a text may be, and longer than is read at all: the memory stays bounded, the lines behind them come.
python3 -c '
import sys
for size in (16777216, 16777217, 25165824, 25165825, 80000000):
    sys.stdout.write("x" * size + "\nline of " + str(size) + "\n")' >long.txt
expect 3 embed long.edb --input long.txt --json
same counts "$(member out '(d["texts"], d["embedded"], d["refused"])')" '(6, 6, 4)'
for line in 3 5; do
    complains "long.txt, line $line: it has"
done
for line in 7 9; do
    complains "long.txt, line $line: it is longer than 25,165,824 bytes: is it a file of lines?"
done
complains '16,777,216'
expect 0 get long.edb 'line of 80000000'
