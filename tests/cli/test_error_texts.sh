#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Every sentence with which the library or the command fails stands in an expected answer of the command
# (tests/cli/cases, of the command also another test), or in the list of those that it cannot be brought to say, with the
# reason.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

python3 "$test_tools/error_texts.py" "$test_source"
