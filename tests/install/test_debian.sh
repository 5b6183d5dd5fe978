#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What debian/ says twice is true: the version, the symbols that the shared library exports, and the libraries that the
# build needs. That the packages build,
# are clean and work is proved by `make deb`, which takes a minute.

set -eu
: "${EDB_SOURCE:=$(cd "$(dirname "$0")/../.." && pwd)}" "${EDB_BUILD:=$EDB_SOURCE/build}"
cd "$EDB_SOURCE"

fail()
{
    echo "test_debian: $*" >&2
    exit 1
}

version=$(sed -n 's/^#define EDB_VERSION_[A-Z]* //p' include/embedcache.h | paste -sd .)
[ "$(sed -n '1s/^embedcache (\(.*\)) .*/\1/p' debian/changelog)" = "$version" ] ||
    fail "the first entry of debian/changelog is not of version $version"

major=${version%%.*}
[ -e "debian/libembedcache$major.symbols" ] || fail "there are no symbols of libembedcache.so.$major"
listed=$(sed -n 's/^ \(edb_[a-z_0-9]*\)@Base .*/\1/p' "debian/libembedcache$major.symbols" | LC_ALL=C sort)
exported=$(nm -D --defined-only "$EDB_BUILD/libembedcache.so" | awk '{ print $3 }' | LC_ALL=C sort)
[ -n "$exported" ] || fail 'the shared library exports nothing'
diff <(echo "$listed") <(echo "$exported") ||
    fail "debian/libembedcache$major.symbols (<) and the shared library (>) differ: add what is new with its version"

# Of each "NAME VERSION": require_library(xxhash libxxhash>=0.8.0 libxxhash-dev), libxxhash-dev (>= 0.8.0).
required=$(sed -n 's/^ *require_library([a-z]* [a-z]*\(>=\([0-9.]*\)\)\? \(.*\))$/\3 \2/p' cmake/Dependencies.cmake | LC_ALL=C sort)
declared=$(sed -n '/^Build-Depends:/,/^[A-Z]/s/^ *\([a-z0-9-]*-dev\)\( (>= \([0-9.]*\))\)\?\( <.*>\)\?,\?$/\1 \3/p' debian/control | LC_ALL=C sort)
[ -n "$required" ] || fail 'cmake/Dependencies.cmake requires nothing'
diff <(echo "$required") <(echo "$declared") ||
    fail 'the libraries of cmake/Dependencies.cmake (<) and of Build-Depends in debian/control (>) differ'
echo 'ok: version, symbols and libraries'
