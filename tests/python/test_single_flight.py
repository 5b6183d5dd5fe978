# SPDX-License-Identifier: Apache-2.0
"""Of all threads, tasks and processes that miss a text one embeds it, whoever dies or fails."""

import asyncio
import multiprocessing
import os
import random
import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pytest
from embedcache import EmbedCache, Limits, compute

DIMS = 8
SEED = int(os.environ.get("EDB_SEED", "0")) or random.SystemRandom().randrange(1, 2**31)
SOON_S = 20  # what a wait that should end may take on a machine that is busy

PROCESSES, THREADS, KILLED = 8, 4, 3
TEXTS, LISTS, ASKED, BATCH = 600, 3, 120, 8


def vector_of(text):
    return np.full(DIMS, float(text), np.float32)


def embed(texts):
    return np.array([vector_of(text) for text in texts])


def right(texts, vectors):
    return (vectors == embed(texts)).all()


class Log:
    """Who embedded what, over all processes: a line is one write at the end of a file."""

    def __init__(self, path):
        self.path = path

    def embedder(self, takes_s=0.0):
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

        def embed_and_tell(texts):
            os.write(descriptor, "".join(f"{text} {os.getpid()}\n" for text in texts).encode())
            time.sleep(takes_s)
            return embed(texts)

        return embed_and_tell

    def read(self):
        if not os.path.exists(self.path):
            return []
        with open(self.path) as lines:
            return [(text, int(pid)) for text, pid in map(str.split, lines)]


def work(path, log, seed, begin):
    """A process of several threads that want overlapping lists."""
    with EmbedCache(path, DIMS) as cache, ThreadPoolExecutor(THREADS) as pool:

        def ask(number):
            chance = random.Random(seed * THREADS + number)
            embedder = log.embedder(0.005)
            for _ in range(LISTS):
                texts = [str(chance.randrange(TEXTS)) for _ in range(ASKED)]
                assert right(texts, cache.get_or_compute(texts, embedder, batch_size=BATCH))

        begin.wait()
        list(pool.map(ask, range(THREADS)))


