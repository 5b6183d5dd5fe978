#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# The demo runs to its end without data sets, and where they are finds everything that the truth knows.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

"$test_source/tools/demo" "$test_command" >out 2>err || fail 'the demo failed'
[ ! -s err ] || fail 'the demo complained'
says 'times faster'
says ' hits, 0 embedded'
says 'is good'
data=${EDB_DATA:-$test_source/../shared/data}
if [ -r "$data/ada002/base.npy" ]; then
    says 'recall@10 of 500 queries against the exact truth: 1.0000'
else
    echo 'without the data sets'
fi
