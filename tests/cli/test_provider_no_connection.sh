#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# No file can cause a connection. Whatever names, texts and metadata claim, the command opens no socket unless the user
# has named a server, and then it goes to that server only.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"
# shellcheck source=tests/cli/provider.bash
. "$test_tools/provider.bash"

if grep -qa '__asan_init\|__tsan_init' "$test_command" || ! strace -o trace true 2>/dev/null; then
    echo 'strace cannot trace here'
    exit 77
fi

# calls CODE ARGUMENT...: how many system calls of the run have to do with the network.
calls()
{
    local wanted=$1 code=0
    shift
    strace -f -qq -e trace=%network -o trace "$test_command" "$@" >out 2>err || code=$?
    same "exit code of $*" $code "$wanted"
    grep -c '(' trace || true
}

# A file that claims a server wherever it has room for words: name of the space, model, revision, key, text, metadata.
claim=$(address evil)
vector='[1, 0, 0, 0, 0, 0, 0, 0]'
for name in default "$claim"; do
    expect 0 put evil.edb "$claim" --vector "$vector" --space "$name" --model "$claim" --revision "$claim" --text "$claim" \
        --metadata "{\"embedder\": \"$claim\", \"EMBEDCACHE_EMBEDDER\": \"$claim\", \"url\": \"$claim\"}"
done
printf '%s\n' "$claim" 'another text' >texts.txt
printf '{"text": "%s", "embedder": "%s", "metadata": {"embedder": "%s"}}\n' "$claim" "$claim" "$claim" >texts.jsonl
for space in default "$claim"; do
    same 'network calls of embed' "$(calls 3 embed evil.edb --input texts.txt --space "$space")" 0
    same 'network calls of search' "$(calls 3 search evil.edb --text "$claim" --space "$space")" 0
    same 'network calls of get' "$(calls 0 get evil.edb "$claim" --space "$space" --json)" 0
    same 'network calls of search' "$(calls 0 search evil.edb --vector "$vector" --space "$space")" 0
done
for command in info stats verify; do
    same "network calls of $command" "$(calls 0 $command evil.edb)" 0
done
same 'network calls of embed' "$(calls 0 embed builtin.edb --input texts.jsonl --metadata-rest)" 0
same 'network calls of search' "$(calls 0 search builtin.edb --text "$claim")" 0

# Where the user has named a server, hits ask nobody, and misses that one only.
same 'records' "$(calls 0 embed hits.edb --input texts.txt --embedder "$(address)" --model toy | grep -c '^0$')" 0
export EMBEDCACHE_EMBEDDER=http://127.0.0.1:1/v1
same 'network calls of hits' "$(calls 0 embed hits.edb --input texts.txt)" 0
same 'network calls of the built-in embedder' "$(calls 0 embed builtin.edb --input texts.txt --model hashing-v1)" 0
same 'network calls of a search for a vector' "$(calls 0 search hits.edb --vector "$vector")" 0
unset EMBEDCACHE_EMBEDDER
forget
calls 0 embed evil.edb --input texts.txt --embedder "$(address)" --model "$claim" --space 'mine' >/dev/null
[ "$(grep -c 'connect(' trace)" -ge 1 ] || fail 'the trace shows no connection where there was one'
! grep 'connect(' trace | grep -v "htons($server_port)" || fail 'a connection to somebody else'
same 'who was asked' "$(requests 'set(q["path"] for q in r)')" "{'/good/v1/embeddings'}"
