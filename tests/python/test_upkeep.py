# SPDX-License-Identifier: Apache-2.0
"""Opening, closing, limits, figures, compaction, damage: what goes on around the records."""

import os
import signal
import threading

import embedcache
import pytest
from conftest import some_vectors
from embedcache import (
    ClosedError,
    CorruptError,
    EmbedCache,
    FormatError,
    InvalidError,
    Limits,
    MissingFileError,
    NotFoundError,
    ReadOnlyError,
)


def test_reopened_it_is_the_same(full, path, vectors):
    full.close()
    with EmbedCache(path) as cache:
        assert cache.model == "toy" and cache.dimension == 8 and len(cache) == 100
        assert (cache.get("key 42") == vectors[42]).all()
        assert (cache.get_many([f"key {i}" for i in range(100)])[0] == vectors).all()


def test_repr(path):
    with EmbedCache(path, dimension=8, model="toy") as cache:
        assert repr(cache) == f"EmbedCache({str(path)!r}, dimension=8, model='toy', rows=0)"
    assert repr(cache) == f"EmbedCache({str(path)!r}, closed)"
    with EmbedCache(path, space="b") as cache:
        assert repr(cache) == f"EmbedCache({str(path)!r}, dimension=None, space='b', rows=0)"


def test_a_closed_cache_says_so(full, vectors):
    records, transaction = full.records(), full.transaction()
    next(records)
    transaction.set("a", vectors[0])
    full.close()
    full.close()
    assert full.closed
    for call in (
        lambda: full.get("a"),
        lambda: full.get_many(["a"]),
        lambda: "a" in full,
        lambda: len(full),
        lambda: full.set("a", vectors[0]),
        lambda: full.search(vectors[0]),
        lambda: full.stats(),
        lambda: full.sync(),
        lambda: next(records),
        lambda: transaction.commit(),
    ):
        with pytest.raises(ClosedError, match="again|another"):
            call()


def test_read_only(full, path, vectors):
    with EmbedCache(path, read_only=True) as reader:
        assert (reader.get("key 1") == vectors[1]).all()
        full.set("new", vectors[0])
        assert "new" in reader
        for write in (lambda: reader.set("a", vectors[0]), lambda: reader.delete("key 1")):
            with pytest.raises(ReadOnlyError):
                write()
    with EmbedCache(path, read_only=True, space="absent") as reader:
        assert reader.get("a") is None and len(reader) == 0
        with pytest.raises(ReadOnlyError):
            reader.set("a", vectors[0])


def test_a_snapshot_stands_still(full, path, vectors):
    with EmbedCache(path, snapshot=True) as snapshot:
        full.set("new", vectors[0])
        full.delete("key 1")
        full.compact()
        assert "new" not in snapshot and "key 1" in snapshot


def test_files_that_cannot_be_opened(tmp_path):
    with pytest.raises(MissingFileError, match=r"no\.edb"):
        EmbedCache(tmp_path / "no.edb", read_only=True)
    with pytest.raises(FileNotFoundError):
        EmbedCache(tmp_path / "no" / "such.edb")
    (tmp_path / "other").write_bytes(b"hello" * 10000)
    with pytest.raises(FormatError, match="other"):
        EmbedCache(tmp_path / "other")
    for name, wrong in [("metric", "cos"), ("role", "doc"), ("durability", "no")]:
        with pytest.raises(InvalidError, match=f"{name} is '{wrong}'"):
            EmbedCache(tmp_path / "a.edb", 3, **{name: wrong})
    for wrong in (-1, 65537):
        with pytest.raises(InvalidError, match="dimension"):
            EmbedCache(tmp_path / "a.edb", wrong)
    assert not (tmp_path / "a.edb").exists()
    with pytest.raises(InvalidError, match="255"):
        EmbedCache(tmp_path / "a.edb", 3, space="x" * 256)


