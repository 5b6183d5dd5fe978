# What the tests of embedding servers share; each sources it after testing.bash. Starts a server that misbehaves as its
# address says (embedding_server.py) and gives: `address`, `requests`, `request`, `forget`, `check_vectors`.

unset EMBEDCACHE_EMBEDDER EMBEDCACHE_API_KEY OPENAI_API_KEY SSL_CERT_FILE
unset http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY no_proxy NO_PROXY
server_log=$test_directory/requests.jsonl
mkfifo port
# It ends when its standard input does: with this shell.
exec 9> >(exec python3 "$test_tools/embedding_server.py" "$server_log" >port 2>server-err)
read -r server_port <port || fail 'the server did not start'

# address [MODES]: where the server behaves so.
address()
{
    local modes=${1:-good}
    echo "http://127.0.0.1:$server_port/${modes// /%20}/v1"
}

# requests EXPRESSION: evaluates Python over the list r of the requests since the last `forget`.
requests()
{
    python3 -c 'import json, sys
r = [json.loads(line) for line in open(sys.argv[1])]
print(eval(" ".join(sys.argv[2].split())))' "$server_log" "$1"
}

forget()
{
    : >"$server_log"
}

# check_vectors FILE COUNT DIMS [halfway] -- ARGUMENT...: COUNT records of `embedcache get` have their texts' vectors.
check_vectors()
{
    local file=$1 count=$2
    shift 2
    local how=()
    while [ "$1" != -- ]; do
        how+=("$1")
        shift
    done
    shift
    embedcache get "$file" "$@" --json >records.jsonl || fail "get of $file"
    same "vectors of $file" "$(python3 "$test_tools/embedding_server.py" --check "${how[@]}" <records.jsonl)" "$count"
}
