#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What README.md and the guide tell a reader to type works, and answers what they say (see play_page.py).
# `test_pages.sh docs/guide/operations.md` plays one page, `test_pages.sh --accept PAGE...` writes down what is answered.

# shellcheck source=tests/docs/play_pages.bash
. "$(dirname "$0")/play_pages.bash"
cd "$pages_source"

accept=()
[ "${1:-}" != --accept ] || { accept=(--accept); shift; }
[ $# -gt 0 ] || set -- README.md docs/guide/*.md
play "${accept[@]}" "$@"
