#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What is refused leaves nothing behind: no new file, and in a file that is there no new space.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

expect 0 put there.edb key --vector '[1, 2]'
embedcache info there.edb --json >before

# refuses CODE COMMAND ARGUMENT...: the command fails on an absent file, and in a space that there.edb does not have.
refuses()
{
    local code=$1 command=$2
    shift 2
    expect "$code" "$command" new.edb "$@"
    [ -z "$(find . -name '*new.edb*')" ] || fail "embedcache $command new.edb $*: left a file behind"
    local space=(--space other)
    [ "${1:-}" = --space ] && space=()
    expect "$code" "$command" there.edb "$@" "${space[@]}"
    embedcache info there.edb --json >after
    cmp -s before after || fail "embedcache $command there.edb $*: changed the file"
}

long=$(head -c 300 /dev/zero | tr '\0' x)
deep=$(printf '{"a":%.0s' $(seq 65))1$(printf '}%.0s' $(seq 65))
npy bad.npy '<f4' 1x2 1 nan
for metadata in x '[1]' '"a"' '{"a": 1, "a": 2}' '{"a": 1} 2' $'{"a": "\xff"}' '{"a": 9223372036854775808}' "$deep"; do
    refuses 3 put key --vector '[1, 2]' --metadata "$metadata"
    complains metadata
done
refuses 3 put key --vector '[1, nan]'
refuses 3 put key --vector-file bad.npy
refuses 5 put key --value-file nowhere
refuses 2 create --space "$long" --dims 2
complains 255
refuses 2 create --space '' --dims 2
refuses 2 create --space $'\xff' --dims 2
complains UTF-8
refuses 2 create --dims 2 --model "$long"
refuses 3 import bad.npy
complains 'no row of '
npy good.npy '<f4' 2x2
refuses 2 import good.npy --revision "$long"
# The space that imports note themselves in is nobody else's: filled by others, no import could be noted any more.
echo a text >texts.txt
for words in 'create --dims 3' 'put key --vector [1]' 'embed --input texts.txt' 'import good.npy'; do
    read -r command rest <<<"$words"
    # shellcheck disable=SC2086
    refuses 2 $command --space embedcache.imports $rest
    complains 'is where every import notes how far it has come'
done
printf '{"key": "a"}\n{"key": "b", "metadata": %s}\n' "$deep" >keys.jsonl
refuses 3 import good.npy --keys keys.jsonl
complains 'line 2'
python3 -c 'import json; print(json.dumps({"key": "a", "metadata": {"m": "x" * 1048600}})); print("{\"key\": 1}")' >keys.jsonl
refuses 3 import good.npy --keys keys.jsonl
complains '1,048,576'
python3 -c 'import json; print(json.dumps({"key": "a", "text": "x" * 16777217})); print("{\"key\": 1}")' >keys.jsonl
refuses 3 import good.npy --keys keys.jsonl
complains '16,777,216'
echo '{"text": 5}' >texts.jsonl
refuses 3 embed --input texts.jsonl
head -c 100 good.npy >cut.npy
refuses 3 import cut.npy
code=0
embedcache import new.edb - <cut.npy >out 2>err || code=$?
same 'exit code of a cut pipe' $code 3
[ ! -e new.edb ] || fail 'a cut pipe left a file behind'

# What is not refused at the same limits.
deep=$(printf '{"a":%.0s' $(seq 64))1$(printf '}%.0s' $(seq 64))
expect 0 put new.edb key --vector '[1, 2]' --metadata "$deep"
rm new.edb

# Too little address space to open what would be created.
if grep -qa '__asan_init\|__tsan_init' "$test_command"; then
    echo 'a sanitizer needs all address space'
else
    code=0
    (ulimit -v 500000; "$test_command" put new.edb key --vector '[1, 2]' >out 2>err) || code=$?
    same 'exit code with little address space' $code 5
    complains 'address space'
    complains 'ulimit -v'
    [ -z "$(find . -name '*new.edb*')" ] || fail 'little address space: left a file behind'
fi
