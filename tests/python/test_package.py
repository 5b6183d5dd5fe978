# SPDX-License-Identifier: Apache-2.0
"""The package as others get it: typed, documented, and clear about what it misses."""

import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import embedcache
import pytest

SOURCE = Path(__file__).parents[2]

TYPED = """
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedcache import EmbedCache, Hits, Record, Stats

with EmbedCache(Path("a.edb"), dimension=3, model="m") as cache:
    cache.set("a", [1.0, 2.0, 3.0], text="t", metadata={"year": 2020}, ttl=3.5)
    vector: NDArray[np.float32] | None = cache.get("a")
    vectors, found = cache.get_many(["a", b"b"])
    total: np.float32 = vectors[found].sum()
    record: Record | None = cache.get_record("a")
    keys: list[str | bytes] = list(cache)
    hits: Hits = cache.search(vectors[0], k=3)
    stats: Stats = cache.stats()
    with cache.transaction() as transaction:
        transaction.set(b"b", vectors[0])
    similar = cache.find_similar(vectors[0])
    if similar is not None:
        score: float = similar[1]
    matrix = np.asarray(cache.vectors()), cache.vectors().rows, cache[3], cache[[1, 2]]
"""


def run(*words, **options):
    return subprocess.run(words, capture_output=True, text=True, **options)


def test_mypy_is_content(tmp_path):
    (tmp_path / "typed.py").write_text(TYPED)
    (tmp_path / "wrong.py").write_text("import embedcache\nembedcache.EmbedCache(3).get(4)\n")
    mypy = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache")]
    checked = run(*mypy, "-p", "embedcache", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout
    checked = run(*mypy, "typed.py", cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout
    checked = run(*mypy, "wrong.py", cwd=tmp_path)
    refused = ("[arg-type]", "[call-overload]")  # the path; the key
    assert [checked.stdout.count(kind) for kind in refused] == [1, 1], checked.stdout


def test_the_stubs_are_what_the_module_has(tmp_path):
    allowed = tmp_path / "allowed"
    inside = ("Beside", "Connection", "Dependent", "Keys", "Watch")
    names = (*inside, "__reduce_cython__", "__setstate_cython__", "__test__")
    allowed.write_text("".join(f"embedcache\\._native\\.{name}\n" for name in names))
    checked = run(
        sys.executable, "-m", "mypy.stubtest", "embedcache._native",
        "--allowlist", str(allowed), "--ignore-disjoint-bases", cwd=tmp_path,
    )  # fmt: skip
    assert checked.returncode == 0, checked.stdout


def public_things():
    for name in embedcache.__all__:
        thing = getattr(embedcache, name)
        if inspect.isclass(thing):
            yield name, thing
            for inner, member in vars(thing).items():
                if not inner.startswith("_") and (callable(member) or isinstance(member, property)):
                    yield f"{name}.{inner}", member
    for inner, member in vars(embedcache.EmbedCache.__base__).items():
        if not inner.startswith("_"):
            yield f"EmbedCache.{inner}", member


def test_everything_public_is_documented():
    for name, thing in public_things():
        assert inspect.getdoc(thing), f"{name} has no docstring"
        if inspect.isroutine(thing):
            for parameter in list(inspect.signature(thing).parameters)[1:]:
                assert parameter in inspect.getdoc(thing), (
                    f"{name} does not say what {parameter} is"
                )


def test_the_command_is_run_or_the_way_to_it_told(tmp_path):
    program = tmp_path / "embedcache"
    program.write_text('#!/bin/sh\necho "I got $*"\nexit 3\n')
    program.chmod(0o755)
    path = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    ran = run(sys.executable, "-m", "embedcache", "stats", "a b", env=path)
    assert (ran.stdout, ran.returncode) == ("I got stats a b\n", 3)
    ran = run(sys.executable, "-m", "embedcache", "stats", env={**os.environ, "PATH": "/nowhere"})
    assert ran.returncode == 1 and "make install" in ran.stderr and ran.stderr.count("\n") == 1


def test_nothing_is_pickled_into_files():
    for module in (Path(embedcache.__file__).parent).rglob("*.py"):
        # importers.py reads those of diskcache, by an unpickler that makes arrays only.
        allowed = r"(?!\.Unpickl)" if module.name == "importers.py" else ""
        forbidden = rf"\b(pickle|marshal|shelve|eval|exec)\b{allowed}\s*[.(]"
        assert not re.search(forbidden, module.read_text())


@pytest.mark.skipif(not (SOURCE / "pyproject.toml").exists(), reason="not in a checkout")
def test_without_the_libraries_it_stops_with_one_sentence(tmp_path):
    nothing = {**os.environ, "PKG_CONFIG_LIBDIR": str(tmp_path), "PKG_CONFIG_PATH": str(tmp_path)}
    configured = run(
        "cmake", "-S", str(SOURCE), "-B", str(tmp_path / "build"), "-DEDB_PYTHON=ON",
        "-DEDB_COMMAND=OFF", "-DEDB_TESTS=OFF", f"-DPython_EXECUTABLE={sys.executable}",
        env=nothing,
    )  # fmt: skip
    said = " ".join(configured.stderr.split())
    assert configured.returncode != 0
    assert "libxxhash, jansson, libsodium" in said
    assert "libxxhash-dev libjansson-dev libsodium-dev" in said and "tools/setup" in said


def test_the_terms_of_the_libraries_come_along():
    doc = Path("/usr/share/doc")
    there = [doc / name / "copyright" for name in ("libjansson-dev", "libsodium-dev")]
    if not all(path.exists() for path in there):
        pytest.skip("this system does not say its terms where Debian does")
    for path in there:
        carried = Path(embedcache.__file__).parent / "licenses" / f"{path.parent.name}.txt"
        assert carried.read_text() == path.read_text()


def test_the_version_is_that_of_the_library():
    header = (SOURCE / "include/embedcache.h").read_text()
    numbers = re.findall(r"#define EDB_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", header)
    assert embedcache.__version__ == ".".join(numbers)
