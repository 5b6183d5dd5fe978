# What the tests of the command line share; each sources it first. Gives: the function `embedcache` (the command under
# test), a directory of its own as working directory, `expect`, `says`, `complains`, `npy`, and the line "ok" at the end.

set -eu -o pipefail
export LC_ALL=C NO_COLOR=1
test_source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
test_command=${EMBEDCACHE:-${EDB_BUILD:-$test_source/build}/embedcache}
[ -x "$test_command" ] || { echo "$test_command is not there: build it with make"; exit 1; }
test_command=$(cd "$(dirname "$test_command")" && pwd)/$(basename "$test_command")
test_tools=$test_source/tests/cli

test_directory=$(mktemp -d)
cd "$test_directory"

finish()
{
    local code=$?
    chmod -R u+w "$test_directory" 2>/dev/null || true
    rm -rf "$test_directory"
    [ $code -eq 0 ] && echo ok
    exit $code
}
trap finish EXIT

embedcache()
{
    "$test_command" "$@"
}

fail()
{
    echo "FAILED: $*" >&2
    [ -s out ] && { echo '--- stdout' >&2; head -c 2000 out >&2; }
    [ -s err ] && { echo '--- stderr' >&2; head -c 2000 err >&2; }
    exit 1
}

# expect CODE ARGUMENT...: runs the command with its output in `out` and `err`, and holds it to the exit code. What goes
# wrong is told in lines that begin with the command's name.
expect()
{
    local wanted=$1 code=0
    shift
    embedcache "$@" >out 2>err || code=$?
    [ $code -eq "$wanted" ] || fail "embedcache $*: exit code $code, not $wanted"
    [ "$wanted" -eq 0 ] || [ -s err ] || fail "embedcache $*: exit code $code without a word"
    ! grep -v '^embedcache: ' err >/dev/null || fail "embedcache $*: a line on stderr that is no message"
}

# says TEXT, complains TEXT: the last expect printed it on stdout, on stderr.
says()
{
    grep -qF -- "$1" out || fail "stdout lacks: $1"
}

complains()
{
    grep -qF -- "$1" err || fail "stderr lacks: $1"
}

# same WHAT FOUND WANTED
same()
{
    [ "$2" = "$3" ] || fail "$1: '$2', not '$3'"
}

# npy FILE DTYPE SHAPE [VALUE...]: an array whose values repeat; SHAPE like 3x4.
npy()
{
    python3 "$test_tools/make_npy.py" "$@"
}

# member FILE EXPRESSION: evaluates Python over the JSON document in FILE, named d.
member()
{
    python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"
}
