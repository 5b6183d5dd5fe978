# SPDX-License-Identifier: Apache-2.0
"""What was in the caches that people have is in the cache, bit by bit, and nothing was run."""

import hashlib
import json
import os
import sqlite3
import time
import uuid
from pathlib import Path

import diskcache
import numpy as np
import pytest
from conftest import DIMS, some_vectors
from embedcache import EmbedCache, InvalidError, importers
from embedcache.importers import Imported

SOURCE = Path(__file__).parents[2]
DATA = Path(os.environ.get("EDB_DATA", SOURCE.parent / "shared" / "data"))


def same(cache, key, vector):
    return cache.get(key).tobytes() == np.asarray(vector, np.float32).tobytes()


# --- LangChain ---


@pytest.fixture
def store(tmp_path, vectors):
    """As `CacheBackedEmbeddings` writes it, by the default encoder."""
    directory = tmp_path / "store"
    directory.mkdir()
    for i in range(10):
        digest = hashlib.sha1(f"text {i}".encode()).hexdigest()
        name = f"model{uuid.uuid5(uuid.UUID(int=1985), digest)}"
        (directory / name).write_text(json.dumps(vectors[i].tolist()))
    return directory


def test_a_local_file_store_by_its_texts(cache, store, vectors):
    texts = [f"text {i}" for i in range(8)] + ["never embedded"]
    cache.set("text 3", np.ones(DIMS))
    done = importers.from_langchain(cache, store, texts, namespace="model")
    assert done == Imported(stored=7, kept=1, missing=1)
    assert all(same(cache, f"text {i}", vectors[i]) for i in range(8) if i != 3)
    assert same(cache, "text 3", np.ones(DIMS))
    assert cache.get_or_compute(texts[:8], None).shape == (8, DIMS)
    done = importers.from_langchain(cache, store, texts, namespace="model", replace=True)
    assert done.stored == 8 and same(cache, "text 3", vectors[3])


def test_a_local_file_store_by_its_names(cache, store, vectors):
    (store / "other").write_text("no vector of this namespace")
    assert importers.from_langchain(cache, store, namespace="model") == Imported(10, 0)
    assert set(cache) == {path.name for path in store.iterdir()} - {"other"}
    with pytest.raises(InvalidError, match="other: this is no JSON"):
        importers.from_langchain(cache, store)
    with pytest.raises(FileNotFoundError, match="nothing is no directory"):
        importers.from_langchain(cache, store / "nothing")


@pytest.mark.parametrize("encoder", ["blake2b", "sha256", "sha512", str.upper])
def test_other_encoders(cache, tmp_path, vectors, encoder):
    name = "m" + getattr(hashlib, encoder)(b"a").hexdigest() if isinstance(encoder, str) else "A"
    (tmp_path / name).write_text(json.dumps(vectors[0].tolist()))
    importers.from_langchain(cache, tmp_path, ["a", "b"], namespace="m", key_encoder=encoder)
    assert list(cache) == ["a"] and same(cache, "a", vectors[0])
    with pytest.raises(InvalidError, match="md5"):
        importers.from_langchain(cache, tmp_path, ["a"], key_encoder="md5")


def test_a_real_store(path):
    """120 files that LangChain wrote hold what the same texts got from the model elsewhere."""
    if not (DATA / "langchain_cache").is_dir():
        pytest.skip(f"there is no {DATA / 'langchain_cache'}")
    known = json.loads((DATA / "langchain_cache_texts.json").read_text())
    base = np.load(DATA / "ada002" / "base.npy", mmap_mode="r")
    texts = [each["text"] for each in known]
    with EmbedCache(path, model="text-embedding-ada-002") as cache:
        done = importers.from_langchain(
            cache, DATA / "langchain_cache", texts, namespace="text-embedding-ada-002"
        )
        assert done == Imported(120, 0) and cache.dimension == 1536
        expected = base[[each["base_row"] for each in known]]
        assert cache.get_or_compute(texts, None).tobytes() == expected.tobytes()


# --- arrays ---


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", ">f4"])
@pytest.mark.parametrize("how", ["npy", "memmap", "array"])
def test_arrays_with_ids(cache, tmp_path, vectors, how, dtype):
    array = vectors.astype(dtype)
    given = array
    if how == "npy":
        given = tmp_path / "vectors.npy"
        np.save(given, array)
    elif how == "memmap":
        array.tofile(tmp_path / "raw")
        given = np.memmap(tmp_path / "raw", dtype, "r", shape=array.shape)
    ids = [f"id {i}" for i in range(50)] + list(range(50, 100))
    told = []
    assert importers.from_arrays(
        cache, given, ids, progress=lambda done, of: told.append((done, of))
    ) == Imported(100, 0)
    assert told == [(100, 100)] and [str(key) for key in ids] == list(cache)
    assert all(same(cache, str(key), array[i]) for i, key in enumerate(ids))
    assert importers.from_arrays(cache, given, ids) == Imported(0, 100)


def test_arrays_of_more_than_a_transaction(cache):
    many = some_vectors(10000)
    assert importers.from_arrays(cache, many).stored == len(cache) == 10000
    assert same(cache, "9999", many[9999])


