#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A hit has the text that it was embedded from: where another text, or none, stands under the key, the text is embedded
# again and takes its place.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

# vector FILE KEY: what is stored.
vector()
{
    embedcache get "$1" "$2" --json >record
    member record 'd["vector"]'
}

# embeds COUNTS LINE...: (texts, hits, embedded, changed) of a run over these lines of JSON.
embeds()
{
    local counts=$1
    shift
    printf '%s\n' "$@" >run.jsonl
    expect 0 embed notes.edb --input run.jsonl --key-field id --json
    same "counts of $*" "$(member out '(d["texts"], d["hits"], d["embedded"], d["changed"])')" "$counts"
}

printf 'a red apple\na blue whale\n' >plain.txt
expect 0 embed plain.edb --input plain.txt
red=$(vector plain.edb 'a red apple')
blue=$(vector plain.edb 'a blue whale')

embeds '(1, 0, 1, 0)' '{"id": "1", "text": "a red apple"}'
embeds '(1, 1, 0, 0)' '{"id": "1", "text": "a red apple"}'
embeds '(1, 0, 1, 1)' '{"id": "1", "text": "a blue whale"}'
same 'the vector of the new text' "$(vector notes.edb 1)" "$blue"
embeds '(1, 1, 0, 0)' '{"id": "1", "text": "a blue whale"}'
printf '{"id": "1", "text": "a red apple"}\n' >run.jsonl
expect 0 embed notes.edb --input run.jsonl --key-field id
says '1 text: 0 hits, 1 embedded and stored, 1 of them changed'

# The same holds within one batch: the last text stays.
embeds '(3, 1, 2, 1)' '{"id": "2", "text": "a red apple"}' '{"id": "2", "text": "a red apple"}' \
    '{"id": "2", "text": "a blue whale"}'
same 'the last text of a batch' "$(vector notes.edb 2)" "$blue"
embeds '(3, 1, 2, 2)' '{"id": "2", "text": "a red apple"}' '{"id": "2", "text": "a blue whale"}' \
    '{"id": "2", "text": "a blue whale"}'
same 'the last text of a batch' "$(vector notes.edb 2)" "$blue"

# A line whose text is the key of another text is no hit either.
printf '1\n' >one.txt
expect 0 embed notes.edb --input one.txt --json
same 'a key taken for a text' "$(member out '(d["hits"], d["changed"])')" '(0, 1)'

# A record without a text proves nothing.
expect 0 put notes.edb 3 --vector "$blue"
embeds '(1, 0, 1, 1)' '{"id": "3", "text": "a red apple"}'
same 'the vector of a record that had no text' "$(vector notes.edb 3)" "$red"

# An empty text and none are two things, and a text that only begins alike is another one.
expect 0 put notes.edb 4 --vector "$red" --text ''
embeds '(1, 1, 0, 0)' '{"id": "4", "text": ""}'
embeds '(1, 0, 1, 1)' '{"id": "1", "text": "1\u0000"}'
