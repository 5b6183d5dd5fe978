#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Answers with bytes changed at random are refused, or what is stored of them are finite vectors of the right size. Nothing
# crashes.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"
# shellcheck source=tests/cli/provider.bash
. "$test_tools/provider.bash"

seed=${EDB_SEED:-1}
rounds=80
echo "EDB_SEED=$seed"
printf 'first text\nsecond text\n' >texts.txt
taken=0
refused=0
for round in $(seq "$seed" $((seed + rounds - 1))); do
    rm -f fuzz.edb
    for modes in "mutate=$round" "mutate=$round,base64"; do
        code=0
        embedcache embed fuzz.edb --input texts.txt --embedder "$(address "$modes")" --model toy --dims 3 --retries 0 \
            --space "$modes" >out 2>err || code=$?
        case $code in
            0) taken=$((taken + 1)) ;;
            3) refused=$((refused + 1)) ;;
            *) fail "$modes: exit code $code" ;;
        esac
        [ $code -eq 0 ] || continue
        embedcache get fuzz.edb 'first text' 'second text' --space "$modes" --json >records
        python3 -c '
import json, math, sys
vectors = [json.loads(line)["vector"] for line in open("records")]
sys.exit(not (len(vectors) == 2 and all(len(v) == 3 and all(map(math.isfinite, v)) for v in vectors)))' ||
            fail "$modes: what is stored is no vector"
    done
done
echo "$taken taken, $refused refused"
[ $taken -gt 0 ] && [ $refused -gt $rounds ] || fail 'the mutations are too weak or too strong'
