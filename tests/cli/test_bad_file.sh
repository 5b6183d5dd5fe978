#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A file that is absent, foreign, damaged or out of reach: every command says so in one line with the file's name, exits
# with the code of its kind, and leaves the file as it was.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

# each CODE FILE: all commands, reading and writing.
each()
{
    local code=$1 file=$2
    expect "$code" get "$file" key
    complains "$file"
    expect "$code" info "$file"
    expect "$code" stats "$file" --json
    expect "$code" verify "$file"
    expect "$code" search "$file" --vector '[1, 2]'
    expect "$code" del "$file" key
    complains "$file"
    [ "${3:-}" = reading ] && return
    expect "$code" put "$file" key --vector '[1, 2]'
    complains "$file"
    expect "$code" create "$file" --dims 2
    expect "$code" import "$file" array.npy
    expect "$code" embed "$file" --input texts.txt
}

npy array.npy '<f4' 3x2
echo 'a text' >texts.txt

# Absent: reading does not create it.
each 5 absent.edb reading
[ ! -e absent.edb ] || fail 'reading created a file'
each 5 no/such/directory.edb

mkdir directory.edb
each 3 directory.edb

# Foreign files, an empty one among them, are not touched.
echo 'SQLite format 3, but not really' >foreign.edb
: >empty.edb
head -c 100000 /dev/zero >zeros.edb
cp array.npy array.edb
for file in foreign empty zeros array; do
    cp $file.edb before
    each 3 $file.edb
    cmp -s before $file.edb || fail "$file.edb was changed"
done

# Out of reach. The superuser may write anywhere but where nobody can.
if [ "$(id -u)" -ne 0 ]; then
    mkdir locked
    chmod a-w locked
    expect 5 put locked/a.edb key --vector '[1]'
    complains locked/a.edb
    expect 0 put mode.edb key --vector '[1]'
    chmod a-w mode.edb
    expect 0 get mode.edb key
    expect 5 put mode.edb key --vector '[1]'
    chmod a-r mode.edb
    expect 5 get mode.edb key
fi
if [ -d /sys/kernel ]; then
    expect 5 put /sys/kernel/a.edb key --vector '[1]'
    complains /sys/kernel/a.edb
fi

# Damage: truncated anywhere and bits flipped anywhere, the answer is right or an error, never a crash and never a
# wrong vector; what verify calls good is good.
seed=${EDB_SEED:-$RANDOM}
echo "seed $seed (EDB_SEED)"
for i in $(seq 20); do echo "text number $i of the damaged file"; done >many.txt
expect 0 embed good.edb --input many.txt --dims 8
embedcache get good.edb "$(sed -n 3p many.txt)" --raw >wanted
cat >damage.py <<'PYTHON'
import random, sys
random.seed(sys.argv[1])
data = bytearray(open("good.edb", "rb").read())
used = len(bytes(data).rstrip(b"\0"))
if random.random() < 0.4:
    data = data[:random.randrange(used)]
else:
    for _ in range(random.choice((1, 1, 8))):
        data[random.randrange(used)] ^= 1 << random.randrange(8)
open("bad.edb", "wb").write(data)
PYTHON
right=0
for round in $(seq 60); do
    python3 damage.py "$seed.$round"
    cp bad.edb before
    code=0
    embedcache get bad.edb "$(sed -n 3p many.txt)" --raw >found 2>err || code=$?
    case $code in
        0) cmp -s found wanted || fail "round $round: a wrong vector"; right=$((right + 1)) ;;
        1 | 3 | 5) [ -s err ] || fail "round $round: no word" ;;
        *) fail "round $round: exit code $code" ;;
    esac
    for words in 'verify bad.edb' 'info bad.edb' 'stats bad.edb --json' 'search bad.edb --text number'; do
        code=0
        embedcache $words >out 2>err || code=$?
        case $code in
            0 | 1 | 3 | 5) ;;
            *) fail "round $round: $words: exit code $code" ;;
        esac
    done
    cmp -s before bad.edb || fail "round $round: reading changed the file"
done
echo "$right of 60 damaged files still gave the vector, none a wrong one"

# A good file is called good, and what scripts read is JSON.
expect 0 verify good.edb
expect 0 verify good.edb --json
python3 -m json.tool out >/dev/null
same ok "$(member out '(d["ok"], d["problems"])')" '(True, 0)'
for words in 'info good.edb' 'stats good.edb'; do
    expect 0 $words --json
    python3 -m json.tool out >/dev/null
done
