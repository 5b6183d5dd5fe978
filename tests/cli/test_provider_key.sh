#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The key goes to the server that it is meant for and nowhere else: not into the file, not into any output, not to another
# host; and what a file claims about servers means nothing.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"
# shellcheck source=tests/cli/provider.bash
. "$test_tools/provider.bash"

seq -f 'text number %g' 10 >texts.txt
key='sk-Geheim/42+key=='
mkdir shown

# keyed CODE ARGUMENT...: a run with the key in the environment; its output is kept to be searched.
runs=0
keyed()
{
    EMBEDCACHE_API_KEY=$key expect "$@"
    runs=$((runs + 1))
    cat out err >"shown/$runs"
}

# The server that wants a key gets it.
expect 2 embed none.edb --input texts.txt --embedder "$(address "auth=$key" | sed 's|sk-Geheim/|sk-Geheim%2F|')" --model toy
complains 'set EMBEDCACHE_API_KEY'
wants=http://127.0.0.1:$server_port/auth=${key/\//%2F}/v1
keyed 0 embed keyed.edb --input texts.txt --embedder "$wants" --model toy
keyed 0 embed json.edb --input texts.txt --embedder "$wants" --model toy --json
keyed 0 search keyed.edb --text 'text number 3' --embedder "$wants" --json
keyed 0 info keyed.edb --json
keyed 0 stats keyed.edb
same 'requests with a key' "$(requests '(len(r), sum(q["has_key"] for q in r))')" '(4, 3)'

# A server that repeats it, in plain, as JSON escapes, in an answer of 200 or with an error of its own: it is covered.
for modes in echo=401 echo=403 echo=404 echo=500 echo=400 echo=402 echo=200 escaped plain "auth=x"; do
    code=2
    case $modes in echo=500 | echo=402) code=5 ;; echo=400 | echo=200 | escaped) code=3 ;; esac
    keyed $code embed shy.edb --input texts.txt --embedder "$(address "$modes")" --model toy --retries 1
    keyed $code search keyed.edb --text x --embedder "$(address "$modes")" --retries 1
done
complains '*****'
complains 'EMBEDCACHE_API_KEY to a key that'
keyed 5 embed broken.edb --input texts.txt --embedder "$(address reset=99)" --model toy --retries 0
keyed 5 embed broken.edb --input texts.txt --embedder http://127.0.0.1:1/v1 --model toy
keyed 5 embed broken.edb --input texts.txt --embedder http://no-such-host.invalid/v1 --model toy
complains ' unencrypted: use https where that leaves your network'

# It is in no file and was in no output.
for part in "$key" "${key:0:9}" "${key:3:8}" "$(printf %s "$key" | base64)"; do
    ! grep -rqaF -- "$part" ./*.edb shown || fail "the key is in $(grep -rlaF -- "$part" ./*.edb shown)"
done

# A key that cannot be one would end the header; it is refused unseen.
for wrong in $'Geheim\nX-Header: 1' 'Geheim 42' $'Geheim\r' 'Geheimschlüssel'; do
    EMBEDCACHE_API_KEY=$wrong expect 2 embed wrong.edb --input texts.txt --embedder "$(address)" --model toy
    # Also where a full batch finds it out and not the end of the input.
    EMBEDCACHE_API_KEY=$wrong expect 2 embed wrong.edb --input texts.txt --embedder "$(address)" --model toy --batch 2
    complains 'EMBEDCACHE_API_KEY has'
    same 'sentences about a wrong key' "$(wc -l <err)" 1
    ! grep -qF Geheim err || fail 'a wrong key was repeated'
done

# It belongs to the server that the environment names with it: another one does not get it. Nor does one that a redirect
# leads to, and the key of OpenAI goes to OpenAI.
forget
EMBEDCACHE_EMBEDDER=http://127.0.0.1:1/v1 keyed 0 embed other.edb --input texts.txt --embedder "$(address)" --model toy
complains ' is not sent to 127.0.0.1'
grep -qF 'belongs to 127.0.0.1:1' err || fail 'it was not said that the key stays here'
EMBEDCACHE_EMBEDDER=$(address) keyed 0 embed own.edb --input texts.txt --embedder "$(address nousage)" --model toy
OPENAI_API_KEY=$key expect 0 embed openai.edb --input texts.txt --embedder "$(address)" --model toy
same 'who got the key' "$(requests '[q["has_key"] for q in r]')" '[False, True, False]'
forget
keyed 2 embed led.edb --input texts.txt --embedder "$(address "redirect=$server_port")" --model toy
same 'requests of a redirect' "$(requests 'len(r)')" 1
