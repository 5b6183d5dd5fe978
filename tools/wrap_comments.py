#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Wraps block comments that are too wide, keeping what clang-format would destroy: entries with a hanging indent
("EDB_FULL   the device is full"), list items, drawings, and the comments at the end of a line.

usage: wrap_comments.py FILE...     `make format` calls it; paragraphs that fit are left alone.
"""
import re
import sys
import textwrap

import c_source
from check_sizes import column_limit

_RULER = re.compile(r"/\*\s*-{10,} (\S.*?)\s*\*/$")
_ITEM = re.compile(r" *(?:[-*] |\d+\. |\S+(?: \S+){0,5}  +)(?=\S)")
_DRAWING = re.compile(r"[|]|\+-|--|<-|->|\S {3,}\S")
# The end of a comment, glued to its last word so that wrapping keeps the two together.
_END = "\N{NO-BREAK SPACE}*/"


def paragraphs(lines):
    """Groups content lines: each group is (indent of its further lines or None for verbatim, its lines)."""
    groups = []
    for line in lines:
        item = _ITEM.match(line)
        indent = len(line) - len(line.lstrip())
        hanging, previous = groups[-1] if groups else (None, [""])
        drawing = _DRAWING.search(line[item.end():] if item else line)
        if not line.strip() or (drawing and (indent or item)):
            groups.append((None, [line]))
        elif item:
            groups.append((item.end(), [line]))
        elif hanging and re.match(r"\S{%d} \S" % (hanging - 1), line):
            groups.append((hanging, [line]))  # a term that fills its column to the last letter
        elif hanging == indent or (hanging and indent == 0 and not previous[-1].endswith(".")):
            previous.append(line)
        else:
            groups.append((indent, [line]))
    return groups


def wrap(lines, width):
    """Content lines, wrapped where a paragraph is wider than `width`."""
    wrapped = []
    for indent, group in paragraphs(lines):
        if indent is None or max(map(len, group)) <= width:
            wrapped += group
            continue
        text = " ".join([group[0][indent:]] + [line.strip(" ") for line in group[1:]])
        wrapped += textwrap.wrap(text, width, initial_indent=group[0][:indent], subsequent_indent=" " * indent,
                                 break_long_words=False, break_on_hyphens=False)
    return wrapped


def content_of(comment):
    """The lines of a comment without its frame of /* and *; the end is kept, glued to the last word."""
    lines = comment[2:].split("\n")
    lines = [lines[0].strip()] + [re.sub(r"^\s*\*(?!/) ?|^\s+(?=[^ *])", "", line).rstrip() for line in lines[1:]]
    lines[-1] = re.sub(r"\s*\*/$", _END, lines[-1])
    return lines


def wrap_own_lines(comment, indent, columns):
    """A comment that has its lines for itself."""
    ruler = _RULER.match(comment)
    if ruler:
        return "/* %s %s */" % ("-" * (columns - indent - len("/*   */") - len(ruler.group(1))), ruler.group(1))
    body = wrap(content_of(comment), columns - indent - len(" * "))
    margin = "\n" + " " * indent + " *"
    text = "/*" + margin.join(" " + line if line and line != _END else line for line in body)
    return text.replace(margin + _END, margin + "/").replace(_END, " */")


def wrap_trailing(comment, column, columns):
    """A comment behind code: its further lines stand under its first word."""
    text = " ".join(line.strip(" ") for line in content_of(comment))
    lines = textwrap.wrap(text, columns - column - len("/* "), break_long_words=False, break_on_hyphens=False)
    return ("/* " + ("\n" + " " * (column + 3)).join(lines)).replace(_END, " */")


def wrap_file(text, columns):
    def replace(match):
        comment = match.group()
        start = text.rfind("\n", 0, match.start()) + 1
        end = text.find("\n", match.end())
        too_wide = max(map(len, text[start:end].split("\n"))) > columns
        column = match.start() - start
        if not comment.startswith("/*"):
            return comment
        if text[start:match.start()].strip() == "":
            return wrap_own_lines(comment, column, columns) if too_wide else comment
        trailing = text[match.end():end].strip() == "" and column < columns - 30
        return wrap_trailing(comment, column, columns) if trailing and (too_wide or "\n" in comment) else comment
    return c_source.TOKENS.sub(replace, text)


def words_of(text):
    """What must be the same before and after: the text without its frame and its line breaks."""
    return re.sub(r"[\s*-]+", "", text)


def main():
    columns = column_limit(c_source.ROOT)
    for path in sys.argv[1:]:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        wrapped = wrap_file(text, columns)
        assert words_of(wrapped) == words_of(text), "%s would lose words: left as it was" % path
        if wrapped != text:
            with open(path, "w", encoding="utf-8") as file:
                file.write(wrapped)


if __name__ == "__main__":
    main()
