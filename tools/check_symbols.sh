#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Holds what the libraries export: exactly the functions that include/embedcache.h marks EDB_API, from the shared and
# from the static library alike. Needs a build ($EDB_BUILD, default build/); `--self-test` proves that it can fail.

cd "$(dirname "$0")/.." || exit 1

# The names that a header declares with EDB_API.
declared()
{
    tr '\n' ' ' <"$1" | grep -oE 'EDB_API [^;{]*\(' | grep -oE 'edb_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u
}

# The names that a library gives to a program that is linked with it.
exported()
{
    case $1 in
        *.a) nm -g --defined-only --format=posix "$1" ;;
        *) nm -D --defined-only --format=posix "$1" ;;
    esac | awk 'NF > 1 { print $1 }' | sort -u
}

# compare <header> <library>: prints what is missing and what is too much; fails when there is any.
compare()
{
    local missing extra
    missing=$(comm -23 <(declared "$1") <(exported "$2"))
    extra=$(comm -13 <(declared "$1") <(exported "$2"))
    for name in $missing; do
        echo "$1:$(grep -n "\b$name(" "$1" | head -1 | cut -d: -f1): $name is not exported by ${2##*/}"
    done
    for name in $extra; do
        echo "${2##*/}:1: exports $name, which $1 does not declare"
    done
    [ -z "$missing$extra" ]
}

self_test()
{
    local directory
    directory=$(mktemp -d)
    trap 'rm -rf "$directory"' RETURN
    cd "$directory" || return 1
    printf '#define EDB_API\nEDB_API int edb_a(void);\nEDB_API const char *\nedb_b(int x);\n' >a.h
    printf 'int edb_a(void);\nint edb_a(void) { return 1; }\n' >a.c
    printf 'int edb_b(void);\nint edb_b(void) { return 1; }\nint inner;\n' >b.c
    cc -shared -fPIC a.c -o one.so && cc -shared -fPIC a.c b.c -o more.so && cc -c b.c && ar rc more.a b.o || return 1
    expect one.so 'a.h:3: edb_b is not exported by one.so' 'a.h:4: edb_b is not exported by one.so' || return 1
    expect more.so 'more.so:1: exports inner, which a.h does not declare' || return 1
    expect more.a 'a.h:2: edb_a is not exported by more.a' || return 1
}

# expect <library> <finding>...: one of the findings must be made.
expect()
{
    local library=$1 found wanted
    shift
    found=$(compare a.h "$library") || for wanted in "$@"; do
        grep -qxF "$wanted" <<<"$found" && return 0
    done
    echo "check_symbols: self-test: '$1' was expected for $library, found: $found"
    return 1
}

if [ "${1:-}" = --self-test ]; then
    self_test
    exit
fi

build=${EDB_BUILD:-build}
if [ ! -e "$build/libembedcache.so" ]; then
    echo "check_symbols: the libraries were not looked at: there is no build yet"
    exit 0
fi
status=0
for library in libembedcache.so libembedcache.a; do
    compare include/embedcache.h "$build/$library" || status=1
done
exit $status
