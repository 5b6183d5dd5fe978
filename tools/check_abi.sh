#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Holds the binary interface of the shared library: a program that was linked with the last release runs with this one.
# What debian/libembedcache0.abi describes may be added to; nothing in it may go or change. Needs abidw and abidiff
# (tools/setup proof) and a build with debug information ($EDB_BUILD, default build/).
#
#   tools/check_abi.sh              compares, says what changed
#   tools/check_abi.sh --accept     writes today's description: before 0.1 is out, and at each release
#   tools/check_abi.sh --self-test  proves that it can fail

set -eu
cd "$(dirname "$0")/.."
build=$(cd "${EDB_BUILD:-build}" && pwd)
known=debian/libembedcache0.abi

# describe LIBRARY HEADERS OUT: types and functions that the headers declare, without a word of where they were built.
describe()
{
    abidw --exported-interfaces-only --headers-dir "$2" --drop-private-types --no-architecture --no-elf-needed \
        --no-corpus-path --no-comp-dir-path --no-show-locs --no-parameter-names --out-file "$3" "$1"
    sed -i -E "s|(file)?path='[^']*/|\1path='|" "$3"
}

# compare KNOWN NEW: prints what went or changed; fails when there is any.
compare()
{
    abidiff --no-added-syms --no-show-locs "$1" "$2"
}

# build_library NAME SOURCE: a library in the working directory whose header is its source.
build_library()
{
    mkdir -p "$1"
    printf '%s\n' "$2" >"$1/a.h"
    echo '#include "a.h"' >"$1/a.c"
    cc -g -shared -fPIC -o "$1/a.so" "$1/a.c"
    describe "$1/a.so" "$1" "$1.abi"
}

self_test()
{
    local place name status
    place=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$place'" EXIT
    cd "$place"
    # abidiff answers 4 and more when something changed, less when it could not compare.
    local struct='struct s { int a; int b; };' one='int one(struct s *s) { return s->a; }'
    build_library first "$struct $one"
    build_library more "$struct $one int two(void) { return 2; }"
    build_library longer "struct s { int a; int b; int c; }; $one"
    build_library other "$struct long one(struct s *s) { return s->a; }"
    build_library less "$struct int two(void) { return 2; }"
    compare first.abi more.abi >/dev/null || { echo 'check_abi: self-test: an addition was refused' && exit 1; }
    for name in longer other less; do
        compare first.abi "$name.abi" >/dev/null && status=0 || status=$?
        [ "$status" -ge 4 ] || { echo "check_abi: self-test: abidiff said $status of '$name'" && exit 1; }
    done
}

command -v abidw >/dev/null && command -v abidiff >/dev/null || {
    echo 'check_abi: abidw is missing: install the Debian package abigail-tools, or run tools/setup proof.' >&2
    exit 1
}
case ${1:-} in
    --self-test) self_test ;;
    --accept)
        describe "$build/libembedcache.so" include "$known"
        echo "$known describes $build/libembedcache.so"
        ;;
    '')
        describe "$build/libembedcache.so" include "$build/libembedcache0.abi"
        compare "$known" "$build/libembedcache0.abi" || {
            echo "check_abi: programs that were linked with the library of $known cannot run with this one;"
            echo 'check_abi: undo the change, or, before 0.1 is out, accept it: tools/check_abi.sh --accept'
            exit 1
        }
        ;;
    *)
        echo "check_abi: '$1' is neither --accept nor --self-test" >&2
        exit 2
        ;;
esac
