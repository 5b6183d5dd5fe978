# SPDX-License-Identifier: Apache-2.0
"""The asynchronous twins answer and fail as the calls do, and in other threads."""

import asyncio
import inspect
import threading

import pytest
from conftest import some_vectors
from embedcache import ClosedError, EmbedCache, InvalidError


def test_each_does_what_its_call_does(path, vectors):
    async def use():
        async with EmbedCache(path, dimension=8) as cache:
            await cache.aset("a", vectors[0], text="A", metadata={"n": 1})
            rows = await cache.aset_many(["b", "c", "d"], vectors[1:4], cost=[1, 2, 3])
            assert rows.tolist() == [1, 2, 3]
            assert ((await cache.aget("a")) == vectors[0]).all() and await cache.aget("x") is None
            assert (await cache.aget_record("a")).metadata == {"n": 1}
            matrix, found = await cache.aget_many(["d", "x", "b"])
            assert (matrix[[0, 2]] == vectors[[3, 1]]).all() and found.tolist() == [1, 0, 1]
            assert (await cache.aget_rows([2]))[0].tolist() == vectors[2:3].tolist()
            assert (await cache.asearch(vectors[2], k=1)).keys == ["c"]
            assert (await cache.afind_similar(vectors[2], threshold=0.99))[0] == "c"
            assert await cache.adelete("c") and not await cache.adelete("c")
            assert (await cache.acompact()).rows == 3 and (await cache.averify()).good
            await cache.amaintain()
            with pytest.raises(InvalidError, match="shape"):
                await cache.aset("e", [1, 2])
        assert cache.closed
        with pytest.raises(ClosedError):
            await cache.aget("a")

    asyncio.run(use())


def test_none_blocks_the_loop(path):
    """Where a call is, the loop is not; a subclass's own call is the one that is made."""
    threads = set()

    class Told(EmbedCache):
        def set(self, *given, **named):
            threads.add(threading.current_thread())
            super().set(*given, **named)

        def search(self, *given, **named):
            threads.add(threading.current_thread())
            return super().search(*given, **named)

    async def use():
        with Told(path, dimension=8) as cache:
            await cache.aset("a", some_vectors(1)[0])
            await cache.asearch(some_vectors(1)[0])

    asyncio.run(use())
    assert threads and threading.main_thread() not in threads


def test_each_twin_has_a_call_and_takes_what_it_takes():
    twins = [name for name, _ in inspect.getmembers(EmbedCache, inspect.iscoroutinefunction)]
    assert "aget_or_compute" in twins and len(twins) > 12
    for name in twins:
        if not name.startswith("_"):
            call = inspect.signature(getattr(EmbedCache, name[1:])).parameters.values()
            twin = inspect.signature(getattr(EmbedCache, name)).parameters.values()
            assert [(p.name, p.default) for p in call] == [(p.name, p.default) for p in twin]