def test_damage_is_an_error_and_never_a_wrong_answer(full, path, vectors):
    place = path.read_bytes().find(vectors[5].tobytes())
    full.close()
    with open(path, "r+b") as file:
        file.seek(place)
        file.write(b"\xff")
    with EmbedCache(path) as cache:
        with pytest.raises(CorruptError):
            cache.get("key 5")
        with pytest.raises(CorruptError):
            cache.get_many(["key 4", "key 5"])
        assert (cache.get("key 6") == vectors[6]).all()
        report = cache.verify()
        assert not report.good and report.findings[0].message
        records, good = cache.records(), []
        while True:
            try:
                good.append(next(records).key)
            except StopIteration:
                break
            except CorruptError:
                continue
        assert len(good) == 99 and "key 5" not in good


def test_limits(cache, vectors):
    assert cache.limits() == Limits() == cache.limits(whole_file=True)
    limits = Limits(max_rows=50, ttl=1000, eviction="fifo")
    cache.set_limits(limits)
    assert cache.limits() == limits and cache.limits(whole_file=True) == Limits()
    cache.set_many([f"key {i}" for i in range(100)], vectors)
    assert len(cache) <= 50 and cache.stats().evictions >= 50
    assert "key 0" not in cache and "key 99" in cache
    record = cache.get_record("key 99")
    assert record.expiry_time - record.put_time == 1000
    of_file = Limits(max_bytes=10**9, dead_percent=50)
    cache.set_limits(of_file, whole_file=True)
    assert cache.limits(whole_file=True) == of_file
    cache.maintain()
    with pytest.raises(InvalidError, match="eviction is 'mru'"):
        cache.set_limits(Limits(eviction="mru"))
    with pytest.raises(InvalidError):
        cache.set_limits(Limits(eviction="lru", cost_aware=True))
    with EmbedCache() as empty, pytest.raises(NotFoundError, match="say its dimension"):
        empty.set_limits(limits)


def test_stats(full, vectors):
    assert full.stats().hit_rate == 0
    for key in ("key 1", "key 2", "key 3", "absent"):
        full.get(key)
    full.set("key 1", vectors[1])
    stats = full.stats()
    assert stats.rows == 100 and stats.rows_given == 101
    assert stats.hits == 3 and stats.misses == 1 and stats.hit_rate == 0.75
    assert stats.hit_bytes == 3 * 8 * 4
    assert stats.file_bytes == os.path.getsize(full.path) >= stats.used_bytes > stats.row_bytes


def test_sync_and_durability(path, vectors):
    with EmbedCache(path, dimension=8) as cache:
        cache.set("a", vectors[0])
        assert cache.stats().synced_bytes < cache.stats().used_bytes
        cache.sync()
        assert cache.stats().synced_bytes == cache.stats().used_bytes
    with EmbedCache(path, durability="durable") as cache:
        cache.set("b", vectors[0])
        assert cache.stats().synced_bytes == cache.stats().used_bytes


def test_compact_gives_room_back(path):
    with EmbedCache(path, dimension=256) as cache:
        cache.set_many([str(i) for i in range(4000)], some_vectors(4000, 256))
        with cache.transaction() as transaction:
            for i in range(3900):
                transaction.delete(str(i))
        report = cache.compact()
        assert report.rows == 100 and report.bytes_after < report.bytes_before / 10
        assert os.path.getsize(path) == report.bytes_after
        assert list(cache.keys()) == [str(i) for i in range(3900, 4000)] and cache[3900].any()


def test_a_signal_stops_a_compaction(path):
    class Stop(Exception):
        pass

    def stop(*_):
        raise Stop

    before = signal.signal(signal.SIGUSR1, stop)
    try:
        with EmbedCache(path, dimension=256) as cache:
            cache.set_many([str(i) for i in range(2000)], some_vectors(2000, 256))
            timer = threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGUSR1))
            file = os.stat(path).st_ino
            timer.start()
            with pytest.raises(Stop):
                cache.compact(bytes_per_second=100_000)  # would take 20 seconds
            timer.join()
            assert os.stat(path).st_ino == file
            assert len(cache) == 2000 and cache.verify().good
            assert cache.compact().rows == 2000
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_version():
    assert embedcache.__version__.count(".") == 2
