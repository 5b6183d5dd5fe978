#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Holds the Python package, its tests and examples to ruff, by the rules of pyproject.toml, and the files of Cython,
# which ruff does not read, to the same line length. `--fix` mends what can be mended; `--self-test` proves that the check can fail.

cd "$(dirname "$0")/.." || exit 1
source=$PWD
ruff=${EDB_BUILD:-$source/build}/python-venv/bin/ruff

# long_lines <folder>: lines of Cython that are longer than ruff allows.
long_lines()
{
    local columns
    columns=$(sed -n 's/^line-length = //p' "$source/pyproject.toml")
    ! find "$1" -name '*.p[yx][xdi]' -print0 |
        xargs -0 awk -v most="$columns" 'length > most { print FILENAME ":" FNR ": " length " columns, " most " are allowed" }' |
        grep .
}

# check <folder>...
check()
{
    local status=0
    long_lines "$1" || status=1
    "$ruff" format -q --diff --config "$source/pyproject.toml" "$@" || status=1
    "$ruff" check -q --config "$source/pyproject.toml" "$@" || status=1
    return $status
}

self_test()
{
    local directory bad
    directory=$(mktemp -d)
    trap 'rm -rf "$directory"' RETURN
    printf '"""A module."""\n' >"$directory/a.py"
    check "$directory" || { echo "check_python: self-test: a finding in a good file"; return 1; }
    for bad in 'import os\n' "a = 'b'\n"; do
        printf '"""A module."""\n\n%b' "$bad" >"$directory/a.py"
        check "$directory" >/dev/null 2>&1 && { echo "check_python: self-test: nothing found in '$bad'"; return 1; }
    done
    printf '"""A module."""\n' >"$directory/a.py"
    printf '#%0200d\n' 0 >"$directory/a.pyx"
    check "$directory" >/dev/null && { echo "check_python: self-test: a line may have any length"; return 1; }
    return 0
}

[ -x "$ruff" ] || {
    [ "${1:-}" = --self-test ] || echo "check_python: Python was not looked at: there is no environment (tools/python environment)"
    exit 0
}
case ${1:-} in
    --fix) "$ruff" format -q python tests/python examples/python && "$ruff" check -q --fix python tests/python examples/python ;;
    --self-test) self_test ;;
    *) check python tests/python examples/python ;;
esac
