#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Test of the test: the commit protocol is broken on purpose, in one way after another, and the crash explorer must
# notice each. A mutant is a patch in tests/crash/mutants, applied to a copy of the file; one that no longer applies
# fails. Only what a patch touches is compiled again; the rest is linked from the build.

set -u
cd "$(dirname "$0")/../.." || exit 1
build=${EDB_BUILD:-build}
seeds=${EDB_MUTANT_SEEDS:-128}
compiler=${CC:-cc}
command -v patch >/dev/null || { echo "skipped: the program 'patch' is not installed (tools/setup installs it)"; exit 77; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tests=$(find "$build/tests/CMakeFiles/crash_protocol.dir" "$build/tests/CMakeFiles/edb_system_doubles.dir" -name '*.o')
libraries=$(pkg-config --libs libsodium jansson)

# Compiles the mutant $1 and runs the explorer on it. 0: caught.
try_mutant()
{
    local name=$1 copy=$work/$1 objects
    mkdir -p "$copy"
    cp -r src "$copy/src"
    if ! patch -s -d "$copy" -p1 <"tests/crash/mutants/$name.patch"; then
        echo "$name: the patch no longer applies"
        return 1
    fi
    objects=$(find "$build/CMakeFiles/edb_objects.dir" -name '*.o')
    for file in $(sed -n 's|^+++ b/||p' "tests/crash/mutants/$name.patch"); do
        $compiler -std=c11 -D_GNU_SOURCE -O1 -w -I"$copy/src" -Iinclude -c "$copy/$file" -o "$copy/$(basename "$file").o" || return 1
        objects="$(grep -v "/$file\.o$" <<<"$objects") $copy/$(basename "$file").o"
    done
    # shellcheck disable=SC2086  (lists of files)
    $compiler $objects $tests -o "$copy/explorer" $libraries -lpthread -lm || return 1
    if timeout 120 "$copy/explorer" "$seeds" 1000 stop >"$copy/told" 2>&1; then
        echo "$name: NOT CAUGHT: $(tail -n 1 "$copy/told")"
        return 1
    fi
    echo "$name: caught"
    rm -rf "$copy"
}

caught=0
escaped=0
for patch in tests/crash/mutants/*.patch; do
    if try_mutant "$(basename "$patch" .patch)"; then
        caught=$((caught + 1))
    else
        escaped=$((escaped + 1))
    fi
done
echo "$caught mutants caught, $escaped not"
[ $escaped -eq 0 ] && [ $caught -ge 10 ]
