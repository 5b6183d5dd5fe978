#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A record whose time is over is a miss to every command, and is computed again; a space holds no more rows than its limit
# after each commit, whoever writes; what is used stays.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

# figure NAME: of the space default of cache.edb.
figure()
{
    embedcache stats cache.edb --json >figures
    member figures "[space for space in d['spaces'] if space['name'] == 'default'][0]['$1']"
}

# A time that is over.
printf '%s\n' 'a cat' 'a dog' >texts.txt
expect 0 put cache.edb stays --vector '[1, 2]' --space other
expect 0 put cache.edb goes --vector '[1, 2]' --space other --ttl 1
expect 0 embed cache.edb --input texts.txt --ttl 1
says '2 texts: 0 hits, 2 embedded'
expect 0 limit cache.edb --space other --ttl 1
printf '%s\n' '{"key": "by the limit", "vector": [1, 2]}' '{"key": "never", "vector": [1, 2]}' >lines.jsonl
expect 0 import cache.edb lines.jsonl --space other
expect 0 put cache.edb never --vector '[1, 2]' --space other --ttl 0
sleep 2.1
for key in goes 'by the limit'; do
    expect 1 get cache.edb "$key" --space other
    complains "no key \"$key\""
done
expect 0 get cache.edb stays never --space other
! grep -q '^expires' out || fail 'something expires that should stay'
expect 0 search cache.edb --space other --vector '[1, 2]' --json
same 'found' "$(member out 'sorted(hit["key"] for hit in d[0]["hits"])')" "['never', 'stays']"
expect 0 embed cache.edb --input texts.txt --ttl 9h
says '2 texts: 0 hits, 2 embedded'
expect 0 embed cache.edb --input texts.txt --ttl 1
says '2 texts: 2 hits, 0 embedded'
expect 0 get cache.edb 'a cat'
says 'expires   in 9 h'
expect 0 compact cache.edb
expect 0 verify cache.edb
same 'alive after a compaction' "$(figure live)" 2

# imports SPACE ROWS [OPTION...]: an import of SPACE.jsonl into the space stores so many rows.
imports()
{
    local space=$1 rows=$2
    shift 2
    expect 0 import cache.edb "$space.jsonl" --space "$space" --json "$@"
    same "rows into $space" "$(member out 'd["rows"]')" "$rows"
}

# An import of which rows have expired is not done any more.
rm cache.edb
for space in line option limit never; do
    printf '{"key": "%s", "vector": [1, 2]}\n' a b >$space.jsonl
done
echo "{\"key\": \"c\", \"vector\": [1, 2], \"expiry_s\": $(($(date +%s) + 4))}" >>line.jsonl
expect 0 create cache.edb --space limit --dims 2
expect 0 limit cache.edb --space limit --ttl 4
for rows in 2 0; do
    imports line $((rows * 3 / 2))
    imports option $rows --ttl 4
    imports limit $rows
    imports never $rows --ttl 0
done
sleep 4.1
imports line 2
imports option 2 --ttl 4
imports limit 2
imports never 0 --ttl 0

# A limit of rows is kept after each commit, by every command that writes; what was used since stays.
rm cache.edb
seq -f 'used text %g' 20 >used.txt
seq -f 'text %g' 400 >many.txt
expect 0 embed cache.edb --input used.txt
expect 0 limit cache.edb --space default --max-rows 100
for _ in 1 2; do
    expect 0 embed cache.edb --input used.txt
    says '20 texts: 20 hits'
done
expect 0 put cache.edb kept --vector "[$(seq -s, 384)]" --pin
split -l 60 many.txt part.
for part in part.*; do
    expect 0 embed cache.edb --input "$part"
    [ "$(figure live)" -le 100 ] || fail "$(figure live) rows, where 100 are allowed"
done
same 'rows given' "$(figure rows)" 421
same 'what is not evicted is there' "$((421 - $(figure evictions)))" "$(figure live)"
[ "$(figure live)" -ge 90 ] || fail "only $(figure live) rows are left of 100"
expect 0 get cache.edb kept
embedcache embed cache.edb --input used.txt --json >out
[ "$(member out 'd["hits"]')" -eq 20 ] || fail "of 20 texts that were used only $(member out 'd["hits"]') are left"
embedcache export cache.edb - >records.jsonl
embedcache import cache.edb records.jsonl --space more -q
expect 0 verify cache.edb

# The whole file: what is over its limit goes from the largest space, and the newest is there.
expect 0 limit cache.edb --max-rows 50 --eviction fifo
expect 0 maintain cache.edb
embedcache stats cache.edb --json >figures
[ "$(member figures 'd["live"]')" -le 50 ] || fail "$(member figures 'd["live"]') rows in a file of 50"
expect 0 put cache.edb newest --vector "[$(seq -s, 384)]"
expect 0 get cache.edb newest

# More than a commit may take time for: maintain does all of it.
python3 -c '
for row in range(300000):
    print("{\"key\": \"%d\", \"vector\": [1]}" % row)' | embedcache import large.edb - -q
expect 0 limit large.edb --max-rows 1000
embedcache stats large.edb --json >figures
before=$(member figures 'd["spaces"][0]["evictions"]')
expect 0 maintain large.edb --json
same 'evicted at once and by maintain' "$((before + $(member out 'd["evicted"]')))" \
    "$((300000 - $(embedcache stats large.edb --json >figures; member figures 'd["live"]')))"
[ "$(member figures 'd["live"]')" -le 1000 ] || fail "$(member figures 'd["live"]') rows after maintain"
[ "$(member figures 'd["live"]')" -ge 900 ] || fail "only $(member figures 'd["live"]') rows after maintain"
