#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# What plays the documentation notices a page that is wrong, in each way in which a page can be; and writes down what is
# answered when it is told to.

# shellcheck source=tests/docs/play_pages.bash
. "$(dirname "$0")/play_pages.bash"
cd "$work"

# page LANGUAGE: a page with one block, of standard input; `more LANGUAGE` adds one.
page()
{
    : >page.md
    more "$1"
}

more()
{
    { echo "\`\`\`$1"; cat; echo '```'; echo; } >>page.md
}

# right WHAT: the page is to pass; wrong REASON: it is to be refused, for this reason. All are played together at the end.
right()
{
    rights+=("$1")
    cp page.md "right${#rights[@]}.md"
}

wrong()
{
    wrongs+=("$1")
    cp page.md "wrong${#wrongs[@]}.md"
}

# said_of PAGE: what was said of it.
said_of()
{
    awk -v page="$1: " '/^(right|wrong)[0-9]+\.md: / { here = index($0, page) == 1 } here' out
}

judge_all()
{
    local i
    ! play right*.md wrong*.md >out 2>&1 || fail 'wrong pages passed'
    for i in "${!rights[@]}"; do
        said_of "right$((i + 1)).md" | grep -q 'md: [0-9]* commands$' || {
            said_of "right$((i + 1)).md" >&2
            fail "a right page was refused: ${rights[$i]}"
        }
    done
    for i in "${!wrongs[@]}"; do
        said_of "wrong$((i + 1)).md" | grep -qF -- "${wrongs[$i]}" || {
            cat "wrong$((i + 1)).md" >&2
            said_of "wrong$((i + 1)).md" >&2
            fail "not refused for: ${wrongs[$i]}"
        }
        ! said_of "wrong$((i + 1)).md" | grep -q 'md: [0-9]* commands$' || fail "passed: ${wrongs[$i]}"
        echo "noticed: ${wrongs[$i]}"
    done
}

rights=()
wrongs=()

page console <<'END'
$ echo 'a text' >texts.txt && embedcache embed cache.edb --input texts.txt
1 text: 0 hits, 1 embedded and stored, 123.4 ms
$ for i in 1 2; do
>     echo $i
> done
1
2
$ embedcache get cache.edb other
embedcache: no key "other" in space default of cache.edb
$ echo $?
1
$ sleep 100 &
END
cp page.md good.md
right 'answers, exit codes, a job left behind'

# each WRONG SED: the good page with this change.
each()
{
    sed "$2" good.md >page.md
    ! cmp -s good.md page.md || fail "no change: $2"
    wrong "$1"
}
each '-1 text: 0 hits, 2 embedded' 's/1 embedded/2 embedded/'
each '+1 text: 0 hits, 1 embedded' '/^1 text:/d'
each '-one line more' 's/^2$/2\none line more/'
each '+1' 's/^1$/0/'
each 'and no '"'\$ echo \$?'" '/echo \$?/,/^1$/d'
each 'unknown option --imput' 's/--input/--imput/'
each 'did not come to the end' 's/^> done$/> wait/'
each 'did not come to the end' 's/^\$ sleep 100 &$/$ exit 0/'

# An answer that nobody expects any more is written down, what varies stays.
sed 's/1 embedded/2 embedded/; /^2$/d' good.md >page.md
play --accept page.md >out || fail 'accepting failed'
sed 's/123.4 ms/TIME/' good.md >wanted
sed -E 's/[0-9.]+ ms/TIME/' page.md | cmp - wanted || { cat page.md >&2; fail 'another page was written'; }
sed 's/^2$/3/' good.md >page.md
play --accept page.md >out || fail 'accepting failed'
cmp page.md good.md || fail 'the time was written anew'
sed '/echo \$?/,/^1$/d' good.md >page.md
! play --accept page.md >out || fail 'an exit code that is not shown was accepted'

page console <<'END'
$ echo 'a text' | embedcache embed cache.edb --input - -q --embedder http://localhost:11434/v1 --model nomic-embed-text
$ embedcache info cache.edb --json | grep -o '"dims": [0-9]*'
"dims": 768
$ embedcache embed cache.edb --input nowhere.txt --embedder http://localhost:11434/v1
embedcache: cannot read nowhere.txt: No such file or directory
$ echo $?
5
END
right 'a server'

page console <<<'$ false | cat'
wrong 'exit code 1, and no'

page sh <<'END'
export OPENAI_API_KEY=$(cat key)      # a comment with an it's
embedcache embed cache.edb --input texts.txt --space openai \
    --embedder https://api.openai.com/v1 --model text-embedding-3-small | grep -v 'a; b' && rsync -a --wrong . there:
END
cp page.md good.md
right 'what cannot run here'
each 'unknown option --imbedder' 's/--embedder/--imbedder/'
each 'unknown command "embad"' 's/embedcache embed/embedcache embad/'
each 'bash does not understand it' "s/'a; b'/'a; b/"
each 'choose one of bytes|blake2b|sha256' 's|texts.txt|texts.txt; sudo embedcache create a.edb --dims 3 --key-form x|'

page console <<<'$ true'
printf 'Say `embedcache create FILE --dims 3`, not `embedcache`.\n' >>page.md
cp page.md good.md
right 'a command in the text'
each 'unknown option --dim' 's/--dims/--dim/'

page console <<<'$ true'
printf '# A page: two words\n\nSee [here](#a-page-two-words), [there](page.md) and [far](https://example.org/none).\n' >>page.md
cp page.md good.md
right 'links'
each 'leads nowhere: #a-page' 's/#a-page-/#a-pages-/'
each 'leads nowhere: bad.md#' 's/page.md)/bad.md)/'

page c <<'END'
/* first.c: a program. */
#include <embedcache.h>
#include <stdio.h>

int main(void)
{
    puts(edb_status_name(EDB_BUSY));
    return 3;
}
END
more console <<'END'
$ cc first.c $(pkg-config --cflags --libs embedcache) -o first && ./first
EDB_BUSY
$ echo $?
3
END
cp page.md good.md
right 'a program'
each 'edb_status_nam' 's/edb_status_name/edb_status_nam/'
each '+EDB_FULL' 's/EDB_BUSY))/EDB_FULL))/'
each '+4' 's/return 3/return 4/'
each 'no command of the page uses first.c' 's/cc first.c.*/printf "EDB_BUSY\\n"; exit 3/'
each 'is in none of the examples' '/first.c: a program/d'

page c <<'END'
edb_result *found;
if (edb_search(space, vector, 1, &options, &found) != EDB_OK)
    return complain("search");
END
right 'a piece of an example'
sed -i 's/vector, 1/vector, 2/' page.md
wrong 'is in none of the examples'

page python <<<'import embedcache'
wrong "a block of language 'python'"
page '' <<<'a picture'
wrong "a block of language ''"
page console <<<'echo'
wrong "a console block begins with '$ '"
printf '```sh\necho\n' >page.md
wrong 'the block has no end'

page console <<<'$ false'
sed -i '1i <!-- where: [ -e nowhere ] -->' page.md
right 'a block that cannot run here'
over=right${#rights[@]}.md
sed -i 's/-e nowhere/-d ./' page.md
wrong 'exit code 1'

judge_all
said_of "$over" | grep -q 'passed over.*-e nowhere' || fail 'nothing was said of the block that was passed over'
echo ok
