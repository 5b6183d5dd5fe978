# SPDX-License-Identifier: Apache-2.0
"""Every sentence with which the library fails is either in an expected output of a case, or listed with the reason why
the command cannot be brought to say it.

error_texts.py SOURCE: prints what is neither, what is listed though a case shows it, and what is listed though no
sentence is so. The list, unreachable_errors.txt, has a reason in brackets and below it the sentences as they stand in
the source.
"""
import glob
import os
import re
import sys

CALL = re.compile(r"\b(fail|fail_at|os_posix_fail)\(")
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
CONVERSION = re.compile(r"%(?:[-+ #0]*[\d.]*(?:hh|ll|h|l|z)?[sduxX]|%)")


def calls(text):
    """Name and arguments of each call that records a failure."""
    for match in CALL.finditer(text):
        depth, at, quoted = 1, match.end(), False
        while depth > 0:
            if text[at] == '"' and text[at - 1] != "\\":
                quoted = not quoted
            elif not quoted:
                depth += {"(": 1, ")": -1}.get(text[at], 0)
            at += 1
        yield match.group(1), text[match.end():at - 1]


def sentences(source):
    """The format of each failure: the first run of literals behind the status."""
    found = set()
    for path in sorted(glob.glob(os.path.join(source, "src/*/**/*.c"), recursive=True)):
        if re.search(r"/os_(sim|fault)", path):
            continue
        for name, arguments in calls(open(path).read()):
            run = re.search(r'"(?:[^"\\]|\\.)*"(?:\s*(?:PRI\w+\s*)?"(?:[^"\\]|\\.)*")*', arguments)
            if run:
                words = "".join(LITERAL.findall(run.group(0))).replace('\\"', '"')
                # These two say "cannot", what, and of which file.
                found.add(words if name == "fail" else "cannot %s %%s" % words)
    return found


def pattern(sentence):
    """What the sentence looks like when its values are in it."""
    plain = re.split(CONVERSION, sentence)
    return re.compile(".*".join(re.escape(part) for part in plain) + ("" if plain[-1] else "."))


def shown(source):
    """All that the cases expect on stderr and stdout."""
    text = []
    for path in glob.glob(os.path.join(source, "tests/cli/cases/*.case")):
        text += [line for line in open(path) if line[0] not in "#$?="]
    return text


def listed(source):
    lines = open(os.path.join(source, "tests/cli/unreachable_errors.txt")).read().split("\n")
    return [line for line in lines if line and line[0] not in "#["]


def main():
    source = sys.argv[1]
    known, excused, lines = sentences(source), listed(source), shown(source)
    findings = []
    for sentence in sorted(known):
        is_shown = any(pattern(sentence).search(line) for line in lines)
        if not is_shown and sentence not in excused:
            findings.append("no case shows, and no list excuses: %s" % sentence)
    findings += ["listed, but no sentence of the library: %s" % sentence for sentence in excused if sentence not in known]
    print("\n".join(findings + ["%d sentences, %d of them out of the command's reach" % (len(known), len(excused))]))
    sys.exit(bool(findings))


main()
