#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Search finds what an independent computation finds, in the same order, under each metric; and says it in both forms.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"
seed=${EDB_SEED:-$RANDOM}
echo "seed $seed (EDB_SEED)"

# Small whole numbers: every score is exact, and ties are many.
python3 - "$seed" "$test_tools" <<'PYTHON'
import json, random, sys
sys.path.insert(0, sys.argv[2])
import make_npy
random.seed(int(sys.argv[1]))
base = [[random.randrange(-3, 4) for _ in range(5)] for _ in range(300)]
queries = [[random.randrange(-3, 4) for _ in range(5)] for _ in range(20)] + [[0] * 5]
make_npy.write("base.npy", "<f4", [300, 5], sum(base, []))
make_npy.write("queries.npy", "<f4", [21, 5], sum(queries, []))
json.dump([base, queries], open("truth.json", "w"))
PYTHON

cat >check.py <<'PYTHON'
import json, math, sys
metric, k, threshold = sys.argv[1], int(sys.argv[2]), sys.argv[3]
base, queries = json.load(open("truth.json"))
found = json.load(open("out"))
assert len(found) == len(queries)
def score(q, v):
    dot = sum(a * b for a, b in zip(q, v))
    norms = math.sqrt(sum(a * a for a in q) * sum(b * b for b in v))
    return {"cosine": dot / norms if norms else 0.0, "dot": dot, "l2": sum((a - b) ** 2 for a, b in zip(q, v))}[metric]
sign = 1 if metric == "l2" else -1
for query, answer in zip(queries, found):
    assert answer["complete"] is True
    scores = [score(query, vector) for vector in base]
    near = [row for row in range(300) if threshold == "none" or sign * scores[row] <= sign * float(threshold)]
    # Scores of computed cosines may differ in the last bits: rows are compared up to such ties.
    near.sort(key=lambda row: (sign * round(scores[row], 5), row))
    hits = answer["hits"]
    assert len(hits) == min(k, len(near)), (len(hits), len(near))
    for hit, row in zip(hits, near):
        assert hit["key"] == str(hit["row"])
        assert abs(hit["score"] - scores[hit["row"]]) < 1e-5
        assert abs(hit["score"] - scores[row]) < 1e-5, (hit, row, scores[row])
        assert metric == "cosine" or hit["row"] == row, (hit, row)
PYTHON

for metric in cosine dot l2; do
    expect 0 import $metric.edb base.npy --metric $metric
    expect 0 search $metric.edb --vectors queries.npy -k 7 --json
    python3 check.py $metric 7 none
    expect 0 search $metric.edb --vectors queries.npy -k 1000 --json
    python3 check.py $metric 1000 none
done
expect 0 search dot.edb --vectors queries.npy --threshold 4 --json
python3 check.py dot 1000 4
expect 0 search l2.edb --vectors queries.npy --threshold 9.5 -k 3 --json
python3 check.py l2 3 9.5
expect 0 search cosine.edb --vectors queries.npy --threshold 0.59 --json
python3 check.py cosine 1000 0.59
embedcache search dot.edb --vectors - -k 1 <queries.npy >out
same 'answers for people' "$(grep -c '^query ' out)" 21

# A deleted row is not found any more.
expect 0 search l2.edb --vector '[0, 0, 0, 0, 0]' -k 1 --json
nearest=$(member out 'd[0]["hits"][0]["key"]')
expect 0 del l2.edb "$nearest"
expect 0 search l2.edb --vector '[0, 0, 0, 0, 0]' -k 300 --json
same 'the deleted row' "$(member out "'$nearest' in [hit['key'] for hit in d[0]['hits']]")" False
same 'all others' "$(member out 'len(d[0]["hits"])')" 299

# For people: rank, score, key, and the text where it says more.
expect 0 put people.edb short --vector '[1, 0]' --text $'\n  The first line\nthe second'
expect 0 put people.edb control --vector '[0, 1]' --text $'a\e[31mred\x07\xff'
expect 0 search people.edb --vector '[1, 0.5]'
says '1  0.894  short'
says 'The first line'
says 'a?[31mred??'
expect 0 search people.edb --vector '[1, 0.5]' --threshold 0.99
says 'nothing found'
expect 0 search people.edb --vector '[0, 0]' -k 1
says '0.000'

# Wrong queries.
expect 3 search people.edb --vector '[1, 2, 3]'
complains '3 numbers'
expect 3 search people.edb --vectors base.npy
complains '5 numbers'
npy bad.npy '<f4' 2x2 1 nan
expect 3 search people.edb --vectors bad.npy
complains 'row 0, element 1'
expect 3 search people.edb --text hello
complains 'hashing-v1'
expect 1 search people.edb --vector '[1, 2]' --space nowhere
expect 0 create people.edb --dims 0 --space values
expect 3 search people.edb --vector '[1]' --space values
