#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What an embedding server answers is stored bit for bit, in whatever form and order it comes; what is there is never
# asked for again, and a run of hits makes no connection.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"
# shellcheck source=tests/cli/provider.bash
. "$test_tools/provider.bash"

# embeds FILE COUNTS ARGUMENT...: (texts, hits, embedded, calls) of a run that succeeds.
embeds()
{
    local file=$1 counts=$2
    shift 2
    expect 0 embed "$file" --json "$@"
    same "counts of $file" "$(member out '(d["texts"], d["hits"], d["embedded"], d["calls"])')" "$counts"
}

seq -f 'text number %g' 300 >texts.txt
mapfile -t texts <texts.txt
good=(--embedder "$(address)" --model toy)

expect 0 embed notes.edb --input texts.txt "${good[@]}"
says '300 texts: 0 hits, 300 misses, 300 embedded and stored, 3 calls, 900 tokens used, about 0 tokens saved, '
same 'texts of the requests' "$(requests '[len(q["texts"]) for q in sorted(r, key=lambda q: -len(q["texts"]))]')" \
    '[128, 128, 44]'
same 'what was asked' "$(requests 'r[0]["request"]')" "{'model': 'toy', 'encoding_format': 'float'}"
same 'nothing but the text goes there' "$(requests 'sorted(set(sum((q["texts"] for q in r), [])))[0]')" 'text number 1'
check_vectors notes.edb 300 8 -- "${texts[@]}"
expect 0 info notes.edb --json
same 'the space' "$(member out '(d["spaces"][0]["model"], d["spaces"][0]["dims"])')" "('toy', 8)"
! grep -qa -e 127.0.0.1 -e http notes.edb || fail 'the file names the server'

# Hits: no request, and not even a connection; an address where nobody is will do.
forget
expect 0 embed notes.edb --input texts.txt --embedder http://127.0.0.1:1/v1
says '300 texts: 300 hits, 0 misses, 0 embedded and stored, 0 calls, about 1,200 tokens saved'
embeds notes.edb '(300, 300, 0, 0)' --input texts.txt "${good[@]}"
same 'JSON of a run of hits' "$(member out '(d["misses"], d["tokens_used"], d["tokens_saved_estimate"])')" '(0, None, 1200)'
same 'requests of hits' "$(requests 'len(r)')" 0
echo 'one more' >>texts.txt
embeds notes.edb '(301, 300, 1, 1)' --input texts.txt "${good[@]}"
same 'only the miss is sent' "$(requests '[q["texts"] for q in r]')" "[['one more']]"

# In every form: base64, another order, another media type, without model, usage, or in the environment's name.
head -20 texts.txt >few.txt
number=0
for modes in base64 shuffle type nomodel shuffle,base64 decimal; do
    embeds "form$((++number)).edb" '(20, 0, 20, 3)' --input few.txt --embedder "$(address $modes)" --model toy --batch 7
    check_vectors "form$number.edb" 20 8 -- "${texts[@]:0:20}"
    embeds "asked$number.edb" '(20, 0, 20, 3)' --input few.txt --embedder "$(address $modes)" --model toy --batch 7 \
        --encoding base64
    check_vectors "asked$number.edb" 20 8 -- "${texts[@]:0:20}"
done
forget
EMBEDCACHE_EMBEDDER=$(address nousage) embeds environment.edb '(20, 0, 20, 1)' --input few.txt --model toy
same 'no usage' "$(member out 'd["tokens_used"]')" None
EMBEDCACHE_EMBEDDER=$(address)/embeddings embeds environment.edb '(301, 20, 281, 3)' --input texts.txt
check_vectors environment.edb 300 8 -- "${texts[@]}"
same 'addresses' "$(requests 'sorted(set(q["path"] for q in r))')" "['/good/v1/embeddings', '/nousage/v1/embeddings']"

# The tokens of an answer are what its texts cost, unless a line says so itself; a text that another key has costs the same.
embeds cost.edb '(20, 0, 20, 1)' --input few.txt --embedder "$(address usage=50)" --model toy --ttl 9d --pin
embedcache export cost.edb - >records.jsonl
same 'costs' "$(python3 -c 'import json; print(sorted(json.loads(line)["cost"] for line in open("records.jsonl")))')" \
    "$(python3 -c 'print([2] * 10 + [3] * 10)')"
same 'expiry and pin' "$(python3 -c 'import json; print({(line["pinned"], "expiry_s" in line) for line in map(json.loads, open("records.jsonl"))})')" \
    '{(True, True)}'
printf '{"id": "%s", "text": "%s", "tokens": %s}\n' a one 70 b two null c one 0 >said.jsonl
embeds said.edb '(3, 0, 3, 1)' --input said.jsonl --key-field id --cost-field tokens "${good[@]}"
echo '{"id": "d", "text": "two"}' >>said.jsonl
embeds said.edb '(4, 3, 1, 1)' --input said.jsonl --key-field id --cost-field tokens "${good[@]}"
embedcache get said.edb a b c d --json >records.jsonl
same 'costs that are said' "$(python3 -c 'import json; print([json.loads(line).get("cost") for line in open("records.jsonl")])')" \
    '[70, 3, 3, 3]'
