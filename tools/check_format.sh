#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Holds the layout of all C files to .clang-format. Versions of clang-format differ in small things, so only the one
# the file was written for is believed. `--fix` (that is `make format`) lays the files out; `--self-test` proves that
# the check can fail.

version=14
cd "$(dirname "$0")/.." || exit 1

tool=$(command -v clang-format-$version || command -v clang-format) || {
    echo "check_format: skipped, clang-format is not installed (tools/setup installs it)"
    exit 0
}
case $("$tool" --version) in
    *"version $version."*) ;;
    *)
        echo "check_format: skipped, the layout is held with clang-format $version and here is $("$tool" --version)"
        exit 0
        ;;
esac

folders=()
for folder in include src cli tests bench examples; do
    [ -d $folder ] && folders+=("$folder")
done
mapfile -t files < <(find "${folders[@]}" -name '*.[ch]' | sort)

case ${1:-} in
    --fix)
        # Alignment moves the comments behind code, so wrapping and layout take two turns.
        for _ in 1 2; do
            python3 tools/wrap_comments.py "${files[@]}" && "$tool" -i "${files[@]}" || exit 1
        done
        ;;
    --self-test)
        printf 'int f( void ) {\nreturn 1; }\n' |
            "$tool" --dry-run -Werror --assume-filename=src/a.c 2>/dev/null &&
            { echo "check_format: self-test: nothing found in a badly laid out file"; exit 1; }
        exit 0
        ;;
    *)
        "$tool" --dry-run -Werror "${files[@]}" 2>&1 | awk -F: '/: error: / && !seen[$1]++ { print $1 ":" $2 ": layout differs: run make format" }'
        exit "${PIPESTATUS[0]}"
        ;;
esac
