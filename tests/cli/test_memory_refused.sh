#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Each allocation of the command is refused once: it ends all the same, soon, with a sentence and the exit code of the
# system's failures, or does without; and what it then says and stores is what it says and stores otherwise.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"
# shellcheck source=tests/cli/provider.bash
. "$test_tools/provider.bash"

if grep -qa '__asan_init\|__tsan_init' "$test_command" || ! command -v gcc >/dev/null; then
    echo 'skipped: memory is refused to a plain command by a library that gcc builds'
    exit 77
fi
gcc -shared -fPIC -o refuse.so "$test_tools/refuse_memory.c"

# sweep AT_MOST NAME ARGUMENT...: at most so many of the allocations of a run, evenly. $before is evaluated before each.
sweep()
{
    local at_most=$1 name=$2 count step wanted code refused=0
    shift 2
    eval "$before"
    wanted=0
    LD_PRELOAD=$PWD/refuse.so REFUSE_COUNT=count "$test_command" "$@" >wanted 2>err || wanted=$?
    count=$(cat count)
    [ "$count" -ge 10 ] || fail "$name: only $count allocations were seen"
    step=$(((count + at_most - 1) / at_most))
    for at in $(seq 1 $step "$count"); do
        eval "$before"
        code=0
        LD_PRELOAD=$PWD/refuse.so REFUSE_AT=$at timeout 20 "$test_command" "$@" >out 2>err || code=$?
        case $code in
            5)
                grep -q '^embedcache: .*memory' err || fail "$name, allocation $at: no word of memory"
                refused=$((refused + 1))
                ;;
            "$wanted") cmp -s <(sed -E 's/[0-9.]+ m?s$//' out) <(sed -E 's/[0-9.]+ m?s$//' wanted) || fail "$name, allocation $at: another answer" ;;
            *) fail "$name, allocation $at: exit code $code" ;;
        esac
    done
    [ $refused -ge 5 ] || fail "$name: only $refused refusals were noticed"
    echo "$name: $refused of $count allocations ended it"
}

seq -f 'text number %g' 5 >texts.txt
before='rm -f new.edb'
sweep 200 embed embed new.edb --input texts.txt
sweep 200 'embed by a server' embed new.edb --input texts.txt --embedder "$(address)" --model toy --batch 2 --concurrency 1

before=
expect 0 create one.edb --dims 2 --key-form sha256
cp one.edb other.edb
expect 0 put one.edb key --vector '[1, 2]' --metadata '{"n": 1}'
expect 0 put other.edb key --vector '[1, 2]' --metadata '{"n": 2}'
sweep 200 diff diff one.edb other.edb
