#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# A directory as LangChain's LocalFileStore leaves it: the names of files are keys, folders belong to them, texts come
# from a list beside; what is no vector is named. The real one is read where it is there.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

mkdir -p 'store/BAAI/deep'
echo '[1, 2]' >store/plain
echo '[3, 4.5]' >'store/BAAI/bge small'
echo '[5, 6]' >store/BAAI/deep/x
echo 'hidden' >store/.hidden
ln -s plain store/link
cat >texts.json <<'JSON'
[{"file": "plain", "text": "a text"}, {"file": "nobody", "text": "b"}]
JSON
for store in store store/ ./store "$PWD/store"; do
    rm -f new.edb
    expect 0 import new.edb "$store" --texts texts.json
    says '4 rows'
    expect 0 get new.edb plain --json
    same 'text' "$(member out '(d["text"], d["vector"])')" "('a text', [1.0, 2.0])"
    expect 0 get new.edb 'BAAI/bge small' BAAI/deep/x link
done
echo '{"plain": "other text"}' >texts.json
expect 0 import new.edb store --texts texts.json
says '4 keys were there before'
expect 0 get new.edb plain --json
same 'texts as an object' "$(member out 'd["text"]')" 'other text'

# refuses CODE REASON [ARGUMENT...]
refuses()
{
    local code=$1 reason=$2
    shift 2
    expect "$code" import refused.edb store "$@"
    complains "$reason"
    [ ! -e refused.edb ] || fail "a refused import created a file ($reason)"
}
for texts in '[1]' '[{"file": "a"}]' '{"b": 5}' '{"a": "a", "b": null}'; do
    echo "$texts" >texts.json
    refuses 3 'texts.json is no JSON list of' --texts texts.json
done
for texts in '' 'x' '5' '[1'; do
    printf '\n%s' "$texts" >texts.json
    refuses 3 'texts.json is no valid JSON: ' --texts texts.json
    complains 'at line 2'
done
refuses 5 'nowhere.json' --texts nowhere.json
for content in '' 'x' '{}' '[]' '[1, "a"]' '[1, 2] 3' '[1, 2' '[1, 1e99]' '[[1, 2]]'; do
    echo "$content" >store/bad
    refuses 3 'store/bad '
done
echo '[1, 2, 3]' >store/bad
refuses 3 'the vectors of one space are of one length'
rm store/bad
ln -s . store/loop
refuses 3 'store/loop is a link to a directory'
rm store/loop
ln -s loop store/loop
refuses 5 'symbolic links'
rm store/loop
ln -s nowhere store/gone
refuses 5 'store/gone'
rm store/gone
mkfifo store/pipe
refuses 3 'store/pipe is no regular file'
rm store/pipe
(cd store && for _ in $(seq 40); do mkdir deep && cd deep; done && echo '[1, 2]' >x)
refuses 3 'read 32 deep'
rm -r store
mkdir -p store/empty
refuses 3 'has no files'

data=${EDB_DATA:-$test_source/../shared/data}
if [ ! -d "$data/langchain_cache" ]; then
    echo 'the real directory is skipped: no ../shared/data/langchain_cache'
    exit 0
fi
expect 0 import real.edb "$data/langchain_cache" --texts "$data/langchain_cache_texts.json"
says '120 rows'
expect 0 import rows.edb "$data/ada002/base.npy" --space rows
python3 - "$data" >keys <<'PYTHON'
import json, sys
for entry in json.load(open(sys.argv[1] + "/langchain_cache_texts.json")):
    print(entry["file"], entry["base_row"])
PYTHON
same 'files that have a text' "$(wc -l <keys)" 120
expect 0 get real.edb $(cut -d ' ' -f 1 keys) --json
sed 's/.*\("vector": [^]]*\).*/\1/' out >found
expect 0 get rows.edb --space rows $(cut -d ' ' -f 2 keys) --json
sed 's/.*\("vector": [^]]*\).*/\1/' out >wanted
cmp found wanted || fail 'the files have other vectors than the array'