def test_a_crowd_with_kills(path, tmp_path):
    """Each text is embedded once; again only where who did was killed before it was stored."""
    print(f"EDB_SEED={SEED}")
    chance = random.Random(SEED)
    log = Log(tmp_path / "log")
    context = multiprocessing.get_context("fork")
    begin = context.Barrier(PROCESSES + 1)
    with EmbedCache(path, DIMS):
        pass
    crowd = [
        context.Process(target=work, args=(path, log, SEED + i, begin)) for i in range(PROCESSES)
    ]
    for process in crowd:
        process.start()
    begin.wait()
    killed = set()
    for process, lines in zip(
        crowd, sorted(chance.sample(range(TEXTS // 2), KILLED)), strict=False
    ):
        while len(log.read()) <= lines:
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
        killed.add(process.pid)
    for process in crowd:
        process.join(60)
        assert process.exitcode == (-signal.SIGKILL if process.pid in killed else 0)
    embedded = log.read()
    of_living = Counter(text for text, pid in embedded if pid not in killed)
    assert max(of_living.values()) == 1
    last = dict(embedded)
    assert not any(last[text] in killed for text in of_living)
    with EmbedCache(path) as cache:
        texts = [str(i) for i in range(TEXTS) if str(i) in cache]
        assert right(texts, cache.get_many(texts)[0]) and len(cache) == len(texts)
    # What the killed have taken with them, and somebody took over, or nobody wanted any more.
    taken_over = len(embedded) - len(texts)
    print(f"{len(embedded)} embedded, {len(texts)} stored, {taken_over} lost with the killed")
    assert 0 <= taken_over <= KILLED * THREADS * BATCH


def test_each_wants_what_the_other_has(path):
    """Own texts come before those of others: in circles, nobody waits for ever."""
    texts = [str(i) for i in range(12)]
    counted = Counter()
    begin = threading.Barrier(4)

    def slow(batch):
        counted.update(batch)
        time.sleep(0.01)
        return embed(batch)

    def ask(turn):
        asked = texts[turn * 3 :] + texts[: turn * 3]
        with EmbedCache(path, DIMS) as cache:
            begin.wait()
            assert right(asked, cache.get_or_compute(asked, slow, batch_size=1))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(4)))
    assert counted == Counter(texts)


class Stuck:
    """An embedder that has begun, and goes on when it is told to."""

    def __init__(self, fault=None):
        self.begun, self.goes_on, self.fault = threading.Event(), threading.Event(), fault
        self.batches = []

    def __call__(self, texts):
        self.batches.append(texts)
        self.begun.set()
        assert self.goes_on.wait(SOON_S)
        if self.fault:
            raise self.fault
        return embed(texts)


def test_when_it_fails_one_of_those_who_wait_takes_over(cache):
    failing, counted = Stuck(ConnectionError("away")), Counter()

    def counting(batch):
        counted.update(batch)
        return embed(batch)

    with ThreadPoolExecutor(4) as pool:
        failed = pool.submit(cache.get_or_compute, ["1", "2"], failing)
        assert failing.begun.wait(SOON_S)
        waiting = [pool.submit(cache.get_or_compute, ["2", "3", "1"], counting) for _ in range(3)]
        while counted["3"] == 0:
            time.sleep(0.01)
        assert counted == Counter(["3"]) and not any(future.done() for future in waiting)
        failing.goes_on.set()
        assert all(right(["2", "3", "1"], future.result(SOON_S)) for future in waiting)
        with pytest.raises(ConnectionError):
            failed.result()
    assert counted == Counter(["1", "2", "3"])


def test_when_it_is_killed_one_of_those_who_wait_takes_over(cache, path):
    reader, writer = os.pipe()

    def never(texts):
        os.write(writer, b"!")
        time.sleep(1000)

    def hold():
        with EmbedCache(path) as own:
            own.get_or_compute(["1", "2"], never)

    holder = multiprocessing.get_context("fork").Process(target=hold)
    holder.start()
    assert os.read(reader, 1) == b"!"
    threading.Timer(0.2, holder.kill).start()
    batches = []
    began = time.monotonic()
    vectors = cache.get_or_compute(
        ["2", "3", "1"], lambda texts: batches.append(texts) or embed(texts)
    )
    assert 0.1 < time.monotonic() - began < SOON_S
    assert right(["2", "3", "1"], vectors) and [sorted(batch) for batch in batches] == [
        ["3"],
        ["1", "2"],
    ]
    holder.join()


def test_the_wait_is_bounded(cache):
    stuck = Stuck()
    with ThreadPoolExecutor(1) as pool:
        owner = pool.submit(cache.get_or_compute, ["1", "2"], stuck)
        assert stuck.begun.wait(SOON_S)
        for wait, texts in ((0, ["1"]), (0.3, ["2", "1"])):
            began = time.monotonic()
            assert right(texts, cache.get_or_compute(texts, embed, wait=wait))
            assert wait <= time.monotonic() - began < SOON_S
        stuck.goes_on.set()
        assert right(["1", "2"], owner.result(SOON_S))
    assert stuck.batches == [["1", "2"]]


def test_closed_while_it_waits(path):
    cache = EmbedCache(path, DIMS)
    stuck = Stuck()
    with ThreadPoolExecutor(2) as pool:
        owner = pool.submit(cache.get_or_compute, ["1"], stuck)
        assert stuck.begun.wait(SOON_S)
        waiting = pool.submit(cache.get_or_compute, ["1"], embed)
        time.sleep(0.1)
        cache.close()
        stuck.goes_on.set()
        for future in (owner, waiting):
            with pytest.raises(ValueError, match="closed"):
                future.result(SOON_S)


# --- tasks ---


def test_tasks_never_block_the_loop_nor_each_other(cache):
    """One thread is all the loop has, and it is enough: who waits takes none."""
    counted, gaps = Counter(), []

    async def slow(texts):
        counted.update(texts)
        await asyncio.sleep(0.02)
        return embed(texts)

    async def ask(number):
        texts = [str((number * 7 + i) % 100) for i in range(30)]
        assert right(texts, await cache.aget_or_compute(texts, slow, batch_size=7))

    async def beat():
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            gaps.append(time.monotonic() - before)

    async def all_of_them():
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
        beating = asyncio.create_task(beat())
        await asyncio.wait_for(asyncio.gather(*map(ask, range(50))), SOON_S)
        beating.cancel()

    asyncio.run(all_of_them())
    assert counted == Counter(map(str, range(100)))
    assert sorted(gaps)[len(gaps) // 2] < 0.05


def test_a_cancelled_task_gives_back(cache):
    async def never(texts):
        await asyncio.sleep(1000)

    async def cancel():
        owner = asyncio.create_task(cache.aget_or_compute(["1", "2"], never))
        while cache_is_free(cache, "1"):
            await asyncio.sleep(0.01)
        waiting = asyncio.create_task(cache.aget_or_compute(["2", "1"], embed))
        given_up = asyncio.create_task(cache.aget_or_compute(["2", "1"], embed))
        await asyncio.sleep(0.1)
        given_up.cancel()
        owner.cancel()
        for task in (given_up, owner):
            with pytest.raises(asyncio.CancelledError):
                await task
        assert right(["2", "1"], await asyncio.wait_for(waiting, SOON_S))

    asyncio.run(cancel())


@pytest.mark.parametrize("end", ["stored", "failed", "cancelled", "stored by a thread"])
def test_tasks_hear_at_once_of_what_their_own_process_does(cache, monkeypatch, end):
    monkeypatch.setattr(compute, "PAUSE_FIRST_S", 1000)

    async def slow(texts):
        await asyncio.sleep(0.1)
        if end == "failed":
            raise ConnectionError("away")
        return embed(texts)

    def blocking(texts):
        time.sleep(0.1)
        vectors = embed(texts)
        texts.clear()  # what it does to its list is its own affair
        return vectors

    async def wait():
        if end == "stored by a thread":
            owner = asyncio.create_task(asyncio.to_thread(cache.get_or_compute, ["1"], blocking))
        else:
            owner = asyncio.create_task(cache.aget_or_compute(["1"], slow))
        while cache_is_free(cache, "1"):
            await asyncio.sleep(0.001)
        waiting = [asyncio.create_task(cache.aget_or_compute(["1"], embed)) for _ in range(3)]
        await asyncio.sleep(0.05)
        if end == "cancelled":
            owner.cancel()
        for task in waiting:
            assert right(["1"], await asyncio.wait_for(task, SOON_S))
        await asyncio.wait([owner])

    asyncio.run(wait())
    assert compute._waiting.count == 0 and not compute._waiting._told


def test_beside_evictions_and_compactions(cache, path):
    """What is evicted before it was read is embedded again, and each answer is right."""
    cache.set_limits(Limits(max_rows=5))
    over = threading.Event()

    def compact():
        with EmbedCache(path) as other:
            while not over.is_set():
                other.compact()

    def ask(number):
        chance = random.Random(SEED + number)
        for _ in range(20):
            texts = [str(chance.randrange(30)) for _ in range(20)]
            assert right(texts, cache.get_or_compute(texts, embed, batch_size=4))

    with ThreadPoolExecutor(5) as pool:
        compacting = pool.submit(compact)
        try:
            list(pool.map(ask, range(4), timeout=60))
        finally:
            over.set()
        compacting.result(SOON_S)
    assert len(cache) <= 5


def test_a_task_that_is_cancelled_at_any_moment_keeps_nothing(cache):
    async def slow(texts):
        await asyncio.sleep(0.001)
        return embed(texts)

    async def cancel_now_and_then(number):
        texts = [str(number * 10 + i) for i in range(10)]
        task = asyncio.create_task(cache.aget_or_compute(texts, slow, batch_size=2))
        await asyncio.sleep(random.Random(SEED + number).uniform(0, 0.02))
        task.cancel()
        await asyncio.wait([task])
        return texts

    async def all_of_them():
        for asked in await asyncio.gather(*map(cancel_now_and_then, range(40))):
            assert right(asked, await cache.aget_or_compute(asked, embed, wait=SOON_S))

    asyncio.run(all_of_them())
    assert cache_is_free(cache, "not asked for")


def test_an_embedder_that_runs_out(cache):
    """A StopIteration, which no future can carry, comes as RuntimeError, as out of a generator."""
    nothing = iter(())

    async def ask():
        with pytest.raises(RuntimeError, match="StopIteration"):
            await asyncio.wait_for(cache.aget_or_compute(["1"], lambda _: next(nothing)), SOON_S)
        assert cache_is_free(cache, "1")

    asyncio.run(ask())


def test_any_kind_of_embedder(cache):
    class Model:
        async def __call__(self, texts):
            return embed(texts)

        async def encode(self, texts):
            return embed(texts)

    async def ask():
        model = Model()
        for i, embedder in enumerate(
            (embed, model, model.encode, lambda texts: model.encode(texts))
        ):
            texts = [str(10 * i), str(10 * i + 1)]
            assert right(texts, await cache.aget_or_compute(texts, embedder, batch_size=1))

        @cache.wrap
        async def wrapped(texts):
            return embed(texts)

        assert right(["7", "8"], await wrapped(["7", "8"]))
        with pytest.raises(TypeError, match=r"texts\[0\]"):
            await wrapped([7])

    asyncio.run(ask())


def cache_is_free(cache, text):
    with closing(cache._claim([text])) as claims:
        return bool(claims.mine)
