# What the tests of the documentation share; each sources it first. Gives: `play` (play_page.py with EmbedCache installed
# into a temporary tree, as a reader has it), `fail`, a directory `work` of its own.

set -eu -o pipefail
pages_source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
export PYTHONDONTWRITEBYTECODE=1
work=$(mktemp -d)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT

fail()
{
    echo "FAILED: $*" >&2
    exit 1
}

env -u DESTDIR cmake --install "${EDB_BUILD:-$pages_source/build}" --prefix "$work/prefix" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    fail 'EmbedCache cannot be installed: build it with make'
}

play()
{
    python3 "$pages_source/tests/docs/play_page.py" --prefix "$work/prefix" "$@"
}
