# SPDX-License-Identifier: Apache-2.0
"""Reads C sources for the style checks: lists files, blanks comments and strings, finds functions.

It relies on the layout that clang-format holds: the brace that opens a function stands alone in column 0.
"""
import os
import re
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
C_FOLDERS = ("include", "src", "cli", "tests", "bench", "examples", "fuzz")

TOKENS = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def list_files(root, folders, suffixes):
    """Paths relative to `root`, sorted, of the files below `folders` that end in one of `suffixes`."""
    found = []
    for folder in folders:
        for directory, _, names in os.walk(os.path.join(root, folder)):
            found += [os.path.relpath(os.path.join(directory, name), root) for name in names
                      if name.endswith(suffixes)]
    return sorted(found)


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()


def blank(text, strings=True):
    """The text with comments (and literals) turned into spaces: every position keeps its line and column."""
    def spaces(match):
        token = match.group()
        if token[0] != "/" and not strings:
            return token
        return re.sub(r"[^\n]", " ", token)
    return TOKENS.sub(spaces, text)


def line_of(text, position):
    return text.count("\n", 0, position) + 1


class Function:
    """A function definition: its name, its first and last line, how many parameters it takes."""

    def __init__(self, declaration, first, last):
        head = declaration[:_parameter_list_start(declaration)]
        self.name = (re.findall(r"\w+", head) or ["?"])[-1]
        self.parameters = _count_parameters(declaration[len(head):])
        self.first, self.last = first, last

    @property
    def lines(self):
        return self.last - self.first + 1


def _parameter_list_start(declaration):
    """Where the last parenthesis of the outermost level opens."""
    depth, start = 0, 0
    for position, letter in enumerate(declaration):
        if letter == "(":
            start = position if depth == 0 else start
            depth += 1
        elif letter == ")":
            depth -= 1
    return start


def _count_parameters(parenthesised):
    inner = parenthesised.strip()[1:-1].strip()
    if inner in ("", "void"):
        return 0
    depth, count = 0, 1
    for letter in inner:
        depth += letter in "([{"
        depth -= letter in ")]}"
        count += letter == "," and depth == 0
    return count


def functions(text):
    """All function definitions of a C file."""
    lines = blank(text).split("\n")
    found, opened = [], None
    for number, line in enumerate(lines, 1):
        if line.rstrip() == "{" and opened is None:
            opened = number
        elif line.startswith("}") and opened is not None:
            first = _declaration_start(lines, opened)
            found.append(Function(" ".join(lines[first - 1:opened - 1]), first, number))
            opened = None
    return found


def _declaration_start(lines, brace):
    """The first line of the declaration whose body opens at line `brace` (both counted from 1)."""
    first = brace
    while first > 1:
        above = lines[first - 2].strip()
        if above == "" or above.endswith((";", "}", ":")) or above.startswith("#"):
            break
        first -= 1
    return first


class Tree:
    """A small source tree in a temporary folder: what the self-tests of the checks look at."""

    def __init__(self, files):
        self._directory = tempfile.TemporaryDirectory()
        self.root = self._directory.name
        for path, text in files.items():
            full = os.path.join(self.root, path)
            os.makedirs(os.path.dirname(full), exist_ok=True)
            with open(full, "w", encoding="utf-8") as file:
                file.write(text)

    def __enter__(self):
        return self.root

    def __exit__(self, *unused):
        self._directory.cleanup()


def self_test(name, good, bad, check):
    """Shows that `check(root)` is content with the tree `good` and finds each rule of `bad`.

    bad: list of (files that are laid over `good`, words that one finding must contain). Exits when it is not so.
    """
    with Tree(good) as root:
        findings = check(root)
        if findings:
            raise SystemExit("%s: self-test: a finding in a good tree: %s" % (name, findings[0]))
    for files, words in bad:
        with Tree({**good, **files}) as root:
            findings = check(root)
            if not any(words in finding for finding in findings):
                raise SystemExit("%s: self-test: nothing found where '%s' was expected" % (name, words))


def run(name, arguments, check, prove):
    """The main program of a check: --self-test proves it, otherwise the project is checked. Returns the exit status."""
    if "--self-test" in arguments:
        prove()
        return 0
    findings = check(ROOT)
    for finding in findings:
        print(finding)
    if findings:
        print("%s: %d finding%s" % (name, len(findings), "s" if len(findings) > 1 else ""))
    return 1 if findings else 0