def test_arrays_that_are_refused(cache, vectors):
    with pytest.raises(InvalidError, match="100 vectors but 3 keys"):
        importers.from_arrays(cache, vectors, ["a", "b", "c"])
    with pytest.raises(InvalidError, match=r"shape \(8,\)"):
        importers.from_arrays(cache, vectors[0])
    with pytest.raises(InvalidError, match=r"row 0: .*\(5,\)"):
        importers.from_arrays(cache, vectors[:, :5])
    vectors[7, 2] = np.nan
    with pytest.raises(InvalidError, match=r"row 7: .*element 2"):
        importers.from_arrays(cache, vectors)
    assert len(cache) == 0


# --- SQLite ---


@pytest.fixture
def database(tmp_path, vectors):
    path = tmp_path / "old.db"
    with sqlite3.connect(path) as opened:
        opened.execute('CREATE TABLE "my ""table" (text, "em bedding")')
        rows = [
            ("one", vectors[0].tobytes()),
            (b"\xfftwo", vectors[1].tobytes()),
            (3, json.dumps(vectors[2].tolist())),
        ]
        opened.executemany('INSERT INTO "my ""table" VALUES (?, ?)', rows)
        opened.execute("CREATE TABLE doubles (key TEXT PRIMARY KEY, vector BLOB) WITHOUT ROWID")
        opened.execute("INSERT INTO doubles VALUES ('d', ?)", [vectors[3].astype(">f8").tobytes()])
        opened.execute("CREATE TABLE bad (key, vector)")
        opened.execute("INSERT INTO bad VALUES ('b', x'010203')")
    return path


def test_a_table(cache, database, vectors):
    done = importers.from_sqlite(cache, database, 'my "table', key="text", vector="em bedding")
    assert done == Imported(3, 0) and list(cache) == ["one", b"\xfftwo", "3"]
    assert all(same(cache, key, vectors[i]) for i, key in enumerate(cache))
    importers.from_sqlite(cache, database, "doubles", dtype=">f8")
    assert same(cache, "d", vectors[3])


def test_tables_that_are_refused(cache, database):
    for table, columns, error in (
        ("none", {}, sqlite3.OperationalError),
        ("bad", {"key": "nokey"}, sqlite3.OperationalError),
        ("bad", {"vector": "novector"}, sqlite3.OperationalError),
        ("bad", {}, InvalidError),
    ):
        with pytest.raises(error):
            importers.from_sqlite(cache, database, table, **columns)
    with pytest.raises(InvalidError, match="bad, key 'b': 3 bytes are no numbers of float32"):
        importers.from_sqlite(cache, database, "bad")
    with pytest.raises(FileNotFoundError):
        importers.from_sqlite(cache, database.parent / "nothing.db", "bad")
    assert len(cache) == 0


# --- diskcache ---


def test_a_diskcache(cache, tmp_path, vectors):
    with diskcache.Cache(tmp_path / "disk", disk_min_file_size=100) as old:
        old["array"] = vectors[0]
        old["double"] = vectors[1].astype(np.float64)
        old["list"] = vectors[2].tolist()
        old["bytes"] = vectors[3].tobytes()
        old["json"] = json.dumps(vectors[4].tolist())
        old["many bytes in a file"] = vectors[5].tobytes() * 1
        old[7] = vectors[6]
        old.set("soon gone", vectors[7], expire=3600)
        old.set("gone", vectors[8], expire=0.01)
        time.sleep(0.05)
    assert importers.from_diskcache(cache, tmp_path / "disk") == Imported(8, 0)
    names = ["array", "double", "list", "bytes", "json", "many bytes in a file", "7", "soon gone"]
    assert all(same(cache, key, vectors[i]) for i, key in enumerate(names))
    assert abs(cache.get_record("soon gone").expiry_time - time.time() - 3600) < 60
    assert cache.get_record("array").expiry_time is None


def test_a_diskcache_of_shards(cache, tmp_path, vectors):
    with diskcache.FanoutCache(tmp_path / "fan", shards=4) as old:
        for i in range(100):
            old[f"key {i}"] = vectors[i]
    assert importers.from_diskcache(cache, tmp_path / "fan").stored == 100
    assert all(same(cache, f"key {i}", vectors[i]) for i in range(100))


class Evil:
    def __reduce__(self):
        return os.mkdir, ("made-by-a-pickle",)


def test_nothing_of_a_diskcache_is_executed(cache, tmp_path, vectors, monkeypatch):
    monkeypatch.chdir(tmp_path)
    objects = np.array([Evil()], dtype=object)
    for i, (key, value) in enumerate([("a", Evil()), ("b", objects), ((1, 2), vectors[0])]):
        with diskcache.Cache(tmp_path / f"evil {i}") as old:
            old[key] = value
        with pytest.raises(InvalidError, match="key"):
            importers.from_diskcache(cache, tmp_path / f"evil {i}")
    with diskcache.Cache(tmp_path / "outside", disk_min_file_size=1) as old:
        old["a"] = vectors[0].tobytes()
        (tmp_path / "secret").write_bytes(vectors[1].tobytes())
        old._sql("UPDATE Cache SET filename = '../secret'")
    with pytest.raises(InvalidError, match="not in the cache"):
        importers.from_diskcache(cache, tmp_path / "outside")
    assert len(cache) == 0 and not os.path.exists("made-by-a-pickle")
    with pytest.raises(FileNotFoundError, match=r"cache\.db"):
        importers.from_diskcache(cache, tmp_path / "secret")
