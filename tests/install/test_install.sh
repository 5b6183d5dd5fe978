#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Installs into a temporary tree and uses what is there as a stranger would: the header alone as C99 and C++, the
# examples by pkg-config (shared, static) and by CMake (shared, static). The tree is moved once, to prove that
# nothing in it remembers where it was made.

set -eu
: "${EDB_SOURCE:=$(cd "$(dirname "$0")/../.." && pwd)}" "${EDB_BUILD:=$EDB_SOURCE/build}"
unset DESTDIR PKG_CONFIG_PATH CMAKE_PREFIX_PATH LD_LIBRARY_PATH

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail()
{
    echo "test_install: $*" >&2
    exit 1
}

# Runs a command quietly; shows what it said when it fails.
quiet()
{
    "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "failed: $*"; }
}

# run_examples <directory with the programs>
run_examples()
{
    local found
    rm -f "$work"/*.edb
    found=$("$1/quickstart" "$work/quickstart.edb") || fail "$1/quickstart failed"
    grep -q '^a red apple = (0.9, 0.1, 0.0)$' <<<"$found" || fail "quickstart got another vector: $found"
    grep -q '^1.000  a red apple$' <<<"$found" || fail "quickstart did not find the vector itself: $found"
    found=$(printf 'one\ntwo\none\n' | "$1/get_or_compute" "$work/compute.edb") || fail "$1/get_or_compute failed"
    [ "$found" = '3 texts, 2 computed' ] || fail "get_or_compute said: $found"
    found=$(printf 'one\ntwo\nsix\n' | "$1/get_or_compute" "$work/compute.edb")
    [ "$found" = '3 texts, 1 computed' ] || fail "get_or_compute said at its second run: $found"
    echo "ok: $2"
}

# --- install, staged, then moved ------------------------------------------------------------------------------------

DESTDIR=$work/stage quiet cmake --install "$EDB_BUILD" --prefix /opt/embedcache
mv "$work/stage/opt/embedcache" "$work/prefix"
prefix=$work/prefix
libraries=$(dirname "$(find "$prefix" -name libembedcache.a)")
for file in "$prefix/include/embedcache.h" "$libraries/libembedcache.so" "$libraries/libembedcache.so.0" \
    "$libraries/pkgconfig/embedcache.pc" "$libraries/cmake/embedcache/embedcache-config.cmake" \
    "$prefix/share/man/man1/embedcache.1" "$prefix/share/man/man1/embedcache-put.1" \
    "$prefix/share/bash-completion/completions/embedcache" "$prefix/share/zsh/site-functions/_embedcache" \
    "$prefix/share/fish/vendor_completions.d/embedcache.fish" "$prefix/share/doc/embedcache/guide/first-hour.md"; do
    [ -e "$file" ] || fail "$file was not installed"
done
grep -rl -e "$EDB_SOURCE" -e "$work/stage" -e /opt/embedcache "$libraries/pkgconfig" "$libraries/cmake" &&
    fail "an installed file remembers where it was made"
version=$(sed -n 's/^#define EDB_VERSION_[A-Z]* //p' "$prefix/include/embedcache.h" | paste -sd .)
[ -x "$prefix/bin/embedcache" ] || fail "the command was not installed"
"$prefix/bin/embedcache" --version | grep -qF "$version" || fail "embedcache --version does not say $version"
echo "ok: install"

# --- the header alone -----------------------------------------------------------------------------------------------

echo '#include <embedcache.h>' >"$work/header.c"
cp "$work/header.c" "$work/header.cc"
quiet cc -std=c99 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I "$prefix/include" "$work/header.c"
quiet c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I "$prefix/include" "$work/header.cc"
echo "ok: header as C99 and C++11"

# --- the examples, four ways ----------------------------------------------------------------------------------------

export PKG_CONFIG_PATH=$libraries/pkgconfig
[ "$(pkg-config --modversion embedcache)" = "$version" ] || fail "embedcache.pc is not of version $version"

for static in '' 1; do
    mkdir "$work/make$static"
    quiet make -C "$EDB_SOURCE/examples" DIR="$work/make$static" STATIC=$static
    LD_LIBRARY_PATH=$libraries run_examples "$work/make$static" "pkg-config${static:+, static}"
done

for static in OFF ON; do
    quiet cmake -S "$EDB_SOURCE/examples" -B "$work/cmake$static" -DCMAKE_PREFIX_PATH="$prefix" -DSTATIC=$static
    quiet cmake --build "$work/cmake$static"
    run_examples "$work/cmake$static" "CMake, static $static"
done
ldd "$work/cmakeON/quickstart" | grep -q libembedcache && fail "embedcache::static links the shared library"
exit 0
