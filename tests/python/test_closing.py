# SPDX-License-Identifier: Apache-2.0
"""A cache is closed beside calls, iterations, transactions and signals, and nobody is let down."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from conftest import some_vectors
from embedcache import ClosedError, EmbedCache
from test_processes import in_child

THREADS = 3
SECONDS_MAX = 60


@pytest.fixture
def switching():
    """Threads switch as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def close_beside(cache, work):
    """Closes a cache while threads work until they are told; what else they or close() met."""
    wrong = []

    def until_closed():
        try:
            while True:
                work()
        except ClosedError:
            pass
        except Exception as error:
            wrong.append(repr(error))

    threads = [threading.Thread(target=until_closed) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    time.sleep(0.001)
    try:
        cache.close()
    except Exception as error:
        wrong.append(f"close: {error!r}")
    for thread in threads:
        thread.join(SECONDS_MAX)
    return wrong


def test_beside_the_first_gets_of_an_absent_space(path, switching):
    for _ in range(200):
        cache = EmbedCache(path)
        assert close_beside(cache, lambda cache=cache: cache.get("a")) == []


def test_beside_iterations_and_transactions_that_begin(path, vectors, switching):
    with EmbedCache(path, dimension=8) as cache:
        cache.set_many([str(i) for i in range(100)], vectors)
    for _ in range(100):
        cache, kept = EmbedCache(path), []

        def begin(cache=cache, kept=kept):
            kept.append(cache.records())
            next(kept[-1])
            kept.append(cache.transaction())
            kept[-1].set("b", vectors[0])

        assert close_beside(cache, begin) == []
        for held in kept:
            with pytest.raises(ClosedError):
                next(held) if hasattr(held, "__next__") else held.commit()


def test_beside_iterations_that_go_on(path, vectors, switching):
    for _ in range(50):
        cache = EmbedCache(path, dimension=8)
        cache.set_many([str(i) for i in range(100)], vectors)
        begun = [cache.records() for _ in range(20)]
        assert close_beside(cache, lambda cache=cache: list(cache)) == []
        for records in begun:
            with pytest.raises(ClosedError):
                next(records)


def test_a_handler_inside_of_a_call_may_not_close(path):
    program = (
        "import signal, sys, numpy, embedcache\n"
        "cache = embedcache.EmbedCache(sys.argv[1], dimension=256)\n"
        "cache.set_many([str(i) for i in range(5000)], numpy.ones((5000, 256)))\n"
        "signal.signal(signal.SIGALRM, lambda *_: cache.close())\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.2)\n"
        "try:\n"
        "    cache.compact(bytes_per_second=500_000)\n"
        "except embedcache.InvalidError as error:\n"
        "    print(error)\n"
        "assert len(cache) == 5000\n"
        "cache.close()\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, timeout=SECONDS_MAX, text=True
    )
    assert ran.returncode == 0, ran.stderr
    assert "signal handler" in ran.stdout


def test_control_c_while_close_waits_leaves_it_open(path):
    with EmbedCache(path, dimension=256) as cache:
        cache.set_many([str(i) for i in range(5000)], some_vectors(5000, 256))
        compacting = threading.Thread(target=cache.compact, args=(1_000_000,))
        compacting.start()
        time.sleep(0.2)

        def interrupt(*_):
            raise KeyboardInterrupt

        before = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        try:
            with pytest.raises(KeyboardInterrupt):
                cache.close()
            assert compacting.is_alive() and len(cache) == 5000
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        compacting.join(SECONDS_MAX)


def test_a_child_does_not_wait_for_threads_of_its_parent(path):
    with EmbedCache(path, dimension=256) as cache:
        cache.set_many([str(i) for i in range(5000)], some_vectors(5000, 256))
        compacting = threading.Thread(target=cache.compact, args=(2_000_000,))
        compacting.start()
        time.sleep(0.2)
        pid = os.fork()
        if pid == 0:
            signal.alarm(20)
            sys.stderr = None
            cache.close()
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        assert compacting.is_alive()
        compacting.join(SECONDS_MAX)


def test_threads_that_are_first_in_a_child_share_a_connection(full, vectors):
    def work():
        begun, transactions = threading.Barrier(THREADS), []

        def begin():
            begun.wait()
            transactions.append(full.transaction())

        threads = [threading.Thread(target=begin) for _ in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i, transaction in enumerate(transactions):
            transaction.set(f"of thread {i}", vectors[i])
            transaction.commit()
        return len(full)

    for i in range(5):
        assert in_child(work) == 100 + THREADS, f"child {i}"


def test_a_transaction_that_is_closed_with_its_cache_says_so(path, vectors):
    cache = EmbedCache(path, dimension=8)
    with pytest.raises(ClosedError, match="nothing of it is stored"), cache.transaction() as change:
        change.set("a", vectors[0])
        cache.close()
    with pytest.raises(ClosedError):
        change.commit()
    with EmbedCache(path) as cache:
        assert "a" not in cache
        with cache.transaction() as change:
            change.set("a", vectors[0])
            change.commit()
            cache.close()
        with pytest.raises(ClosedError, match="is over"):
            change.commit()
    with EmbedCache(path) as cache:
        assert "a" in cache


def test_an_exit_closes_the_others_when_one_fails(path):
    program = (
        "import sys, embedcache\n"
        "class Failing(embedcache.EmbedCache):\n"
        "    def close(self):\n"
        "        super().close()\n"
        "        raise embedcache.StorageError('the disk of ' + self.path)\n"
        "caches = [Failing(sys.argv[1] + str(i), dimension=3) for i in range(3)]\n"
    )
    ran = subprocess.run([sys.executable, "-c", program, path], capture_output=True, text=True)
    for i in range(3):
        assert f"the disk of {path}{i}" in ran.stderr


def test_a_private_file_stays_when_close_is_interrupted():
    cache = EmbedCache(dimension=256)
    cache.set_many([str(i) for i in range(3000)], some_vectors(3000, 256))
    compacting = threading.Thread(target=cache.compact, args=(1_000_000,))
    compacting.start()
    time.sleep(0.2)

    def interrupt(*_):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            cache.close()
    finally:
        signal.signal(signal.SIGALRM, before)
    assert os.path.exists(cache.path)
    compacting.join(SECONDS_MAX)
    cache.close()
    assert not os.path.exists(cache.path)
