#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Test of the tests: the library is broken on purpose, in one way after another, and a test must notice each. A mutant
# is a patch in tests/crash/mutants, applied to a copy of the file; one that no longer applies fails. Only what a patch
# touches is compiled again; the rest is linked from the build.
#
# The crash explorer has to catch a mutant unless the patch's head names others in a line
#   Caught-by: random_operations, lock_busy
# whose first that fails has caught it. Which one did is printed. Each of these tests first passes with the library as it
# is: a test that fails whatever it is given catches nothing. One that hangs has not noticed anything either.
#
#   mutants_caught.sh [NAME...]     only these; without names every second one, with EDB_MUTANTS=all each of them, as
#                                   `make proof` does; EDB_MUTANT_SEEDS gives the explorer more seeds

set -u
cd "$(dirname "$0")/../.." || exit 1
build=$(cd "${EDB_BUILD:-build}" && pwd) || exit 1
seeds=${EDB_MUTANT_SEEDS:-66}
compiler=${CC:-cc}
least=40
command -v patch >/dev/null || { echo "skipped: the program 'patch' is not installed (tools/setup installs it)"; exit 77; }
work=$(mktemp -d)
memory=$(mktemp -d -p /dev/shm 2>/dev/null) || memory=$work
trap 'rm -rf "$work" "$memory"' EXIT
# A run ends with its first failure, has fewer cases than the test has by itself, and waits for no disk where it can.
export TMPDIR=$memory CMOCKA_TEST_ABORT=1 EDB_CASES=3000

library_objects=$(find "$build/CMakeFiles/edb_objects.dir" -name '*.o')
support=$(find "$build/tests/CMakeFiles/edb_system_doubles.dir" "$build/tests/CMakeFiles/edb_support_sources.dir" -name '*.o')
libraries=$(pkg-config --libs libsodium jansson cmocka)

# Compiles what the patch of mutant $1 touches, in the directory $2; leaves the library's objects in $objects.
make_mutant()
{
    local patch=tests/crash/mutants/$1.patch copy=$2 file
    objects=$library_objects
    mkdir -p "$copy"
    cp -r src "$copy/src"
    if ! patch -s -d "$copy" -p1 <"$patch"; then
        echo "$1: the patch no longer applies"
        return 1
    fi
    for file in $(sed -n 's|^+++ b/||p' "$patch"); do
        $compiler -std=c11 -D_GNU_SOURCE -O1 -w -I"$copy/src" -Iinclude -c "$copy/$file" -o "$copy/$(basename "$file").o" || return 1
        objects="$(grep -v "/$file\.o$" <<<"$objects") $copy/$(basename "$file").o"
    done
}

# Links the test $1, and the workers that it may start, with $objects, into the directory $2.
link_test()
{
    local name own names=$1
    [ -d "$build/tests/CMakeFiles/$1.dir/multiproc" ] && names="$1 writers_readers_worker"
    for name in $names; do
        own=$(find "$build/tests/CMakeFiles/$name.dir" -name '*.o' 2>/dev/null)
        [ -n "$own" ] || { echo "there is no test $name"; return 1; }
        # shellcheck disable=SC2086  (lists of files)
        $compiler $own $objects $support -o "$2/$name" $libraries -lpthread -lm || return 1
    done
}

# Runs the test $1 that was linked into $2; 124: it took too long. Its words are in $2/told.
run_test()
{
    local words=()
    case $1 in
        crash_protocol) words=("${3:-$seeds}" 1000 stop) ;;
        random_operations) words=(20000) ;;
    esac
    (EDB_TEST_BIN=$2 EDB_SOURCE=$PWD EDB_BUILD=$build timeout 120 "$2/$1" "${words[@]}"; exit $?) >"$2/told" 2>&1
}

# Whether the test $1 passes with the library as it is: looked at once.
passes_unbroken()
{
    local objects=$library_objects copy=$work/unbroken
    mkdir -p "$copy"
    [ -e "$copy/$1.passed" ] && return 0
    link_test "$1" "$copy" && run_test "$1" "$copy" 2 && touch "$copy/$1.passed"
}

# Applies the mutant $1 and runs the tests that its head names, one that needs luck more than once. 0: one has caught it.
try_mutant()
{
    local name=$1 copy=$work/$1 by test code objects
    make_mutant "$name" "$copy" || return 1
    by=$(sed -n '/^---/q; s/^Caught-by: *//p' "tests/crash/mutants/$name.patch" | tr ',' ' ')
    for test in ${by:-crash_protocol}; do
        passes_unbroken "$test" || { echo "$name: the test $test fails without the mutant, too"; return 1; }
        link_test "$test" "$copy" || return 1
        code=0
        run_test "$test" "$copy" || code=$?
        if [ $code -ne 0 ] && [ $code -ne 124 ]; then
            echo "$name: caught by $test"
            rm -rf "$copy"
            return 0
        fi
    done
    echo "$name: NOT CAUGHT by ${by:-crash_protocol}: $(tail -n 1 "$copy/told")"
    return 1
}

caught=0
escaped=0
names=("$@")
number=0
[ $# -gt 0 ] || for patch in tests/crash/mutants/*.patch; do
    number=$((number + 1))
    [ "${EDB_MUTANTS:-}" != all ] && [ $((number % 2)) -eq 0 ] && continue
    names+=("$(basename "$patch" .patch)")
done
[ $# -eq 0 ] || least=0
for name in "${names[@]}"; do
    if try_mutant "$name"; then
        caught=$((caught + 1))
    else
        escaped=$((escaped + 1))
    fi
done
[ $# -gt 0 ] || number=" of $number"
[ $# -eq 0 ] || number=
echo "$caught$number mutants caught, $escaped not"
[ $escaped -eq 0 ] && [ $caught -ge $least ]
