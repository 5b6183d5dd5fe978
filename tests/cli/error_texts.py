# SPDX-License-Identifier: Apache-2.0
"""Every sentence with which the library or the command fails is either in an expected output of a case, or listed with
the reason why the command cannot be brought to say it. One of the command may also be expected by another test, which
quotes the greater part of it.

error_texts.py SOURCE: prints what is neither, what is listed though a case shows it, and what is listed though no
sentence is so. The list, unreachable_errors.txt, has a reason in brackets and below it the sentences as they stand in
the source.
"""
import glob
import os
import re
import sys

CALL = re.compile(r"\b(fail|fail_at|os_posix_fail)\(")
REPORT = re.compile(r"\b(report_error|report_note|describe|\w*refuse\w*)\(")
RUN = re.compile(r'"(?:[^"\\]|\\.)*"(?:\s*(?:[A-Z]\w*\s*)?"(?:[^"\\]|\\.)*")*')
QUOTED = re.compile(r"'([^']{8,})'|\"([^\"]{8,})\"")
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
CONVERSION = re.compile(r"%(?:[-+ #0]*[\d.*]*(?:hh|ll|h|l|z)?[sduxXg]|%)")


def calls(pattern, text):
    """Name and arguments of each call of such a function."""
    for match in pattern.finditer(text):
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
        for name, arguments in calls(CALL, open(path).read()):
            run = re.search(r'"(?:[^"\\]|\\.)*"(?:\s*(?:PRI\w+\s*)?"(?:[^"\\]|\\.)*")*', arguments)
            if run:
                words = "".join(LITERAL.findall(run.group(0))).replace('\\"', '"')
                # These two say "cannot", what, and of which file.
                found.add(words if name == "fail" else "cannot %s %%s" % words)
    return found


def sentences_of_command(source):
    """Whatever stands in quotes in a call that reports or describes a failure, and is more than a word."""
    found = set()
    for path in sorted(glob.glob(os.path.join(source, "cli/*.c"))):
        for _, arguments in calls(REPORT, open(path).read()):
            for run in RUN.findall(arguments):
                run = re.sub(r'"\s*PRI\w+\s*"', "u", run)
                run = re.sub(r'"\s*[A-Z]\w*\s*"', "%s", run)
                words = "".join(LITERAL.findall(run)).replace('\\"', '"')
                if " " in words and len(words) > 12:
                    found.add(words)
    return found


def quoted(source):
    """All that scripts of tests have in quotes: what they expect is among it."""
    texts = set()
    for path in glob.glob(os.path.join(source, "tests/cli/*.sh")):
        texts |= {one or other for line in open(path) for one, other in QUOTED.findall(line)}
    return texts


def common(text, part):
    """The length of the longest run of characters that both have."""
    longest = 0
    for at in range(len(text)):
        while at + longest < len(text) and text[at:at + longest + 1] in part:
            longest += 1
    return longest


def is_expected(sentence, texts):
    """Whether a text is the sentence with its values, or for the greater part a piece of it."""
    parts = [part for part in re.split(CONVERSION, sentence) if len(part) >= 6]
    whole = pattern(sentence)
    return any(whole.search(text) or
               any(common(text, part) >= max(8, 0.6 * len(text)) for part in parts) for text in texts)


def pattern(sentence):
    """What the sentence looks like when its values are in it."""
    plain = re.split(CONVERSION, sentence)
    return re.compile(re.sub(r"(\.\*){2,}", ".*", ".*".join(map(re.escape, plain))) + ("" if plain[-1] else "."))


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
    excused, lines, texts = listed(source), shown(source), quoted(source)
    known, own = sentences(source), sentences_of_command(source)
    findings = []
    for sentence in sorted(known | own):
        is_shown = any(pattern(sentence).search(line) for line in lines)
        is_shown = is_shown or (sentence in own and is_expected(sentence, texts))
        if not is_shown and sentence not in excused:
            findings.append("no case shows, and no list excuses: %s" % sentence)
    findings += ["listed, but no sentence of ours: %s" % sentence for sentence in excused
                 if sentence not in known | own]
    print("\n".join(findings + ["%d sentences, %d of them out of the command's reach" % (len(known | own), len(excused))]))
    sys.exit(bool(findings))


main()
