#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Plays the transcripts of tests/cli/cases: what the command answers to each line has to be, to the letter, what stands
# below it. `case.sh` plays all, `case.sh put mistakes` some, `case.sh --accept put` writes down what is answered now.
#
#   # text         a comment
#   ? command      a condition of the shell: where it does not hold the rest of the transcript is skipped
#   $ command      a line of the shell; helpers are those of testing.bash, and `unprivileged`, `limited`, `newer_file`,
#                `many_spaces`
#   text           what it printed on stdout; "(an empty line)" for one
#   ! text         what it printed on stderr
#   = code         its exit code; without one, 0
#
# What is different each time has a name instead: TIME, UUID, VERSION, PROCESS, ADDRESS.

accept=
[ "${1:-}" = --accept ] && { accept=1; shift; }
wanted=("$@")
set --

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"
cases=$test_tools/cases
PATH=$(dirname "$test_command"):$PATH

# unprivileged COMMAND...: as somebody who is not the superuser.
unprivileged()
{
    if [ "$(id -u)" -eq 0 ]; then
        setpriv --reuid=65534 --regid=65534 --clear-groups "$test_command" "${@:2}"
    else
        "$@"
    fi
}

# newer_file FILE KIND, many_spaces FILE: see tests/corrupt/*_worker.c.
newer_file()
{
    "${EDB_TEST_BIN:-${EDB_BUILD:-$test_source/build}/tests}/newer_file_worker" "$@"
}

many_spaces()
{
    "${EDB_TEST_BIN:-${EDB_BUILD:-$test_source/build}/tests}/many_spaces_worker" "$@"
}

# limited OPTION VALUE COMMAND...: with a limit of ulimit.
limited()
{
    (ulimit "$1" "$2"; shift 2; "$test_command" "${@:2}")
}

# The command itself, and what shells and tools say with it, without what changes.
mask()
{
    sed -E -e 's/[0-9.]+ (ms|s)$/TIME/' -e 's/"seconds": [0-9.e-]+/"seconds": TIME/' \
        -e 's/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/UUID/' -e 's/process [0-9]+/process PROCESS/g' \
        -e 's/(wait of|for) [0-9]+ ms/\1 TIME ms/' -e 's/pid [0-9]+/pid PROCESS/' \
        -e "s/(\"version\": \"|version=\"|^embedcache )$version/\\1VERSION/" -e "s|$test_directory|DIRECTORY|g"
}

# play CASE: prints the transcript as it goes now.
play()
{
    local line code skipped=
    while IFS= read -r line; do
        case $line in
            '# '* | '#' | '') echo "$line" ;;
            '? '*)
                echo "$line"
                [ -n "$skipped" ] || eval "${line#? }" >/dev/null 2>&1 || {
                    skipped=1
                    echo "$1: skipped, for this does not hold here: ${line#? }" >&3
                }
                ;;
            '$ '*)
                echo "$line"
                [ -z "$skipped" ] || continue
                code=0
                { eval "${line#$ }"; } >"$test_directory/.out" 2>"$test_directory/.err" </dev/null || code=$?
                mask <"$test_directory/.out" | sed -e 's/^$/(an empty line)/' -e '$a\'
                mask <"$test_directory/.err" | sed -e 's/^/! /' -e '$a\'
                [ $code -eq 0 ] || echo "= $code"
                ;;
            *) [ -z "$skipped" ] || echo "$line" ;;
        esac
    done
}

version=$(embedcache --version | sed 's/embedcache //')
[ ${#wanted[@]} -gt 0 ] || mapfile -t wanted < <(cd "$cases" && printf '%s\n' *.case | sed 's/\.case$//')
played=0
for name in "${wanted[@]}"; do
    mkdir "$test_directory/$name"
    chmod 755 "$test_directory" "$test_directory/$name"
    cd "$test_directory/$name"
    set +e
    play "$name" <"$cases/$name.case" >"$test_directory/played" 3>"$test_directory/skipped"
    set -e
    cd "$test_directory"
    cat skipped
    [ -z "$accept" ] || cp played "$cases/$name.case"
    diff -u --label "$name.case" --label 'what is answered' "$cases/$name.case" played || fail "$name has another answer"
    played=$((played + 1))
done
echo "$played transcripts"
