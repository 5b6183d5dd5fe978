#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Each text is embedded once, whatever comes again; what the built-in embedder computes is what its description says, on
# every machine and for ever.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

printf 'one text\nanother text\n\none text\na third' >texts.txt
expect 0 embed notes.edb --input texts.txt
says '4 texts: 1 hit, 3 embedded and stored, 1 empty'
expect 0 embed notes.edb --input texts.txt
says '4 texts: 4 hits, 0 embedded and stored, 1 empty'
echo 'a fourth' >>texts.txt
expect 0 embed notes.edb --input texts.txt --json
same counts "$(member out '(d["texts"], d["hits"], d["embedded"], d["skipped"])')" '(4, 3, 1, 1)'
expect 0 get notes.edb 'a thirda fourth' --json
same 'text and dims' "$(member out '(d["text"], len(d["vector"]))')" "('a thirda fourth', 384)"
expect 0 info notes.edb --json
same model "$(member out '(d["spaces"][0]["model"], d["live"])')" "('hashing-v1', 4)"

# Batches of any size, standard input, JSON lines.
seq 1000 | sed 's/^/number /' >many.txt
for batch in 1 7 100000; do
    head -200 many.txt | embedcache embed "batch$batch.edb" --input - --batch $batch >out
    says '200 texts: 0 hits, 200 embedded'
done
expect 0 embed batch7.edb --input many.txt
says '1,000 texts: 200 hits, 800 embedded'
cat >texts.jsonl <<'JSON'
{"text": "first", "id": 1, "metadata": {"lang": "en"}}
{"text": null, "id": 2}
{"text": "", "id": 3}
JSON
expect 0 embed json.edb --input texts.jsonl --key-field id
says '2 texts: 0 hits, 2 embedded and stored, 1 of them without a word, 1 empty'
expect 0 get json.edb 1 --json
same record "$(member out '(d["text"], d["metadata"])')" "('first', {'lang': 'en'})"
expect 0 get json.edb 3 --json
same 'an empty text is the zero vector' "$(member out 'set(d["vector"])')" '{0.0}'
embedcache embed rest.edb --input - --text-field text --metadata-rest <texts.jsonl >out
expect 0 get rest.edb first --json
same rest "$(member out 'sorted(d["metadata"])')" "['id', 'metadata']"

# Wrong input, wrong space.
for line in '{"txt": "a"}' '{"text": 5}' 'text' '[]'; do
    printf '{"text": "fine"}\n%s\n' "$line" >bad.jsonl
    expect 3 embed bad.edb --input bad.jsonl
    complains 'line 2'
done
expect 5 embed bad.edb --input nowhere.txt
expect 0 create values.edb --dims 0
expect 3 embed values.edb --input texts.txt
complains 'opaque values'
expect 0 create model.edb --dims 8 --space unnamed
expect 3 search model.edb --space unnamed --text 'a question'
complains 'without a name'
expect 0 create model.edb --dims 8 --model other-model
expect 3 embed model.edb --input texts.txt
complains 'other-model'
expect 3 search model.edb --text 'a question'
complains 'other-model'
expect 3 embed notes.edb --input texts.txt --dims 100
complains 100
expect 0 embed notes.edb --input texts.txt --dims 100 --space hundred
expect 0 search notes.edb --text 'one text' --space hundred -k 1 --json
same 'the nearest of a text is itself' "$(member out 'd[0]["hits"][0]["key"]')" 'one text'

# Only A-Z have another case; a letter with an accent is one character or two, as it was written.
vector()
{
    embedcache embed case.edb --input - -q <<<"$1"
    embedcache get case.edb "$1" --json >record
    member record 'd["vector"]'
}
same 'ASCII letters' "$(vector 'ZEBRA Crossing')" "$(vector 'zebra crossing')"
for pair in 'École école' 'МОСКВА москва' 'ΣΟΦΊΑ σοφία' $'caf\u00e9 cafe\u0301'; do
    [ "$(vector "${pair% *}")" != "$(vector "${pair#* }")" ] || fail "$pair: one vector for two spellings"
done

# A text without a word has a vector of zeros, which is told; it is no question.
printf '!!!\n   \n-\nword\n' >wordless.txt
expect 0 embed wordless.edb --input wordless.txt
says '4 texts: 0 hits, 4 embedded and stored, 3 of them without a word'
expect 0 embed wordless.edb --input wordless.txt --json
same 'counts of hits' "$(member out '(d["hits"], d["wordless"])')" '(4, 0)'
for text in '' '!!!' ' ' '–'; do
    expect 2 search wordless.edb --text "$text"
    complains 'no word'
done

# A long text, digested as a key, is a hit the second time.
python3 -c 'print("word " * 30000)' >long.txt
expect 0 embed long.edb --input long.txt
expect 0 embed long.edb --input long.txt
says '1 hit, 0 embedded'

# The embedder as described, over texts of all kinds.
python3 - <<'PYTHON'
import json, random
random.seed(1)
texts = ["a", "The the THE", "x-y_z 42", "Grüße aus Köln – „schön“", "日本語のテキスト、二つ。", "🙂 🙂🙂", "naïve café",
         "a" * 64, "a" * 65, "a" * 200, "é" * 130, "... --- ...", "\u00a0nbsp\u00bf", "tab\tand\u2003space", "don't",
         "to be or not to be", "w" + " w" * 5000]
letters = "abcdefghijklmnopqrstuvwxyzABCDEF0123456789 .,;-éß漢字\u2026\u3002 " * 2
for _ in range(300):
    texts.append("".join(random.choice(letters) for _ in range(random.randrange(1, 300))))
words = "the shall license program may not copy distribute warranty of any kind".split()
for _ in range(100):
    texts.append(" ".join(random.choice(words) for _ in range(random.randrange(1, 400))))
with open("kinds.jsonl", "w") as file:
    for number, text in enumerate(texts):
        file.write(json.dumps({"id": number, "text": text}) + "\n")
PYTHON
for dims in 1 7 384; do
    expect 0 embed kinds.edb --input kinds.jsonl --key-field id --dims $dims --space "d$dims"
    embedcache get kinds.edb $(seq 0 416) --json --space "d$dims" >vectors.jsonl
    PYTHONUTF8=1 python3 "$test_tools/embedder_oracle.py" $dims vectors.jsonl || fail 'the embedder differs'
done

# The embedder as it was released: these decimals may never change.
printf 'EmbedCache: never compute the same embedding twice.\nGrüße!\n' >golden.txt
expect 0 embed golden.edb --input golden.txt --dims 8
embedcache get golden.edb 'EmbedCache: never compute the same embedding twice.' 'Grüße!' --json |
    sed 's/.*"vector": \(\[[^]]*\]\).*/\1/' | diff - "$test_tools/hashing_v1.golden" || fail 'hashing-v1 has changed'
