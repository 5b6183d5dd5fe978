#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Ctrl-C while a server is asked: what has come is stored, what is on its way is dropped, and the summary says so. Even
# kill -9 leaves a good file.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"
# shellcheck source=tests/cli/provider.bash
. "$test_tools/provider.bash"

seq -f 'text number %g' 1000 >texts.txt

# Starts a run whose 41st to 50th text never come, and waits until four batches are stored or there is nothing to wait for.
start()
{
    forget
    "$test_command" embed "$1" --input texts.txt --embedder "$(address 'if=number 45,slow=60')" --model toy --batch 10 \
        --concurrency 1 >out 2>err &
    run=$!
    for _ in $(seq 200); do
        [ "$(requests 'len(r)')" -ge 5 ] && return
        sleep 0.05
    done
    fail 'no requests after ten seconds'
}

for signal in INT TERM; do
    start $signal.edb
    sleep 0.2
    begun=$(date +%s%N)
    kill -s $signal $run
    code=0
    wait $run || code=$?
    same "exit code after SIG$signal" $code 130
    [ $((($(date +%s%N) - begun) / 1000000)) -lt 5000 ] || fail "SIG$signal was not heard for seconds"
    complains 'interrupted: '
    complains ' misses, 40 embedded and stored'
    complains ' not waited for, 5 calls'
    expect 0 verify $signal.edb
    expect 0 info $signal.edb --json
    same 'records after an interrupt' "$(member out 'd["live"]')" 40
    expect 0 embed $signal.edb --input texts.txt --embedder "$(address)" --model toy
    says '1,000 texts: 40 hits, 960 misses, 960 embedded and stored'
done

start kill.edb
kill -9 $run
wait $run 2>/dev/null || true
expect 0 verify kill.edb
expect 0 info kill.edb --json
[ "$(member out 'd["live"]')" -ge 30 ] || fail 'answers that had come were lost'

# Between two tries it waits for nothing either.
"$test_command" embed waits.edb --input texts.txt --embedder "$(address limit=9,after=60)" --model toy >out 2>err &
run=$!
sleep 1
kill -s INT $run
code=0
wait $run || code=$?
same 'exit code of a run that waits' $code 130
complains '0 embedded and stored'
[ ! -e waits.edb ] || fail 'a file without a record'
