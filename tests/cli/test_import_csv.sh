#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# CSV as RFC 4180 has it: quoted fields with commas, quotes and line ends; a vector in one column, or in all that are
# left; a line that is wrong is named.

# shellcheck source=tests/cli/testing.bash
. "$(dirname "$0")/testing.bash"

# record KEY: text, metadata and vector of a key of new.edb.
record()
{
    expect 0 get new.edb "$1" --json
    member out '(d["text"], d["metadata"], d["vector"])'
}

printf '\xef\xbb\xbfkey,text,"embedding",other,metadata\r\n' >table.csv
printf 'a,"one, ""two""\r\nthree","[1, 2.5]",x,"{""n"": 1}"\r\n' >>table.csv
printf '\r\n"b",,"3 4",y,\r\nc,é,5;6,z,' >>table.csv
expect 0 import new.edb table.csv
says '3 rows'
same 'quoted' "$(record a)" "('one, \"two\"\\r\\nthree', {'n': 1}, [1.0, 2.5])"
same 'plain, empty text' "$(record b)" "('', None, [3.0, 4.0])"
same 'no line end' "$(record c)" "('é', None, [5.0, 6.0])"
for form in '[1,2]' ' [ 1 , 2 ] ' '1,2' '1 2' '1;2' '1	2' '1, 2'; do
    printf 'key,vector\na,"%s"\n' "$form" >table.csv
    rm new.edb
    expect 0 import new.edb table.csv
    same "a vector as $form" "$(record a)" '(None, None, [1.0, 2.0])'
done

# Other names; no key; no header; other separators.
printf 'name\tbody\tv\nn\tt\t1 2\n' >table.tsv
expect 0 import new.edb table.tsv --key-field name --text-field body --vector-field v
same 'tabs' "$(record n)" "('t', None, [1.0, 2.0])"
printf 'x,y\n1,2\n3,4\n' >table.csv
expect 0 import numbers.edb table.csv
expect 0 get numbers.edb 1 --json
same 'columns' "$(member out 'd["vector"]')" '[3.0, 4.0]'
printf 'k,1,2\nl,3, 4 \n' >table.csv
expect 0 import bare.edb table.csv --no-header --key-field 1
expect 0 get bare.edb l --json
same 'no header' "$(member out 'd["vector"]')" '[3.0, 4.0]'

# A CR in a quoted field belongs to it, at the end of a line too; the one of the line end does not.
printf 'vector,key,text\n"[1,2]",a,"line\r"\n"[3,4]",b,"line\r"\r\n"[5,6]",c,line\r\n"[7,8]",d,"\r"' >table.csv
rm new.edb
expect 0 import new.edb table.csv
for key in a b; do
    same "a quoted CR of $key" "$(record $key | cut -d, -f1)" "('line\\r'"
done
same 'the CR of the line end' "$(record c | cut -d, -f1)" "('line'"
same 'a CR alone' "$(record d | cut -d, -f1)" "('\\r'"
printf 'vector,key\n"[1,2]","abc\r"\n"[1,2]",abc\n' >table.csv
rm new.edb
expect 0 import new.edb table.csv --json
same 'keys that differ by a CR' "$(member out '(d["rows"], d["duplicates"])')" '(2, 0)'

# Numbers as NumPy and others print them; metadata that is null.
printf 'key,vector,metadata\na,[1. -.5 +2.],null\nb,[0.25 .125e+1 -3.e0],\n' >table.csv
rm new.edb
expect 0 import new.edb table.csv
same 'NumPy' "$(record a)" '(None, None, [1.0, -0.5, 2.0])'
same 'exponents' "$(record b)" '(None, None, [0.25, 1.25, -3.0])'
printf 'x,y\n+1,.5\n-2., 3\n' >table.csv
rm new.edb
expect 0 import new.edb table.csv
same 'columns of such' "$(record 0; record 1)" $'(None, None, [1.0, 0.5])\n(None, None, [-2.0, 3.0])'

# refuses CODE REASON TEXT [ARGUMENT...]: the text is the table; nothing appears.
refuses()
{
    local code=$1 reason=$2 text=$3
    shift 3
    printf '%b' "$text" >bad.csv
    expect "$code" import refused.edb bad.csv "$@"
    complains "$reason"
    [ ! -e refused.edb ] || fail "a refused import created a file ($reason)"
}
refuses 3 'is empty' ''
refuses 3 'has no rows' 'key,vector\n'
refuses 3 'line 3: it has 1 fields, the first line has 2' 'key,vector\na,1 2\nb\n'
refuses 3 'line 2: it has 3 fields' 'key,vector\na,1,2\n'
refuses 3 'line 3: its vector has 1 numbers' 'key,vector\na,1 2\nb,1\n'
refuses 3 'line 2: the vector has an element 1 that is no number' 'key,vector\na,1 x\n'
refuses 3 'line 2: the vector has an element 0 that does not fit' 'key,vector\na,1e50 1\n'
refuses 3 'line 2: the vector is no list' 'key,vector\na,\n'
refuses 3 'line 2: the vector is a list that does not end' 'key,vector\na,"[1, 2"\n'
refuses 3 'line 2: a quote is opened and never closed' 'key,vector\na,"1 2\n'
refuses 3 'line 2: field 1 has a quote in it' 'key,vector\na"b,1 2\n'
refuses 3 'line 2: field 1 goes on behind' 'key,vector\n"a"b,1 2\n'
refuses 3 'line 2: column 2 is "x", no number' 'a,b\n1,x\n'
refuses 3 'line 2: column 2 is "1x", no number' 'a,b\n1,1x\n'
refuses 3 'line 2: column 1 does not fit float32' 'a,b\n1e39,1\n'
refuses 3 'line 2: no column is left' 'key,text\na,b\n'
refuses 3 'line 2: field 1 has a NUL byte' 'key,vector\na\0b,1\n'
refuses 3 'line 2: field 1 is not UTF-8' 'key,vector\n\xff,1\n'
refuses 3 'line 2: its metadata is no object' 'key,vector,metadata\na,1,[1]\n'
for number in . + - +. e1 1.e .e1 01 ++1 +-1 0x1 inf nan; do
    refuses 3 'line 2: the vector ' "key,vector\na,[$number]\n"
    refuses 3 'line 2: column 1 ' "x,y\n$number,1\n"
done
for first in '1,2,3' ' 1 ,-2.5,.5e3' 7; do
    refuses 2 'bad.csv: its first line is numbers alone: give --no-header' "$first\n1,2,3\n"
done
refuses 3 'bad.csv: columns 2 and 3 are both named "vector"' 'key,vector,vector\na,1,2\n'
refuses 3 'bad.csv: columns 1 and 3 are both named "id"' 'id,vector,id\na,1,2\n'
refuses 3 'bad.csv: columns 1 and 2 are both named "n"' 'n,n,vector\na,1,2\n' --key-field n
refuses 2 'has no column "id": it has key, vector' 'key,vector\na,1\n' --key-field id
refuses 2 'columns are 1 to 2' 'a,1\n' --no-header --key-field 3
# A quote that is never closed takes the rest of the file for one field.
python3 -c 'print("key,vector\na,1"); print("b,\"" + "1," * 13000000)' >open.csv
expect 3 import open.edb open.csv
complains 'it is longer than 25,165,824 bytes: is a quote not closed?'

