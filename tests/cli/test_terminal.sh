#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A session on a pseudo-terminal: the progress bar is drawn over itself, fits the width also after the window has become
# narrow, and leaves a clean line; colours and bars are for terminals only; stats --watch draws in place.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

python3 "$test_tools/terminal_session.py" "$test_command"
