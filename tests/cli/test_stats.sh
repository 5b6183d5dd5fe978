#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The figures of a file in all forms say the same; what Prometheus reads obeys its format whatever names are in it;
# --watch sees what others commit, survives that the file is replaced, and ends by Ctrl-C with exit code 0.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

# --- forms ----------------------------------------------------------------------------------------------------------

file=$'odd "name"\\ of\na file.edb'
space=$'back\\slash "quote"\nline \e[31m'
expect 0 create "$file" --dims 2
expect 0 put "$file" a --vector '[1, 2]' --space "$space"
expect 0 put "$file" a --vector '[1, 3]' --space "$space"
expect 0 put "$file" b --vector '[1, 2]'
printf '{"text": "%s", "n": %s}\n' one 5 two 7 three 1000 >texts.jsonl
# (What is asked before there is a space is no miss of it.)
head -n 2 texts.jsonl | embedcache embed "$file" --space texts --input - --cost-field n -q
expect 0 embed "$file" --space texts --input texts.jsonl --cost-field n
expect 0 limit "$file" --space texts --max-rows 1
expect 0 stats "$file"
says '2 hits, 1 miss (66.7 % hits), 3.0 KiB and a cost of 12 not computed again'
says '2 evicted'
expect 0 stats "$file" --json
cp out stats.json
expect 0 stats "$file" --format json
cmp -s out stats.json || fail '--format json and --json differ'
expect 0 stats "$file" --format prometheus
python3 "$test_tools/parse_metrics.py" <out >metrics.json || fail 'no text of the format of Prometheus'
cat >compare.py <<'PYTHON'
import json, sys
metrics = json.load(open("metrics.json"))["metrics"]
stats = json.load(open("stats.json"))
file, odd = sys.argv[1], sys.argv[2].replace("\x1b", "\ufffd")
for name, metric in (("file_bytes", "file_bytes"), ("used_bytes", "used_bytes"), ("rows", "rows_total"),
                     ("sequence", "frames_total"), ("live", "live_rows"), ("section_bytes", "section_bytes"),
                     ("sections", "sections"), ("synced_bytes", "synced_bytes"), ("tail_rows", "tail_rows"),
                     ("mapped_bytes", "mapped_bytes")):
    assert metrics["embedcache_" + metric]["samples"] == [[{"file": file}, stats[name]]], (name, metrics, stats)
named = {"default": (1, 1), odd: (2, 1), "texts": (3, 1)}
for metric, index in (("space_rows_total", 0), ("space_live_rows", 1)):
    found = {labels["space"]: value for labels, value in metrics["embedcache_" + metric]["samples"]}
    assert found == {space: values[index] for space, values in named.items()}, found
for figure, metric in (("hits", "hits_total"), ("misses", "misses_total"), ("hit_bytes", "hit_bytes_total"),
                       ("hit_cost", "hit_cost_total"), ("evictions", "evictions_total"), ("live_bytes", "live_bytes")):
    found = {labels["space"]: value for labels, value in metrics["embedcache_space_" + metric]["samples"]}
    assert found == {space["name"].replace("\x1b", "\ufffd"): space[figure] for space in stats["spaces"]}, (figure, found)
(texts,) = [space for space in stats["spaces"] if space["name"] == "texts"]
assert [texts[figure] for figure in ("hits", "misses", "hit_bytes", "hit_cost", "evictions")] == [2, 1, 2 * 384 * 4, 12, 2], texts
(labels, value), = metrics["embedcache_info"]["samples"]
assert value == 1 and labels["format_version"] == "1" and len(labels["uuid"]) == 36, labels
PYTHON
python3 compare.py "$file" "$space" || fail 'the forms differ'

# A file without a space has metrics without samples.
expect 0 put empty.edb a --vector '[1]'
expect 0 stats empty.edb --format text
says 'rows given             1'
expect 2 stats empty.edb --json --format text
complains 'not both'
expect 2 stats empty.edb --format json --watch
complains '--watch'
for seconds in 0 -1 0.01 100000; do
    expect 2 stats empty.edb --watch=$seconds
    complains "--watch $seconds"
done
expect 2 stats empty.edb --watch=soon
expect 5 stats absent.edb --watch 1

# --- watching -------------------------------------------------------------------------------------------------------

# watches PATTERN: waits until it was printed.
watches()
{
    local _
    for _ in $(seq 1200); do
        grep -qE -- "$1" watched told && return
        sleep 0.05
    done
    tail -n 5 watched told >&2
    fail "a minute of watching without: $1"
}

# ends SIGNAL: the watch ends by it, with exit code 0.
ends()
{
    local code=0
    kill -s "$1" $watch
    wait $watch || code=$?
    same "exit code of a watch after SIG$1" $code 0
}

expect 0 create watch.edb --dims 1
"$test_command" stats watch.edb --watch 0.1 >watched 2>told &
watch=$!
watches 'rows given 0, '
# So many rows that it is some a second however long the machine sleeps between two looks.
expect 0 import watch.edb <(python3 "$test_tools/make_npy.py" /dev/stdout '<f4' 1000x1)
watches 'rows given 1,?000 \(\+[1-9][0-9,]* a second\), rows alive 1,?000'
watches 'rows given 1,?000 \(\+0 a second\)'
[ ! -s told ] || fail "a watch complained: $(cat told)"

# Another file by that name, and none for a while.
expect 0 import other.edb <(python3 "$test_tools/make_npy.py" /dev/stdout '<f4' 5x1)
mv other.edb watch.edb
watches 'rows given 5, '
watches 'watch.edb was replaced: opened again'
mv watch.edb away.edb
watches 'watch.edb is gone: waiting for another'
same 'words about a file that is gone' "$(grep -c gone told)" 1
expect 0 put whole.edb a --vector '[1]'
mv whole.edb watch.edb
watches 'rows given 1, '
cp away.edb watch.edb
watches 'watch.edb was written over: opened again'
watches 'rows given 5, '
ends INT
same 'lines that are no line of a watch' "$(grep -cvE '^[0-9:]{8}  used [0-9.]+ (bytes|KiB)' watched || true)" 0

"$test_command" stats watch.edb --watch=0.1 --quiet >watched 2>told &
watch=$!
watches 'rows given 5, '
ends TERM