embeds copied.edb '(4, 0, 4, 2)' --input said.jsonl --key-field id "${good[@]}" --batch 1 --concurrency 1
embedcache get copied.edb a b c d --json >records.jsonl
same 'costs of texts that were copied' "$(python3 -c 'import json; print([json.loads(line).get("cost") for line in open("records.jsonl")])')" \
    '[3, 3, 3, 3]'
expect 0 get environment.edb "${texts[0]}" --json
same 'no cost where nobody counts' "$(member out 'd.get("cost")')" None

# Decimals that a double cannot tell from the middle between two floats are rounded right all the same.
embeds halfway.edb '(20, 0, 20, 1)' --input few.txt --embedder "$(address halfway)" --model toy
check_vectors halfway.edb 20 8 halfway -- "${texts[@]:0:20}"

# Texts of all kinds arrive as they are.
python3 - <<'PYTHON'
import json
texts = ["Grüße aus Köln", "日本語", "🙂", "tab\tquote\"slash\\ / line\nend", "nul\0inside", "", "\x7f\u0080\u2028", "a" * 70000]
with open("kinds.jsonl", "w") as file:
    for number, text in enumerate(texts):
        file.write(json.dumps({"id": number, "text": text}) + "\n")
PYTHON
embeds kinds.edb '(8, 0, 8, 1)' --input kinds.jsonl --key-field id "${good[@]}"
check_vectors kinds.edb 8 8 -- 0 1 2 3 4 5 6 7

# Batches by count and by tokens; a text with more tokens goes alone.
forget
python3 -c 'for number, size in enumerate((40, 40, 40, 400, 40, 40)): print(str(number) + "x" * (size - 1))' >sized.txt
expect 0 embed tokens.edb --input sized.txt "${good[@]}" --batch-tokens 32 --concurrency 1
same 'batches by tokens' "$(requests '[len(q["texts"]) for q in r]')" '[3, 1, 2]'
forget
embeds counted.edb '(20, 0, 20, 5)' --input few.txt "${good[@]}" --batch 4 --concurrency 1
same 'batches by count' "$(requests '[len(q["texts"]) for q in r]')" '[4, 4, 4, 4, 4]'

# Dims: those of the answer, or those that were asked for.
forget
embeds dims.edb '(20, 0, 20, 1)' --input few.txt "${good[@]}" --dims 3
check_vectors dims.edb 20 3 -- "${texts[@]:0:20}"
same 'dimensions' "$(requests 'r[0]["request"]["dimensions"]')" 3
embeds dims.edb '(20, 0, 20, 1)' --input few.txt "${good[@]}" --space free
# A space does not tell whether its size was asked for: the server is asked for it when it answers in another.
forget
expect 0 embed dims.edb --input texts.txt "${good[@]}" --concurrency 2 --batch 15
says '20 hits, 281 misses, 281 embedded'
check_vectors dims.edb 300 3 -- "${texts[@]}"
same 'requests that name no size' "$(requests 'sum("dimensions" not in q["request"] for q in r) in (1, 2)')" True
expect 0 search dims.edb --text 'text number 17' -k 1 "${good[@]}"
says 'text number 17'
expect 3 embed dims.edb --input texts.txt "${good[@]}" --dims 5

# One text is sent once, whatever its keys are; a key has the text that came last.
forget
python3 - <<'PYTHON'
import json
with open("recur.jsonl", "w") as file:
    for number in range(400):
        file.write(json.dumps({"id": number, "text": "recurring %d" % (number % 5)}) + "\n")
        file.write(json.dumps({"id": number, "text": "recurring %d" % (number % 5)}) + "\n")
    for number in range(50):
        file.write(json.dumps({"id": "k", "text": "edition %d" % number}) + "\n")
        file.write(json.dumps({"id": "k", "text": "recurring 1"}) + "\n")
    file.write(json.dumps({"id": "k", "text": "edition 49"}) + "\n")
PYTHON
for batch in 1 3 128; do
    forget
    expect 0 embed recur$batch.edb --input recur.jsonl --key-field id "${good[@]}" --batch $batch --json
    same 'counts' "$(member out '(d["texts"], d["hits"] + d["embedded"], d["changed"])')" '(901, 901, 100)'
    same "hits with batches of $batch" "$(member out 'd["hits"]')" 400
    same 'texts that were sent' "$(requests 'sorted(sum((q["texts"] for q in r), [])) ==
        sorted(["recurring %d" % n for n in range(5)] + ["edition %d" % n for n in range(50)])')" True
    check_vectors recur$batch.edb 401 8 -- $(seq 0 399) k
    expect 0 get recur$batch.edb k --json
    same 'the last text of a key' "$(member out 'd["text"]')" 'edition 49'
    embeds recur$batch.edb '(800, 800, 0, 0)' --input <(head -800 recur.jsonl) --text-field text --key-field id "${good[@]}"
