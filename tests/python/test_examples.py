# SPDX-License-Identifier: Apache-2.0
"""Each program of examples/python does what it says, also when it is run again or was killed."""

import signal
import subprocess
import sys
from pathlib import Path

from embedcache import EmbedCache

EXAMPLES = Path(__file__).parents[2] / "examples" / "python"

# Embeds as rag_ingest.py does, and is killed in its fourth batch.
KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
import rag_ingest, toy_model
from embedcache import EmbedCache

def embed(texts):
    if len(toy_model.calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return toy_model.embed(texts)

with EmbedCache("rag.edb", toy_model.DIMENSION, toy_model.NAME, role="document") as cache:
    rag_ingest.ingest(cache, rag_ingest.pieces_of("docs"), embed)
"""


def run(directory, name, *arguments):
    done = subprocess.run(
        [sys.executable, EXAMPLES / name, *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def test_none_is_left_out():
    programs = {path.name for path in EXAMPLES.glob("*.py")}
    assert programs == {
        "quickstart.py",
        "rag_ingest.py",
        "semantic_cache.py",
        "toy_model.py",
        "training_loop.py",
    }


def test_quickstart(tmp_path):
    first, second, nearest, _ = run(tmp_path, "quickstart.py")
    assert first == "shape (4, 256), embedded: 4" and second == "shape (5, 256), embedded: 5"
    assert nearest.endswith("Whales are the largest animals.")
    assert run(tmp_path, "quickstart.py")[:2] == [
        "shape (4, 256), embedded: 0",
        "shape (5, 256), embedded: 0",
    ]


def test_rag_ingestion_goes_on_where_it_was_killed(tmp_path):
    (tmp_path / "docs").mkdir()
    pieces = [f"Piece number {i} is about subject{i}." for i in range(300)]
    for i in range(10):
        (tmp_path / "docs" / f"{i}.md").write_text("\n\n".join(pieces[30 * i : 30 * i + 31]))
    killed = subprocess.run([sys.executable, "-c", KILLED, EXAMPLES], cwd=tmp_path)
    assert killed.returncode == -signal.SIGKILL
    said = run(tmp_path, "rag_ingest.py", "rag.edb", "docs", "Piece number 77 about subject77")
    assert said[0] == "300 pieces: 192 were there, 108 embedded"
    assert "Piece number 77 is about subject77.  (2.md)" in said[1]
    (tmp_path / "docs" / "0.md").write_text("An edited piece.")
    assert run(tmp_path, "rag_ingest.py", "rag.edb", "docs") == [
        "271 pieces: 270 were there, 1 embedded"
    ]
    with EmbedCache(tmp_path / "rag.edb") as cache:
        assert len(cache) == 301 and cache.role == "document"


def test_a_training_loop_learns_the_same(tmp_path):
    for _ in range(2):
        said = run(tmp_path, "training_loop.py")
        assert [line.split(":")[0] for line in said] == ["fork", "spawn"]
        assert all("accuracy 0.99, the same weights" in line for line in said)


def test_a_semantic_cache(tmp_path):
    said = run(tmp_path, "semantic_cache.py")
    assert [line.split()[0] for line in said[1::2]] == ["asked:", "as", "as", "asked:"]
    assert all(line.split()[0] == "as" for line in run(tmp_path, "semantic_cache.py")[1::2])
