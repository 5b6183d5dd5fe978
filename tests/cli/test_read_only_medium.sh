#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A file on a medium that nobody can write, root neither, opens and reads like any other; writing and creating are
# refused with a sentence. The media are images on loop devices, read-only themselves, of those filesystems for which
# this system has a tool and a driver: squashfs, erofs, ext4. Mounting takes root.

skip()
{
    echo "skipped: $*"
    exit 77
}

# The mounts are seen by this script alone, and go with it.
if [ -z "${EDB_MOUNTS_PRIVATE:-}" ]; then
    [ "$(id -u)" -eq 0 ] || skip 'only root may mount'
    unshare -m true 2>/dev/null || skip 'this process may not mount'
    EDB_MOUNTS_PRIVATE=1 exec unshare -m bash "$0"
fi

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"
trap 'code=$?; set +e; umount medium 2>/dev/null; (exit $code); finish' EXIT

make_squashfs() { mksquashfs content "$1" -quiet -no-progress >/dev/null; }
make_erofs() { mkfs.erofs "$1" content >/dev/null; }
make_ext4() { truncate -s 8M "$1" && mkfs.ext4 -q -d content "$1"; }

# On the medium: an empty file, rows that no index covers, and rows with an index.
read_medium()
{
    ! touch medium/new 2>/dev/null || fail "the $1 medium can be written"
    expect 0 get medium/few.edb hello
    says '[1.0, 2.0, 3.0]'
    expect 0 search medium/few.edb --vector '[3, 2, 1]' -k 1
    says 'Goodbye'
    expect 0 get medium/indexed.edb 299
    says '[299.0, 299.0, 299.0]'
    expect 0 stats medium/indexed.edb
    expect 0 stats medium/empty.edb
    for file in few indexed empty; do
        expect 0 verify medium/$file.edb
        says 'is good'
        expect "$code_io" put medium/$file.edb new --vector '[1, 1, 1]'
        complains 'read-only'
    done
    expect "$code_io" put medium/none.edb new --vector '[1, 1, 1]'
    complains 'medium/none.edb'
}

code_io=5
mkdir content medium
expect 0 create content/empty.edb --dims 3
expect 0 put content/few.edb hello --vector '[1, 2, 3]' --text 'Hello'
expect 0 put content/few.edb goodbye --vector '[3, 2, 1]' --text 'Goodbye'
python3 - <<'END' >rows.txt
print(*(value for row in range(300) for value in (row, row, row)))
END
# shellcheck disable=SC2046
npy rows.npy '<f4' 300x3 $(cat rows.txt)
expect 0 import content/indexed.edb rows.npy
expect 0 stats content/indexed.edb --json
[ "$(member out 'd["sections"]')" -gt 0 ] || fail 'the file has no index'

media=
for kind in squashfs erofs ext4; do
    make_$kind image.$kind 2>/dev/null && mount -o loop,ro image.$kind medium 2>/dev/null || continue
    read_medium $kind
    umount medium
    media="$media $kind"
done
[ -n "$media" ] || skip 'no tool or driver for squashfs, erofs or ext4 here'
echo "read on:$media"
