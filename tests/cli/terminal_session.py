# SPDX-License-Identifier: Apache-2.0
"""What a person sees: runs the command named in argv[1] on a pseudo-terminal and looks at what arrives there.

Called by test_terminal.sh, in an empty directory. Each function is one property; the first that does not hold ends it.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

COMMAND = sys.argv[1]
COLOUR = re.compile(r"\x1b\[[0-9;]*m")
ROWS, WIDE, NARROW = 2000, 100, 44


def set_columns(terminal, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))


class Session:
    """The command with its output on a terminal of its own, which is its controlling one."""

    def __init__(self, *arguments, stdin=None, **environment):
        self.text = ""
        whole = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        whole.update({"TERM": "xterm"}, **environment)
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            if stdin is not None:
                os.dup2(stdin, 0)
            os.execve(COMMAND, [COMMAND, *arguments], whole)
        set_columns(self.terminal, WIDE)

    def read_for(self, seconds):
        """Reads until the time is over or the command has ended."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if not select.select([self.terminal], [], [], left)[0]:
                return True
            try:
                self.text += os.read(self.terminal, 65536).decode()
            except OSError:
                return False
        return True

    def wait_for(self, pattern, seconds=20):
        """Reads until the text has the pattern."""
        until = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            assert time.monotonic() < until, "nothing like %r in %r" % (pattern, self.text[-2000:])
            if not self.read_for(0.1):
                break
        assert re.search(pattern, self.text), "nothing like %r in %r" % (pattern, self.text[-2000:])

    def end(self, seconds=30):
        until = time.monotonic() + seconds
        while self.read_for(1) and time.monotonic() < until:
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])


def screen(text):
    """The lines that are left when a terminal has obeyed the text: \\r, \\n, cursor up, erase line, erase below."""
    lines, row, column = [""], 0, 0
    for token in re.findall(r"\x1b\[\d*[A-Za-z]|\x1b\[[0-9;]*m|.|\n", COLOUR.sub("", text), re.DOTALL):
        if token == "\r":
            column = 0
        elif token == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif token == "\x1b[K":
            lines[row] = lines[row][:column]
        elif token == "\x1b[J":
            lines[row:] = [lines[row][:column]]
        elif token.startswith("\x1b["):
            assert token.endswith("A"), "an escape sequence that nobody expects: %r" % token
            row -= int(token[2:-1])
        else:
            lines[row] = lines[row][:column].ljust(column) + token + lines[row][column + 1:]
            column += 1
    return lines


def slow_array(writer, pause):
    """The rows of an array, a few at a time; `pause` is called between."""
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 4), }\n" % ROWS
    with os.fdopen(writer, "wb") as out:
        out.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
        for row in range(ROWS):
            out.write(struct.pack("<4f", row, 1, 2, 3))
            if row % 20 == 19:
                out.flush()
                pause(row)


def import_slowly(name, *options, **environment):
    """Imports with a terminal that becomes narrow half way; the text, where that was in it, and how long rows were
    drawn."""
    reader, writer = os.pipe()
    os.set_inheritable(writer, False)
    session = Session("import", name, "-", "--batch", "20", *options, stdin=reader, **environment)
    os.close(reader)
    narrow_at = began = None

    def pause(row):
        nonlocal narrow_at, began
        session.read_for(0.02)
        if began is None and "a second" in session.text:
            began = time.monotonic()
        if narrow_at is None and row > ROWS // 2:
            set_columns(session.terminal, NARROW)
            session.read_for(0.3)
            narrow_at = len(session.text)

    slow_array(writer, pause)
    ended = time.monotonic()
    assert session.end() == 0, session.text
    return session.text, narrow_at, ended - (began or ended)


def bar_is_drawn_and_wiped():
    text, narrow_at, _ = import_slowly("bar.edb")
    drawn = [line.split("\x1b[K")[0] for line in text.split("\r") if "a second" in line and "\x1b[K" in line]
    assert len(drawn) >= 5, "the bar was drawn %d times: %r" % (len(drawn), text)
    wide = [line for line in drawn if "[" in line]
    assert re.search(r"\[#+\.+\]  *\d+ %  [\d,]+ rows, [\d,]+ a second, \d+ s left", wide[len(wide) // 2]), wide
    percents = [int(re.search(r"(\d+) %", line).group(1)) for line in wide]
    assert percents == sorted(percents) and percents[-1] > percents[0], percents
    assert max(map(len, drawn)) < WIDE, "a bar wider than the terminal: %r" % max(drawn, key=len)
    narrow = [line.split("\x1b[K")[0] for line in text[narrow_at:].split("\r") if "a second" in line and "\x1b[K" in line]
    assert len(narrow) >= 3 and max(map(len, narrow)) < NARROW, "not fitted to %d columns: %r" % (NARROW, narrow)
    left = [line for line in screen(text) if line.strip()]
    assert len(left) == 1 and left[0].startswith("2,000 rows"), "left on the screen: %r" % left


def rate_is_of_this_run():
    text, _, seconds = import_slowly("late.edb", "--start", str(ROWS // 2))
    rates = [int(rate.replace(",", "")) for rate in re.findall(r"([\d,]+) a second", text)]
    own = ROWS // 2 / seconds
    assert own / 1.5 < rates[-1] < own * 1.5, "%d rows a second were told, %d were imported" % (rates[-1], own)


def quiet_and_dumb_draw_nothing():
    for name, options, environment in (("quiet.edb", ["--quiet"], {}), ("dumb.edb", [], {"TERM": "dumb"})):
        text, _, _ = import_slowly(name, *options, **environment)
        assert "\x1b" not in text and "left" not in text, text


def piped_is_plain():
    reader, writer = os.pipe()
    os.set_inheritable(writer, False)
    environment = dict(os.environ, TERM="xterm")
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen([COMMAND, "import", "piped.edb", "-", "--batch", "20"], stdin=reader, env=environment,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.close(reader)
    slow_array(writer, lambda row: time.sleep(0.005))
    out, err = process.communicate()
    assert process.returncode == 0 and err == b"", err
    assert b"\x1b" not in out and b"\r" not in out, out


def colours_are_for_terminals():
    coloured = Session("get", "bar.edb", "nowhere")
    assert coloured.end() == 1
    assert COLOUR.search(coloured.text), "no colour on a terminal: %r" % coloured.text
    plain = Session("get", "bar.edb", "nowhere", NO_COLOR="1")
    assert plain.end() == 1
    assert "\x1b" not in plain.text, "colours in spite of NO_COLOR: %r" % plain.text
    assert COLOUR.sub("", coloured.text) == plain.text


def watch_draws_in_place():
    session = Session("stats", "bar.edb", "--watch", "0.2")
    session.wait_for(r"(?s)\x1b\[\d+A\x1b\[J.*rows given +2,000 ")
    subprocess.run([COMMAND, "put", "bar.edb", "one more", "--vector", "[1, 2, 3, 4]", "-q"], check=True)
    session.wait_for(r"rows given +2,001 .*\(\+[1-9]\d* a second\)")
    os.write(session.terminal, b"\x03")
    assert session.end() == 0, "Ctrl-C is the way to end it"
    lines = screen(session.text.replace("^C", ""))
    assert sum("rows given" in line for line in lines) == 1, lines
    assert lines[0].startswith("bar.edb, every 0.2 s"), lines


for step in (bar_is_drawn_and_wiped, rate_is_of_this_run, quiet_and_dumb_draw_nothing, piped_is_plain, colours_are_for_terminals,
             watch_draws_in_place):
    signal.alarm(60)
    step()
    print("%s: ok" % step.__name__)
