#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What put stores, get gives back; what del deletes is gone; what is wrong with either is said and changes nothing.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

expect 0 put cache.edb hello --vector '[0.1, -2.5e-3, 3]' --text 'Hello, "world"' --metadata '{"lang": "en", "n": 1}'
expect 0 get cache.edb hello
says 'row       0'
says '[0.1, -0.0025, 3.0]'
says 'Hello, "world"'
expect 0 get cache.edb hello --json
python3 -m json.tool out >/dev/null
same members "$(member out 'sorted(d)')" "['key', 'metadata', 'row', 'text', 'vector']"
same vector "$(member out 'd["vector"]')" '[0.1, -0.0025, 3.0]'
same text "$(member out 'd["text"]')" 'Hello, "world"'
same metadata "$(member out 'd["metadata"]')" "{'lang': 'en', 'n': 1}"

# Nothing beside the vector is null, an empty text is a text.
expect 0 put cache.edb bare --vector '[1, 2, 3]'
expect 0 get cache.edb bare --json
same 'text and metadata' "$(member out '(d["text"], d["metadata"])')" '(None, None)'
expect 0 put cache.edb bare --vector '[1, 2, 3]' --text '' --metadata '{}'
expect 0 get cache.edb bare --json
same 'text and metadata' "$(member out '(d["text"], d["metadata"], d["row"])')" "('', {}, 2)"

# Other ways in: standard input, .npy of either rank.
echo ' [ 4,5 ,6 ] ' | embedcache put cache.edb stdin -q
npy one.npy '<f4' 3 7 8 9
npy two.npy '<f8' 1x3 7 8 9
expect 0 put cache.edb one --vector-file one.npy
expect 0 put cache.edb two --vector-file two.npy
expect 0 get cache.edb stdin one two --json
same 'lines of three keys' "$(wc -l <out)" 3
same 'the same row twice' "$(sed -n '2,3s/.*\(\[.*\]\).*/\1/p' out | uniq | wc -l)" 1
embedcache get cache.edb stdin --raw >raw
same 'raw bytes' "$(od -An -tf4 raw | tr -s ' ')" ' 4 5 6'

# Keys are exact bytes.
expect 0 put cache.edb '' --vector '[0, 0, 0]'
expect 0 get cache.edb '' --json
same key "$(member out 'd["key"]')" ''
expect 0 put cache.edb $'\xff\n' --vector '[0, 0, 1]'
expect 0 get cache.edb $'\xff\n' --json
same 'key that is no UTF-8' "$(member out '(d["key"], d["key_form"])')" "('/wo=', 'base64')"
expect 1 get cache.edb 'hello '
expect 0 put cache.edb 'grüße' --vector '[0, 1, 1]'
expect 0 get cache.edb 'grüße' --json
same key "$(PYTHONIOENCODING=utf-8 member out 'd["key"]')" 'grüße'

# A missing key is named, the others are shown.
expect 1 get cache.edb nowhere hello
complains '"nowhere"'
says 'Hello'

# Refused, and nothing changed.
embedcache info cache.edb --json >before
for bad in '[1, 2]' '[1, 2, 3, 4]'; do
    expect 3 put cache.edb bad --vector "$bad"
    complains 3
done
for bad in '' '1, 2, 3' '[1, 2, 3' '[1, 2, 3] 4' '[1, 2, "3"]' '[1, 2, NaN]' '[1, 2, Infinity]' '[1, 2, 1e39]' \
    '[1, 2, -1e999]' '[1,, 3]' '[1, 2, 3,]' '[]' '[01, 2, 3]' '[.5, 2, 3]' '[+1, 2, 3]' '[0x1, 2, 3]' '{"a": 1}' 'null'; do
    expect 3 put cache.edb bad --vector "$bad"
done
expect 3 put cache.edb bad --vector '[1, 2, 1e39]'
complains 'element 2'
for bad in '[1]' 'x' '{"a": }' '"text"' '{"a": 1} x'; do
    expect 3 put cache.edb bad --vector '[1, 2, 3]' --metadata "$bad"
done
expect 3 put cache.edb bad --vector-file one.npy --space default --model other
complains other
npy three.npy '<f4' 2x3
expect 3 put cache.edb bad --vector-file three.npy
complains '2 rows'
expect 5 put cache.edb bad --vector-file nowhere.npy
expect 1 get cache.edb bad
embedcache info cache.edb --json >after
cmp -s before after || fail 'a refused put changed the file'
expect 3 put new.edb key --vector '[1, x]'
[ ! -e new.edb ] || fail 'a refused put created a file'

# A space of opaque values.
expect 0 create cache.edb --dims 0 --space bytes
printf 'any\0bytes' >value
expect 0 put cache.edb blob --value-file value --space bytes
embedcache get cache.edb blob --space bytes --raw | cmp - value
expect 0 get cache.edb blob --space bytes --json
same value "$(member out 'd["value"]')" 'YW55AGJ5dGVz'
expect 3 put cache.edb blob --vector '[1, 2, 3]' --space bytes

# Keys by digest.
expect 0 create cache.edb --dims 2 --space digest --key-form blake2b
expect 0 put cache.edb secret --vector '[1, 2]' --space digest
expect 0 get cache.edb secret --space digest --json
same key "$(member out 'd["key"]')" secret
expect 0 search cache.edb --vector '[1, 2]' --space digest --json
same 'digest of a hit' "$(member out '(len(d[0]["hits"][0]["key"]), d[0]["hits"][0]["key_form"])')" "(64, 'blake2b')"

# A space is what it was created as.
expect 0 create cache.edb --dims 3
says 'was there already'
expect 3 create cache.edb --dims 4
complains 4
expect 1 get cache.edb hello --space nowhere
complains nowhere

# Deleting.
expect 0 del cache.edb one two two
says '2 deleted'
expect 1 get cache.edb one
expect 1 del cache.edb one hello
complains '"one"'
says '1 deleted, 1 not there'
expect 1 get cache.edb hello
for i in $(seq 2500); do echo "k$i"; done >keys.txt
npy many.npy '<f4' 2500x3
expect 0 import cache.edb many.npy --keys keys.txt
expect 0 del cache.edb --keys keys.txt
says '2,500 deleted'
printf '{"key": "stdin"}\n\n{"key": "bare"}\n' >keys.jsonl
expect 0 del cache.edb --keys keys.jsonl
says '2 deleted'
printf '{"id": 5}\n' >keys.jsonl
expect 3 del cache.edb --keys keys.jsonl
complains 'line 1'
expect 1 del cache.edb --keys - </dev/null nowhere
expect 0 verify cache.edb
