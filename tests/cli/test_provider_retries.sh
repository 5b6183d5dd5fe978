#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What may pass is tried again, later each time, and when the server says; requests go side by side, over connections
# that are kept.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"
# shellcheck source=tests/cli/provider.bash
. "$test_tools/provider.bash"

seq -f 'text number %g' 120 >texts.txt
mapfile -t texts <texts.txt

# retries COUNT MODES ARGUMENT...: the run succeeds with so many calls again, all texts are right.
retries()
{
    local count=$1 modes=$2
    shift 2
    rm -f retried.edb
    forget
    expect 0 embed retried.edb --input texts.txt --embedder "$(address "$modes")" --model toy --json "$@"
    same "retries of $modes" "$(member out '(d["embedded"], d["retries"])')" "(120, $count)"
    same "calls of $modes" "$(member out 'd["calls"]')" "$(requests 'len(r)')"
    check_vectors retried.edb 120 8 -- "${texts[@]}"
}

# Seconds between the requests, in the order in which they came.
gaps='[b["came"] - a["came"] for a, b in zip(r, r[1:])]'

retries 2 fail=2
same 'waits grow' "$(requests "[0.24 < g[0] < 1.5 and 0.49 < g[1] < 2 for g in [$gaps]]")" '[True]'
retries 1 fail=1,status=503
retries 1 fail=1,status=408
retries 1 reset=1
retries 1 limit=1,after=0
retries 1 limit=1,after=2
same 'Retry-After in seconds' "$(requests "[1.99 < g[0] < 4 for g in [$gaps]]")" '[True]'
retries 1 limit=1,after=1.9
same 'Retry-After with a part of a second' "$(requests "[1.89 < g[0] < 4 for g in [$gaps]]")" '[True]'
retries 1 limit=1,after=date3
same 'Retry-After as a date' "$(requests "[1.9 < g[0] < 5 for g in [$gaps]]")" '[True]'
# A server that wants to be left alone is left alone by all requests.
retries 1 limit=1,after=1 --batch 20 --concurrency 2
same 'all wait' "$(requests '(sum(q["came"] - r[0]["came"] < 0.95 for q in r) <= 2, len(r))')" '(True, 7)'

# In the end it is a failure of that batch; others come, and the next run makes good what is missing.
expect 5 embed given-up.edb --input texts.txt --embedder "$(address 'if=number 50,limit=99,after=0')" --model toy \
    --batch 10 --retries 1 --json
same 'counts' "$(member out '(d["embedded"], d["failed"], d["calls"], d["retries"])')" '(110, 10, 13, 1)'
complains 'HTTP 429, "slow down"'
complains '--concurrency'
expect 0 embed given-up.edb --input texts.txt --embedder "$(address)" --model toy
says '110 hits, 10 misses, 10 embedded'
forget
expect 5 embed down.edb --input texts.txt --embedder "$(address fail=999)" --model toy --batch 1 --retries 0
[ "$(requests 'len(r)')" -le 8 ] || fail 'a server that is down was asked for every text'
[ ! -e down.edb ] || fail 'a server that is down has left a file'

# A server that goes away after it has answered is waited for.
forget
expect 5 embed away.edb --input texts.txt --embedder "$(address 'if=number 9,reset=99')" --model toy --batch 10 --retries 2
complains "the connection to 127.0.0.1:$server_port broke"

# Side by side, and not more than wished; each connection is used again and again.
for case in 1:0.02 3:0.2 8:1; do
    wished=${case%:*}
    forget
    rm -f side.edb
    expect 0 embed side.edb --input texts.txt --embedder "$(address "slow=${case#*:}")" --model toy --batch 8 \
        --concurrency $wished
    same 'requests' "$(requests 'len(r)')" 15
    same 'side by side' "$(requests 'max(q["busy"] for q in r)')" $wished
    same 'connections' "$(requests 'len(set(q["connection"] for q in r))')" $wished
    check_vectors side.edb 120 8 -- "${texts[@]}"
done
# Also after failures that end no connection, and one by one.
forget
expect 3 embed kept.edb --input texts.txt --embedder "$(address 'refuse=number 33')" --model toy --concurrency 1 --batch 40
same 'connections of a run with refusals' "$(requests 'len(set(q["connection"] for q in r))')" 1

# Answers that overtake each other are stored all the same.
expect 0 embed overtaken.edb --input texts.txt --embedder "$(address 'if=number 1,slow=0.2')" --model toy --batch 3
check_vectors overtaken.edb 120 8 -- "${texts[@]}"
