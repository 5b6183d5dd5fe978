#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Nothing that a file, a name or an argument holds can steer the terminal: control characters are shown, not sent, on
# stdout and stderr, for people and as JSON.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

bad=$'\e[31m\x07\xc2\x9b'
# What turns the direction of writing, ends a line or takes no room (U+061C, U+200B, U+200E, U+2028, U+202E, U+2066,
# U+FEFF).
bad+=$'\xd8\x9c\xe2\x80\x8b\xe2\x80\x8e\xe2\x80\xa8\xe2\x80\xae\xe2\x81\xa6\xef\xbb\xbf'

# shown ARGUMENT...: runs the command, whatever its exit code, and looks at both outputs.
shown()
{
    embedcache "$@" >out 2>err || true
    [ -s out ] || [ -s err ] || fail "embedcache $*: no word"
    if cat out err | python3 -c '
import sys
text = sys.stdin.buffer.read().decode("utf-8")
import unicodedata
sys.exit(any(c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp") and c not in "\u200c\u200d"
             for c in text))'; then
        return
    fi
    fail "embedcache $*: a control character, or bytes that are no UTF-8"
}

file="f$bad.edb"
names=(--space "s$bad" --model "m$bad" --revision "r$bad")
shown create "$file" --dims 2 "${names[@]}"
says '\x1b[31m\x07\u009b'
shown put "$file" "k$bad" --vector '[1, 2]' --text "t$bad" --metadata "{\"m$(printf '\x7f\xc2\x9b')\": \"\\u001b\"}" \
    "${names[@]}"
says '\x1b[31m'
[ -e "$file" ] || fail 'the file has another name'
for form in '' --json; do
    shown get "$file" "k$bad" --space "s$bad" $form
    shown get "$file" "nowhere$bad" --space "s$bad" $form
    shown info "$file" $form
    shown stats "$file" $form
    shown verify "$file" $form
    shown search "$file" --vector '[1, 2]' --space "s$bad" $form
done
expect 0 get "$file" "k$bad" --space "s$bad" --json
same 'metadata as JSON' "$(member out 'ascii(d["metadata"])')" "{'m\\x7f\\x9b': '\\x1b'}"
same 'key as JSON' "$(member out 'ascii(d["key"])')" "'k\\x1b[31m\\x07\\x9b\\u061c\\u200b\\u200e\\u2028\\u202e\\u2066\\ufeff'"
shown get "$file" k --space "x$bad"
shown get "absent$bad.edb" k
shown search "$file" --text "$bad" --space "s$bad"
shown del "$file" "nowhere$bad" --space "s$bad"
shown put "$file" $'\xff' --vector '[1, 2]' --space "s$bad" "${names[@]:2}"
says '\xff'
shown get "$file" $'\xff' --space "s$bad"
shown put "$file" k --vector "$bad"
shown put "$file" k --vector '[1, 2]' --metadata "$bad"
shown put "$file" k --vector-file "v$bad.npy"
shown create "$file" --dims "$bad"
shown create "$file" --dims 2 "--x$bad"
shown create "$file" "-$bad"
shown "c$bad"
shown help "c$bad"
npy "a$bad.npy" '<f4' 1x2
shown import i.edb "a$bad.npy"
printf '{"%s": 1}\n' "$bad" >"l$bad.jsonl"
shown embed e.edb --input "l$bad.jsonl"
shown del "$file" --keys "l$bad.jsonl" --key-field "$bad" --space "s$bad"

# Keys are shown as they are; one that would not be seen stands in quotes.
expect 0 put keys.edb '' --vector '[1, 2]'
says 'stored "" in keys.edb'
expect 0 put keys.edb ' a' --vector '[1, 3]'
expect 0 put keys.edb $'b\nc' --vector '[1, 4]'
expect 0 get keys.edb '' ' a' $'b\nc'
says 'key       ""'
says 'key       " a"'
says 'key       b\nc'
expect 0 search keys.edb --vector '[1, 2]' -k 1
says '1  1.000  ""'
expect 1 get keys.edb nowhere
complains 'no key "nowhere"'
# Joiners and letters of scripts written from the right stay as they are.
expect 0 put scripts.edb $'\xd7\x90\xe2\x80\x8d\xd9\x85\xe2\x80\x8c\xef\xac\x9d\xe2\x80\xa6' --vector '[1, 2]'
for form in '' --json; do
    expect 0 get scripts.edb $'\xd7\x90\xe2\x80\x8d\xd9\x85\xe2\x80\x8c\xef\xac\x9d\xe2\x80\xa6' $form
    says $'\xd7\x90\xe2\x80\x8d\xd9\x85\xe2\x80\x8c\xef\xac\x9d\xe2\x80\xa6'
done