done

# Also when that text is on its way for another key, and the batch that has the key's earlier one takes longest.
printf '{"id": "%s", "text": "%s"}\n' a away b away2 k early k away >order.jsonl
embeds order.edb '(4, 0, 4, 2)' --input order.jsonl --key-field id --embedder "$(address if=early,slow=0.5)" --model toy \
    --batch 2
expect 0 get order.edb k --json
same 'the last text of a key' "$(member out 'd["text"]')" away

# An edited text is sent again.
forget
printf '{"id": "1", "text": "before"}\n' >edit.jsonl
embeds edit.edb '(1, 0, 1, 1)' --input edit.jsonl --key-field id "${good[@]}"
printf '{"id": "1", "text": "after"}\n' >edit.jsonl
embeds edit.edb '(1, 0, 1, 1)' --input edit.jsonl --key-field id "${good[@]}"
check_vectors edit.edb 1 8 -- 1

# Names of one model. What differs in more is another model, and nothing of it is stored.
name=0
while read -r asked given; do
    embeds "model$((++name)).edb" '(20, 0, 20, 1)' --input few.txt --embedder "$(address "model=$given")" --model "$asked"
done <<'NAMES'
toy TOY
nomic-embed-text nomic-embed-text:latest
nomic-embed-text:latest nomic-embed-text
text-embedding-3-small text-embedding-3-small-2024-01-25
text-embedding-ada-002 text-embedding-ada-002-v2
bge-small-en owner%2Fbge-small-en
bge-small.Q8 %2Fmodels%2Fbge-small.Q8.gguf
NAMES
while read -r asked given; do
    expect 3 embed other.edb --input few.txt --embedder "$(address "model=$given")" --model "$asked"
    complains "\"$asked\" was asked for"
    [ ! -e other.edb ] || fail "$given is taken for $asked"
done <<'NAMES'
toy top
toy toy2
bge-small-en bge-small-en-v1.5
e5-large e5-large-v2
text-embedding-3-small text-embedding-3-large
nomic-embed-text:v1 nomic-embed-text:v2
one/model other%2Fmodel
toy-2024-01-25 toy
NAMES

# Search asks the model of the space, for one text, as it is.
forget
expect 0 search notes.edb --text 'text number 17' -k 1 --json --embedder "$(address)"
same 'the nearest of a text is itself' "$(member out 'd[0]["hits"][0]["key"]')" 'text number 17'
same 'what search asked' "$(requests '[(q["texts"], q["request"]["model"]) for q in r]')" "[(['text number 17'], 'toy')]"
EMBEDCACHE_EMBEDDER=$(address) expect 0 search notes.edb --text 'text number 18' -k 1
says 'text number 18'
expect 3 search notes.edb --text 'text number 17'
complains '"toy"'
complains '--embedder URL'
expect 3 search notes.edb --text 'x' --embedder "$(address)" --model top
complains '"toy", not of top'
expect 3 search notes.edb --text 'x' --embedder "$(address dims=7)"
complains '7 numbers where 8 are needed'
expect 5 search notes.edb --text 'x' --embedder http://127.0.0.1:1/v1
complains 'cannot connect to 127.0.0.1:1'

# A proxy of the environment gets what is for elsewhere.
forget
http_proxy=http://127.0.0.1:$server_port expect 0 embed proxied.edb --input few.txt \
    --embedder http://elsewhere.invalid/v1 --model toy
same 'what the proxy was asked' "$(requests '[q["path"] for q in r]')" "['http://elsewhere.invalid/v1/embeddings']"

# Which embedder: a space of the built-in one stays with it, whatever the environment names.
forget
expect 0 embed lexical.edb --input few.txt
export EMBEDCACHE_EMBEDDER=http://127.0.0.1:1/v1
expect 0 embed lexical.edb --input texts.txt
expect 0 search lexical.edb --text 'number 17'
expect 0 embed builtin.edb --input few.txt --model hashing-v1
expect 2 embed new.edb --input few.txt
complains '--model'
unset EMBEDCACHE_EMBEDDER
expect 3 embed lexical.edb --input few.txt "${good[@]}"
complains '"hashing-v1"'
expect 3 embed lexical.edb --input few.txt --embedder "$(address)"
complains 'built-in'
expect 3 embed notes.edb --input few.txt --embedder "$(address)" --model top
complains '"toy", not of top'
expect 3 embed notes.edb --input few.txt
complains '--embedder URL'
expect 2 embed new.edb --input few.txt --model toy
complains '--embedder URL'
expect 2 embed new.edb --input few.txt --embedder "$(address)"
complains '--model'
expect 2 embed new.edb --input few.txt "${good[@]}" --batch 2049
complains '2048'
same 'requests of wrong calls' "$(requests 'len(r)')" 0
: >nothing.txt
expect 0 embed nothing.edb --input nothing.txt "${good[@]}"
[ ! -e new.edb ] && [ ! -e nothing.edb ] || fail 'a file without a text'
