# SPDX-License-Identifier: Apache-2.0
"""One object goes everywhere: to threads, to children after fork(), by pickle to any process."""

import gc
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest
from conftest import some_vectors
from embedcache import ClosedError, EmbedCache, ForkedError, MissingFileError

WORKERS = 2


def in_child(work):
    """Runs `work` in a forked child; what it returned, or "failed: ..." of what it raised."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = work()
        except BaseException as error:
            answer = f"failed: {error!r}"
        os.write(writer, pickle.dumps(answer))
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        answer = pickle.loads(pipe.read())
    os.waitpid(pid, 0)
    return answer


class Dataset:
    """As a DataLoader has it: the cache is an attribute, and goes to the workers with it."""

    def __init__(self, cache):
        self.cache = cache

    def __getitem__(self, row):
        self.cache.set(f"seen {row}", self.cache[row])
        return os.getpid(), self.cache[row].copy(), self.cache.get(f"key {row}").copy()


dataset = None


def take(given):
    global dataset
    dataset = given


def fetch(row):
    return dataset[row]


@pytest.mark.parametrize("kind", ["fork", "spawn"])
@pytest.mark.parametrize("private", [False, True])
def test_a_loader_with_workers(kind, private, path, vectors):
    with EmbedCache(None if private else path, dimension=8) as cache:
        cache.set_many([f"key {i}" for i in range(100)], vectors)
        context = multiprocessing.get_context(kind)
        with ProcessPoolExecutor(WORKERS, context, take, (Dataset(cache),)) as pool:
            fetched = list(pool.map(fetch, range(50)))
        assert os.getpid() not in {pid for pid, _, _ in fetched}
        for row, (_, by_row, by_key) in enumerate(fetched):
            assert (by_row == vectors[row]).all() and (by_key == vectors[row]).all()
            assert (cache.get(f"seen {row}") == vectors[row]).all()
        assert os.path.exists(cache.path)
    assert os.path.exists(cache.path) != private


def test_a_child_goes_on_with_everything(full, vectors):
    held, records, transaction = full.get("key 1"), full.records(), full.transaction()

    def work():
        assert (full.get("key 2") == vectors[2]).all() and (held == vectors[1]).all()
        assert "key 3" in full and len(full) == 100 and full.search(vectors[4]).keys[0] == "key 4"
        full.set("of the child", vectors[0])
        for over in (lambda: next(records), lambda: transaction.set("a", vectors[0])):
            with pytest.raises(ForkedError):
                over()
        with full.transaction() as new:
            new.set("of its transaction", vectors[0])
        full.compact()
        full.close()
        assert (held == vectors[1]).all()
        return "all is well"

    assert in_child(work) == "all is well"
    assert "of the child" in full and "of its transaction" in full
    assert len(list(records)) == 100
    transaction.set("of the parent", vectors[0])
    transaction.commit()
    assert "of the parent" in full
    assert in_child(lambda: in_child(lambda: "of the child" in full)) is True


def test_each_call_may_be_the_first_in_a_child(full, vectors):
    for call in (
        lambda: full.get("key 1") is not None,
        lambda: full.get_record("key 1") is not None,
        lambda: "key 1" in full,
        lambda: full.get_many(["key 1"])[1].all(),
        lambda: full.get_rows([1])[1].all(),
        lambda: full.get_row(1) is not None,
        lambda: next(iter(full)) == "key 0",
        lambda: len(full.vectors()) == 100,
        lambda: len(full.search(vectors[0])) == 10,
        lambda: full.stats().rows == 100,
        lambda: full.dimension == 8 and full.model == "toy",
        lambda: full.limits().max_rows is None,
        lambda: full.verify().good,
        lambda: full.sync() is None,
        lambda: full.maintain() is None,
        lambda: full.compact().rows == 100,
        lambda: full.delete("key 99"),
    ):
        assert in_child(lambda call=call: bool(call())) is True


def test_a_child_closes_what_another_thread_of_the_parent_was_using(path):
    with EmbedCache(path, dimension=256) as cache:
        cache.set_many([str(i) for i in range(8000)], some_vectors(8000, 256))
        begun = threading.Event()

        def search():
            begun.set()
            cache.search(some_vectors(500, 256, seed=3), k=1)

        searching = threading.Thread(target=search)
        searching.start()
        begun.wait()
        time.sleep(0.05)
        assert searching.is_alive()

        def close():
            signal.alarm(20)
            cache.close()
            return cache.closed

        assert in_child(close) is True
        searching.join()


def test_by_pickle_to_another_directory(path, vectors):
    os.chdir(path.parent)
    with EmbedCache("cache.edb", model="m", similarity_threshold=0.5) as cache:
        cache.set("a", vectors[0])
        os.chdir("/")
        with pickle.loads(pickle.dumps(cache)) as other:
            assert other.path == cache.path == str(path)
            assert other.model == "m" and other.similarity_threshold == 0.5
            assert (other.get("a") == vectors[0]).all()
        assert len(pickle.dumps(cache)) < 1000


def test_a_private_file_is_removed(vectors):
    cache = EmbedCache(dimension=8)
    directory = os.path.dirname(cache.path)
    pickled = pickle.dumps(cache)
    assert in_child(lambda: cache.close() or os.path.exists(directory)) is True
    cache.close()
    assert not os.path.exists(directory)
    with pytest.raises(MissingFileError):
        pickle.loads(pickled)
    dropped = EmbedCache(dimension=8)
    directory = os.path.dirname(dropped.path)
    del dropped
    gc.collect()
    assert not os.path.exists(directory)
    program = "import embedcache; c = embedcache.EmbedCache(dimension=3); print(c.path)"
    printed = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert printed.stdout and not printed.stderr
    assert not os.path.exists(os.path.dirname(printed.stdout.decode().strip()))


def test_an_exit_closes_what_nobody_has_closed(path):
    program = (
        "import ctypes, sys, embedcache\n"
        "cache = embedcache.EmbedCache(sys.argv[1], dimension=3)\n"
        "ctypes.pythonapi.Py_IncRef(ctypes.py_object(cache))\n"  # as if something held it
        "cache.set('a', [1, 2, 3])\n"
    )
    subprocess.run([sys.executable, "-c", program, path], check=True)
    with EmbedCache(path) as cache:
        stats = cache.stats()
        assert "a" in cache and stats.synced_bytes == stats.used_bytes


def test_threads(full, vectors):
    def work(number):
        random = np.random.default_rng(number)
        for _ in range(300):
            row = int(random.integers(100))
            assert (full.get(f"key {row}") == vectors[row]).all()
            full.set(f"of {number}", vectors[row])
            got, found = full.get_many([f"key {row}", f"of {number}"])
            assert found.all() and (got == vectors[row]).all()
        return number

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(work, range(4))) == [0, 1, 2, 3]


def test_the_gil_is_released_while_it_searches(path):
    """Another thread counts on while one call searches, which would keep it waiting otherwise."""
    with EmbedCache(path, dimension=256) as cache:
        cache.set_many([str(i) for i in range(8000)], some_vectors(8000, 256))
        queries = some_vectors(200, 256, seed=3)
        cache.search(queries, k=1)
        over, counted = threading.Event(), 0

        def search():
            cache.search(queries, k=1)
            over.set()

        sys.setswitchinterval(0.0005)
        searching = threading.Thread(target=search)
        searching.start()
        while not over.is_set():
            counted += 1
            time.sleep(0)
        searching.join()
        sys.setswitchinterval(0.005)
        assert counted > 100


def test_close_beside_threads(path, vectors):
    """Whoever is inside a call comes to its end; whoever comes later is told that it is closed."""
    for _ in range(20):
        cache = EmbedCache(path, dimension=8)
        cache.set_many([f"key {i}" for i in range(100)], vectors)
        begun = threading.Barrier(4)

        def work(cache=cache, begun=begun):
            begun.wait()
            while True:
                try:
                    assert len(cache.search(vectors[:5])) == 5
                    assert cache.get("key 1") is not None
                    assert len(list(cache.keys())) == 100
                except ClosedError:
                    return True

        with ThreadPoolExecutor(3) as pool:
            working = [pool.submit(work) for _ in range(3)]
            begun.wait()
            time.sleep(0.002)
            cache.close()
            assert all(future.result(60) for future in working)


def iterate_by_threads(cache, refused):
    """How many records three threads got of one iteration."""
    records = cache.records()

    def count(_):
        counted = 0
        while True:
            try:
                next(records)
                counted += 1
            except StopIteration:
                return counted
            except ValueError as error:
                refused.append(str(error))

    with ThreadPoolExecutor(3) as pool:
        return sum(pool.map(count, range(3)))


def test_an_iteration_belongs_to_one_thread_at_a_time(path):
    """Vectors are large, and checked when they are first met: so the threads do meet, by and by."""
    with EmbedCache(path, dimension=65536) as cache:
        cache.set_many([str(i) for i in range(100)], np.ones((100, 65536)))
    refused = []
    for _ in range(50):
        with EmbedCache(path) as cache:
            assert iterate_by_threads(cache, refused) == 100
        if refused:
            break
    assert "another thread" in refused[0]
