# SPDX-License-Identifier: Apache-2.0
"""The programs that README.md and the guide show run, and print what stands below them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2]
PROGRAM = re.compile(r"```py\n(# (\w+\.py)\n.*?)```.*?```console\n\$ (.*?)\n(.*?)```", re.S)


def programs():
    for name in ("README.md", "docs/guide/python.md", "docs/guide/adapters.md"):
        page = SOURCE / name
        found = PROGRAM.findall(page.read_text())
        assert len(found) == page.read_text().count("```py\n") > 0
        yield from (pytest.param(*each, id=f"{page.stem} {each[1]}") for each in found)


@pytest.mark.parametrize(("program", "name", "command", "printed"), list(programs()))
def test_it_prints_what_the_page_says(program, name, command, printed, tmp_path):
    (tmp_path / name).write_text(program)
    assert command == f"python3 {name}"
    ran = subprocess.run([sys.executable, name], cwd=tmp_path, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr, ran.stdout) == (0, "", printed)
