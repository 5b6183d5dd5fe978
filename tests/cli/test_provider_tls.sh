#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A secure connection is made to a server whose certificate holds, and to no other.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"
# shellcheck source=tests/cli/provider.bash
. "$test_tools/provider.bash"

command -v openssl >/dev/null || { echo 'openssl is not there to make a certificate'; exit 77; }
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -keyout key.pem -out certificate.pem 2>openssl-err || fail "no certificate: $(cat openssl-err)"
mkfifo tls-port
exec 8> >(exec python3 "$test_tools/embedding_server.py" tls.jsonl certificate.pem key.pem >tls-port 2>tls-err)
read -r tls_port <tls-port || fail 'the secure server did not start'

printf '%s\n' first second >texts.txt
secure=(--embedder "https://localhost:$tls_port/good/v1" --model toy)
expect 5 embed secure.edb --input texts.txt "${secure[@]}"
complains "no secure connection to localhost:$tls_port"
export SSL_CERT_FILE=$PWD/certificate.pem
expect 5 embed secure.edb --input texts.txt --embedder "https://127.0.0.1:$tls_port/good/v1" --model toy
complains 'no secure connection to 127.0.0.1'
[ ! -e secure.edb ] && [ ! -s tls.jsonl ] || fail 'something went over a connection that is not secure'
expect 0 embed secure.edb --input texts.txt "${secure[@]}"
check_vectors secure.edb 2 8 -- first second
