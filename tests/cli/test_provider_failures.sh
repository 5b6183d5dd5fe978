#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# An answer that is not what was asked for is stored nowhere, and costs nothing but its own batch; every failure has a
# sentence with the server, what it said and the way out, and an exit code.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"
# shellcheck source=tests/cli/provider.bash
. "$test_tools/provider.bash"

seq -f 'text number %g' 40 >texts.txt
mapfile -t texts <texts.txt
host=127.0.0.1:$server_port

# fails CODE MODES TEXT ARGUMENT...: nothing is stored, not even an empty file; the sentences say TEXT and the server.
fails()
{
    local code=$1 modes=$2 text=$3
    shift 3
    expect "$code" embed new.edb --input texts.txt --embedder "$(address "$modes")" --model toy --batch 10 "$@"
    complains "$text"
    complains "$host"
    [ -z "$(find . -name '*new.edb*')" ] || fail "$modes: left a file behind"
}

# Bad answers. The first three requests that fail in a row end the run.
fails 3 twice 'index 0 comes twice'
complains "the answer of $host is refused, for index 0 comes twice"
fails 3 beyond 'index 10 comes though there are fewer texts'
fails 3 nodata 'it has no member "data"'
fails 3 nolist 'its "data" is no list'
fails 3 noindex 'lacks its "index"'
for index in -1 0.0 18446744073709551616 null '"1"'; do
    fails 3 "odd=$index" 'has an "index" that is no number of a text'
done
fails 3 missing 'it has 9 vectors for 10 texts'
fails 3 surplus '11 vectors for 10 texts'
fails 3 nan 'no valid JSON'
fails 3 inf 'no valid JSON'
fails 3 overflow 'not finite'
fails 3 base64,nan 'not finite'
fails 3 base64,inf 'not finite'
fails 3 null 'no number'
fails 3 word 'no number'
fails 3 ragged '7 numbers where 8 are needed'
fails 3 base64,ragged '7 numbers where 8 are needed'
fails 3 novector 'is empty'
fails 3 cutjson 'has been cut'
fails 3 empty 'it is empty'
fails 3 html '<!DOCTYPE html>'
complains 'http://HOST/v1'
! grep -q $'\x1b' err || fail 'a control character came through'
fails 3 dims=7 '7 numbers where 5 are needed' --dims 5
fails 3 huge=said 'more than the' --dims 8
fails 3 huge=on 'more than the' --dims 8
fails 5 cut 'the connection to' --retries 0
complains 'failed in a row'
expect 3 embed new.edb --input texts.txt --embedder "$(address nan)" --model toy --batch 10 --json --concurrency 1
same 'JSON after a failure' "$(member out '(d["texts"] == d["misses"] == d["failed"], d["embedded"], d["calls"])')" \
    '(True, 0, 3)'

# Wrong addresses, wrong keys, a server that is not there: said at the first failure, not tried again.
forget
fails 2 echo=401 'set EMBEDCACHE_API_KEY' --concurrency 1
fails 2 echo=403 'HTTP 403' --concurrency 1
fails 2 redirect=1 'leads elsewhere' --concurrency 1
same 'calls after a refusal' "$(requests 'len(r)')" 3
fails 2 lost '404 page not found' --concurrency 1
complains 'http://HOST/v1'
complains '--model "toy"'
expect 5 embed new.edb --input texts.txt --embedder http://127.0.0.1:1/v1 --model toy
complains 'cannot connect to 127.0.0.1:1'
same 'sentences about a server that is not there' "$(wc -l <err)" 1
expect 5 embed new.edb --input texts.txt --embedder http://no-such-host.invalid/v1 --model toy
complains 'no-such-host.invalid'
expect 5 embed new.edb --input texts.txt --embedder "https://$host/v1" --model toy
complains 'no secure connection'
fails 5 slow=5 'not answered in time' --timeout 1 --retries 0
complains 'give more with --timeout, or fewer texts at once with --batch'
fails 5 fail=99 'HTTP 500, "an \x1b[31minternal\x1b[0m error"' --retries 0
complains "$host answers HTTP 500"
complains ', what has come is stored'
fails 5 status=418,fail=99 ': check the address, the model and your account'

# Addresses that are none.
while IFS='|' read -r url text; do
    expect 2 embed new.edb --input texts.txt --embedder "$url" --model toy
    complains "$text"
    ! grep -q secret out err || fail "$url: the password was repeated"
    EMBEDCACHE_EMBEDDER=$url expect 2 embed new.edb --input texts.txt --model toy
    complains 'EMBEDCACHE_EMBEDDER'
