#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Plays pages of documentation: what they tell a reader to type is typed, what they say is answered has to be answered.

    play_page.py [--accept] --prefix DIRECTORY PAGE...      DIRECTORY: where EmbedCache is installed

All blocks of a page are played in order, by one shell of an ordinary user, in one new directory. By their language:

    console         "$ " begins a command, "> " goes on with it; below it stands what it prints, stdout and stderr, to
                    the letter but for VARYING. After a command that fails comes "$ echo $?".
    sh              what cannot run here (network, root, a model): bash understands it, and embedcache its options.
    c, cmake, py    a file, where the first line is a comment that begins with its name: it is there for the commands
                    behind it, which have to use it. Other C has to be a piece of one of the examples.
    text            a drawing.

No other language is known. In the text `embedcache COMMAND ...` has to be understood, too, and links have to lead
somewhere. "<!-- where: COMMAND -->" before a block: it is passed over where the command fails. The server
http://localhost:11434/v1 of a page is that of tests/cli/embedding_server.py. --accept writes the answers of now into
the page.
"""
import concurrent.futures
import difflib
import glob
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

SOURCE = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
SECONDS_MAX = 60
PAGES_AT_ONCE = 3
SERVER = "http://localhost:11434/v1"
MARK = "\x1e"
# The exit codes of all commands of a pipe; the last one is again there for "$ echo $?".
END_OF_COMMAND = "{ code=$? codes=${PIPESTATUS[*]}; printf '%s%%s%s' \"$codes\"; (exit $code); }" % (MARK, MARK)
SIGPIPE_CODE = 141
NOBODY = 65534

# What is another one each time, and what it is taken for.
VARYING = (
    (r"\b\d+(\.\d+)? (ms|s|min)\b", "TIME"),
    (r'"seconds": [0-9.e-]+', '"seconds": TIME'),
    (r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID"),
    (r"\b(pid|process) \d+\b", r"\1 NUMBER"),
)

FENCE = re.compile(r"```([a-z]*)$")
FILE_NAME = re.compile(r"(?:/\*|//|#) ?([A-Za-z][\w-]*\.[a-z]+)\b")
LANGUAGES = ("console", "sh", "c", "cmake", "py", "text")


class Wrong(Exception):
    """What a page says and is not so, with the place."""


class Block:
    def __init__(self, language, line, where):
        self.language, self.line, self.where, self.text = language, line, where, []


class Command:
    def __init__(self, line, text):
        self.line, self.text, self.expected, self.printed, self.code = line, text, [], [], None

    def __str__(self):
        return "line %d: $ %s" % (self.line + 1, self.text)


# --------------------------------------------------------------------------------------------------- reading a page

def blocks_of(lines):
    """The fenced blocks of a page; `line` is the index of the first line inside."""
    blocks, block, where = [], None, None
    for index, line in enumerate(lines):
        fence = FENCE.match(line)
        if block is None and fence:
            if fence[1] not in LANGUAGES:
                raise Wrong("line %d: a block of language '%s', which is not one of %s"
                            % (index + 1, fence[1], ", ".join(LANGUAGES)))
            block = Block(fence[1], index + 1, where)
        elif block is not None and line == "```":
            blocks.append(block)
            block = None
        elif block is not None:
            block.text.append(line)
        condition = re.match(r"<!-- where: (.*) -->$", line)
        where = condition[1] if condition else where if line == "" else None
    if block is not None:
        raise Wrong("line %d: the block has no end" % block.line)
    return blocks


def commands_of(block):
    commands = []
    for index, line in enumerate(block.text, block.line):
        if line.startswith("$ "):
            commands.append(Command(index, line[2:]))
        elif not commands:
            raise Wrong("line %d: a console block begins with '$ '" % (index + 1))
        elif line.startswith("> ") or line == ">":
            commands[-1].text += "\n" + line[2:]
        else:
            commands[-1].expected.append(line)
    return commands


def file_name_of(block):
    found = FILE_NAME.match(block.text[0]) if block.text else None
    if block.language == "cmake":
        return "CMakeLists.txt"
    return found[1] if found else None


# ------------------------------------------------------------------------------------------------ what is not played

def words_of(text):
    """The words of a piece of shell, a list for each line; a quotation may go over several."""
    line = ""
    for part in text.replace("\\\n", " ").split("\n"):
        line += part
        try:
            yield list(shlex.shlex(line, posix=True, punctuation_chars=True))
            line = ""
        except ValueError:
            line += "\n"


def check_options(text, place, values_needed=True):
    """Every embedcache in the text has a command and options that it has: it parses them, and then shows its help."""
    commands = []
    for words in words_of(text):
        commands.append([])
        for word in words:
            if re.fullmatch(r"[();<>|&]+", word):
                commands.append([])
            elif commands[-1] or not re.match(r"\w+=|(sudo|time|do|then|else|if|while|until|!)$", word):
                commands[-1].append(word)
    for command in commands:
        if command and os.path.basename(command[0]) == "embedcache" and len(command) > 1:
            found = subprocess.run(["embedcache"] + command[1:] + ["--help"], capture_output=True, text=True)
            if found.returncode != 0 and (values_needed or "needs a value" not in found.stderr):
                raise Wrong("%s: %s: %s" % (place, " ".join(command), found.stderr.strip()))


def check_shell(block):
    text = "\n".join(block.text)
    place = "line %d" % (block.line + 1)
    found = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True)
    if found.returncode != 0:
        raise Wrong("%s: bash does not understand it: %s" % (place, found.stderr.strip()))
    check_options(text, place)


def check_excerpt(block):
    wanted = "".join(line.strip() + "\n" for line in block.text)
    for path in glob.glob(os.path.join(SOURCE, "examples", "*.c")):
        with open(path, encoding="utf-8") as example:
            if wanted in "".join(line.strip() + "\n" for line in example):
                return
    raise Wrong("line %d: this C has no file name, and is in none of the examples" % (block.line + 1))


def check_text(lines, blocks):
    inside = {index for block in blocks for index in range(block.line, block.line + len(block.text))}
    text = "\n".join("" if index in inside else line for index, line in enumerate(lines))
    for found in re.finditer(r"`(embedcache [a-z]+ [^`]*)`", text):
        check_options(" ".join(found[1].split()), "line %d" % (text.count("\n", 0, found.start()) + 1), False)


def anchors_of(path):
    with open(path, encoding="utf-8") as file:
        headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", file.read(), flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def check_links(page, lines):
    for index, line in enumerate(lines):
        for path, anchor in re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", line):
            target = os.path.join(os.path.dirname(page), path) if path else page
            if not os.path.exists(target) or (anchor and anchor not in anchors_of(target)):
                raise Wrong("line %d: the link leads nowhere: %s#%s" % (index + 1, path, anchor))


def check_used(blocks, played):
    for block in blocks:
        name = file_name_of(block) if block.language in ("c", "py") else None
        if name and not any(name in command.text for command in played):
            raise Wrong("line %d: no command of the page uses %s" % (block.line + 1, name))


# --------------------------------------------------------------------------------------------------------- playing it

class Server:
    """The server of embeddings, with vectors as long as those of the model that the pages name."""

    def __init__(self, directory):
        self.process = subprocess.Popen(
            [sys.executable, os.path.join(SOURCE, "tests/cli/embedding_server.py"), os.path.join(directory, "requests")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.address = "http://127.0.0.1:%s/dims=768/v1" % self.process.stdout.readline().strip()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def run_as_reader(words, **options):
    return subprocess.run(READER + words, **options)


def script_of(blocks, played, skipped):
    """What the shell has to run: files are written, commands run, each followed by a mark and its exit code."""
    script = ["exec 2>&1 </dev/null"]
    for block in blocks:
        name = file_name_of(block)
        if block.where is not None and run_as_reader(["bash", "-c", block.where], capture_output=True).returncode != 0:
            skipped.append(block)
        elif block.language == "console":
            for command in commands_of(block):
                played.append(command)
                script += [command.text, END_OF_COMMAND]
        elif block.language == "sh":
            check_shell(block)
        elif name:
            script.append("cat >%s <<'END OF %s'\n%s\nEND OF %s" % (name, name, "\n".join(block.text), name))
        elif block.language != "text":
            check_excerpt(block)
    return "\n".join(script) + "\n"


def run_script(script, directory):
    """Runs it as a reader would see it, line by line, and ends what it left running. What was printed."""
    with tempfile.TemporaryFile() as printed:
        shell = subprocess.Popen(READER + ["stdbuf", "-oL", "bash", "-c", script], cwd=directory,
                                 stdin=subprocess.DEVNULL, stdout=printed, start_new_session=True)
        try:
            shell.wait(SECONDS_MAX)
        except subprocess.TimeoutExpired:
            pass
        try:
            os.killpg(shell.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        shell.wait()
        printed.seek(0)
        return printed.read().decode("utf-8", "backslashreplace")


def play(blocks, skipped):
    """Runs the page. Its commands, with what they printed."""
    played = []
    with tempfile.TemporaryDirectory() as home:
        directory = os.path.join(home, "page")
        os.mkdir(directory)
        if READER:
            os.chmod(home, 0o755)
            os.chown(directory, NOBODY, NOBODY)
        script = script_of(blocks, played, skipped)
        server = Server(home) if SERVER in script else None
        if "build/embedcache" in script:
            os.mkdir(os.path.join(directory, "build"))
            os.symlink(os.path.join(PREFIX, "bin/embedcache"), os.path.join(directory, "build/embedcache"))
        text = run_script(script.replace(SERVER, server.address) if server else script, directory)
        if server:
            text = text.replace(server.address, SERVER)
            server.close()
    parts = text.split(MARK)
    for command, printed, codes in zip(played, parts[0::2], parts[1::2]):
        command.printed = printed.removesuffix("\n").split("\n") if printed else []
        command.code = max(int(code) % SIGPIPE_CODE for code in codes.split())
    return played


# ----------------------------------------------------------------------------------------------------------- judging

def masked(line):
    for pattern, name in VARYING:
        line = re.sub(pattern, name, line)
    return line


def judge_codes(played):
    for number, command in enumerate(played):
        if command.code is None:
            raise Wrong("%s\nthe shell did not come to the end of it" % command)
        following = played[number + 1].text if number + 1 < len(played) else ""
        if command.code != 0 and following != "echo $?":
            raise Wrong("%s\nexit code %d, and no '$ echo $?' behind it\n%s"
                        % (command, command.code, "\n".join(command.printed)))


def judge_answers(played):
    for command in played:
        wanted, found = [masked(line) for line in command.expected], [masked(line) for line in command.printed]
        if wanted != found:
            raise Wrong("%s\n%s" % (command, "\n".join(
                difflib.unified_diff(wanted, found, "the page", "the answer", lineterm=""))))


def accept(page, lines, played):
    """Writes the answers into the page; lines that differ in what varies stay."""
    for command in reversed(played):
        first = command.line + 1 + command.text.count("\n")
        old, new = command.expected, list(command.printed)
        for index, line in enumerate(new):
            if index < len(old) and masked(old[index]) == masked(line):
                new[index] = old[index]
        lines[first:first + len(old)] = new
    with open(page, "w", encoding="utf-8") as out:
        out.write("\n".join(lines) + "\n")


def play_page(page, accepting):
    """What there is to say of the page."""
    with open(page, encoding="utf-8") as text:
        lines = text.read().removesuffix("\n").split("\n")
    blocks, skipped = blocks_of(lines), []
    check_text(lines, blocks)
    check_links(page, lines)
    played = play(blocks, skipped)
    check_used([block for block in blocks if block not in skipped], played)
    judge_codes(played)
    if accepting:
        accept(page, lines, played)
    else:
        judge_answers(played)
    said = ["line %d is passed over, for this does not hold here: %s" % (block.line + 1, block.where)
            for block in skipped]
    return said + ["%d commands" % len(played)]


def set_environment(prefix):
    global PREFIX, READER
    PREFIX = os.path.realpath(prefix)
    for name in list(os.environ):
        if re.match(r"EMBEDCACHE_|OPENAI_|DESTDIR$|.*_proxy$", name, re.IGNORECASE):
            del os.environ[name]
    library = os.path.dirname(next(os.path.join(at, "libembedcache.so") for at, _, names in os.walk(PREFIX)
                                   if "libembedcache.so" in names))
    os.environ.update(LC_ALL="C.UTF-8", NO_COLOR="1", PATH=PREFIX + "/bin:" + os.environ["PATH"],
                      LD_LIBRARY_PATH=library, PKG_CONFIG_PATH=library + "/pkgconfig", CMAKE_PREFIX_PATH=PREFIX)
    # A reader is not the superuser, who may write anywhere.
    READER = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups"]
    if os.geteuid() != 0 or not shutil.which("setpriv") or \
            run_as_reader(["embedcache", "--version"], capture_output=True).returncode != 0:
        READER = []


def main(words):
    accepting = "--accept" in words
    words = [word for word in words if word != "--accept"]
    set_environment(words[words.index("--prefix") + 1])
    del words[words.index("--prefix"):words.index("--prefix") + 2]
    with concurrent.futures.ThreadPoolExecutor(PAGES_AT_ONCE) as pool:
        plays = [pool.submit(play_page, page, accepting) for page in words]
    wrong = 0
    for page, played in zip(words, plays):
        try:
            print("\n".join("%s: %s" % (page, said) for said in played.result()))
        except Wrong as reason:
            print("%s: %s" % (page, reason))
            wrong = 1
    return wrong


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