done <<'URLS'
ftp://localhost/v1|no http or https address
file:///etc/passwd|no http or https address
gopher://localhost/|no http or https address
localhost:11434/v1|no http or https address
http://|no http or https address
nonsense|no http or https address
http://me:secret@localhost/v1|user name or a password
https://secret@localhost/v1|user name or a password
ftp://me:secret@localhost/v1|user name or a password
http://me:secret@/v1|without "@"
URLS
expect 5 embed new.edb --input texts.txt --embedder HTTP://127.0.0.1:1 --model toy
complains 'cannot connect to 127.0.0.1:1'
[ ! -e new.edb ] || fail 'a wrong address has created a file'

# Where a server's answers begin to be wrong, what came before stays, and what comes after is taken.
expect 3 embed changing.edb --input texts.txt --embedder "$(address changing=3)" --model toy --batch 5 --concurrency 1
says '15 embedded and stored, '
complains '9 numbers where 8 are needed'
check_vectors changing.edb 15 8 -- "${texts[@]:0:15}"
for wrong in nan ragged missing beyond cutjson empty base64,nan fail=99 status=500,fail=99 cut reset=99 slow=3; do
    rm -f one.edb
    code=3
    [[ $wrong =~ fail|^cut$|reset|slow ]] && code=5
    expect $code embed one.edb --input texts.txt --embedder "$(address "if=number 17,$wrong")" --model toy \
        --batch 5 --retries 0 --timeout 1
    says '40 misses, 35 embedded and stored, 5 failed, 8 calls'
    check_vectors one.edb 35 8 -- "${texts[@]:0:15}" "${texts[@]:20:20}"
    expect 1 get one.edb 'text number 16'
    expect 0 embed one.edb --input texts.txt --embedder "$(address)" --model toy
    says '35 hits, 5 misses, 5 embedded'
    check_vectors one.edb 40 8 -- "${texts[@]}"
    expect 0 verify one.edb
done

# A text that the server does not take is found by halving, named, and left out; so are batches that are too large.
for status in 400 413 422; do
    forget
    expect 3 embed refused$status.edb --input texts.txt --embedder "$(address "refuse=number 7,as=$status")" --model toy \
        --batch 16 --concurrency 1 --json
    same 'counts' "$(member out '(d["embedded"], d["refused"], d["failed"], d["calls"])')" '(39, 1, 0, 11)'
    complains '"text number 7" of 13 bytes is refused'
    complains "HTTP $status, \"input is too long for this model\""
    check_vectors refused$status.edb 39 8 -- "${texts[@]:0:6}" "${texts[@]:7}"
done
expect 0 embed small.edb --input texts.txt --embedder "$(address batchmax=3)" --model toy
says '40 embedded and stored'
check_vectors small.edb 40 8 -- "${texts[@]}"
awk '{print "{\"id\": " NR ", \"text\": \"text number " NR % 10 "\"}"}' texts.txt >recur.jsonl
expect 3 embed recur.edb --input recur.jsonl --key-field id --embedder "$(address 'refuse=number 7')" --model toy
says '36 embedded and stored, 4 refused'

# Ten sentences about refused texts are enough.
expect 3 embed eleven.edb --input texts.txt --embedder "$(address 'refuse=number 1')" --model toy
says '29 embedded and stored, 11 refused'
complains '; others are only counted from here on'
same 'sentences about refused texts' "$(grep -c 'is refused: ' err)" 10

# A server that takes no text at all is not asked for each of them.
forget
fails 3 refuse=text 'has refused 8 texts and taken none' --concurrency 1
[ "$(requests 'len(r)')" -lt 24 ] || fail 'a server that refuses everything was asked on and on'

# A device that is full behind a server that works.
if [ -e /dev/full ]; then
    code=0
    (ulimit -f 8; embedcache embed full.edb --input texts.txt --embedder "$(address)" --model toy >out 2>err) || code=$?
    same 'exit code of a full device' $code 5
fi

# A question is one text, and stores nothing: what search says is not about batches and what is stored.
expect 0 create asked.edb --dims 8 --model toy
for modes in 'limit=99,after=99' fail=99 beyond html cut slow=3 huge=said; do
    code=0
    embedcache search asked.edb --text 'a question' --embedder "$(address "$modes")" --retries 0 --timeout 1 \
        >out 2>err || code=$?
    [ $code -ne 0 ] || fail "search found something ($modes)"
    complains "$host"
    ! grep -E 'stored|--batch|--concurrency|at once' err || fail "search speaks of what it does not do ($modes)"
done
