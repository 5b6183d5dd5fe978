# SPDX-License-Identifier: Apache-2.0
"""get_or_compute: what it refuses, what it keeps, what it costs, and the ways to say it."""

import builtins
import functools
import math
import os
import signal
import sys
import time
import types

import numpy as np
import pytest
from embedcache import EmbedCache, Embedded, InvalidError, MismatchError

DIMS = 8


def embed(texts):
    return [[len(text), *map(float, range(DIMS - 1))] for text in texts]


class Counting:
    def __init__(self):
        self.batches = []

    def __call__(self, texts):
        self.batches.append(texts)
        return embed(texts)


def returning(answer):
    return lambda texts: answer


@pytest.mark.parametrize(
    "answer, message",
    [
        (np.zeros((2, DIMS)), r"3 texts, but the vectors have shape \(2, 8\).*\(3, 8\) is needed"),
        (np.zeros((3, 5)), r"3 texts, but the vectors have shape \(3, 5\).*\(3, 8\) is needed"),
        (np.zeros((3, 1, DIMS)), r"shape \(3, 1, 8\).*\(3, 8\) is needed"),
        (np.zeros(3 * DIMS), r"shape \(24,\).*\(3, 8\) is needed"),
        ([[0.0] * DIMS, [0.0], [0.0] * DIMS], "no array of numbers"),
        ([[0.0] * DIMS, [0.0, math.nan] * 4, [0.0] * DIMS], "element 1 .* for 'b' is NaN"),
        (np.array([[0.0] * DIMS, [1e300] * DIMS, [0.0] * DIMS]), "element 0 .* for 'b'"),
        (Embedded(np.zeros((2, DIMS)), 7), r"shape \(2, 8\)"),
        (Embedded(np.zeros((3, DIMS)), [1, 2]), "3 texts, but returned 2 costs"),
        (Embedded(np.zeros((3, DIMS)), -1), "cost is -1"),
    ],
)
def test_wrong_answers_are_refused_and_nothing_of_them_stays(cache, answer, message):
    with pytest.raises(InvalidError, match=message):
        cache.get_or_compute(["a", "b", "c"], returning(answer))
    assert len(cache) == 0
    assert cache.get_or_compute(["a", "b", "c"], embed, wait=0).shape == (3, DIMS)


@pytest.mark.parametrize("answer", [None, "abc", [["a"] * DIMS] * 3, object()])
def test_answers_that_are_no_numbers(cache, answer):
    with pytest.raises(TypeError, match=r"embed was given 3 texts, but .* of numbers"):
        cache.get_or_compute(["a", "b", "c"], returning(answer))
    assert len(cache) == 0


@pytest.mark.parametrize(
    "texts, error, message",
    [
        ("abc", TypeError, "texts is one str, 'abc'; put it into a list"),
        (b"abc", TypeError, "texts is one bytes"),
        (["a", 7], TypeError, r"texts\[1\] is int, not str: 7"),
        (["a", "b", None], TypeError, r"texts\[2\] is NoneType"),
        (["a", b"b"], TypeError, r"texts\[1\] is bytes"),
        (["a", "b\ud800c"], InvalidError, r"texts\[1\] has no UTF-8: .* lone surrogate at 1"),
    ],
)
def test_texts_that_are_none(cache, texts, error, message):
    counting = Counting()
    with pytest.raises(error, match=message):
        cache.get_or_compute(texts, counting)
    assert counting.batches == [] and len(cache) == 0


@pytest.mark.parametrize(
    "options, message",
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"wait": -1}, "wait is -1"),
        ({"wait": math.nan}, "wait is nan"),
        ({"ttl": 0}, "ttl is 0"),
        ({"cost": -1}, "cost is -1"),
        ({"cost": lambda text: 1.5}, "cost is 1.5"),
    ],
)
def test_wrong_options_cost_no_embedding(cache, options, message):
    counting = Counting()
    with pytest.raises(InvalidError, match=message):
        cache.get_or_compute(["a"], counting, **options)
    assert counting.batches == []


def test_batches_of_any_size(cache):
    for batch_size, sizes in ((1, [1] * 5), (2000, [2000, 500]), (10**9, [2500])):
        counting = Counting()
        texts = [f"{batch_size} {i}" for i in range(sum(sizes))]
        cache.get_or_compute(texts, counting, batch_size=batch_size)
        assert [len(batch) for batch in counting.batches] == sizes


def test_empty_and_huge_texts(cache):
    texts = ["", "x" * 65536, "x" * 65537, "ä" * 40000, "x" * 65537]
    vectors = cache.get_or_compute(iter(texts), embed)
    assert vectors[:, 0].tolist() == [0, 65536, 65537, 40000, 65537]
    assert cache.get_or_compute(texts, returning(None)).tobytes() == vectors.tobytes()
    assert len(cache) == 4
    assert cache.get_or_compute([], embed).shape == (0, DIMS)


def test_a_space_without_a_dimension_takes_that_of_the_first_vectors(path):
    with EmbedCache(path) as cache:
        assert cache.get_or_compute([], embed).shape == (0, 0)
        assert cache.get_or_compute(["a", "b"], embed, batch_size=1).shape == (2, DIMS)
        assert cache.dimension == DIMS


def test_a_space_of_bytes_embeds_nothing(path):
    with EmbedCache(path, dimension=0) as cache, pytest.raises(InvalidError, match="dimension 0"):
        cache.get_or_compute(["a"], embed)


def test_finished_batches_stay(cache):
    for stops, error in (
        (ConnectionError("away"), ConnectionError),
        (KeyboardInterrupt(), KeyboardInterrupt),
    ):
        start = len(cache)
        texts = [f"{error.__name__} {i}" for i in range(10)]

        def failing(batch, stops=stops, texts=texts):
            if texts[6] in batch:
                raise stops
            return embed(batch)

        with pytest.raises(error):
            cache.get_or_compute(texts, failing, batch_size=3)
        assert len(cache) == start + 6
        counting = Counting()
        cache.get_or_compute(texts, counting, batch_size=3, wait=0)
        assert counting.batches == [texts[6:9], texts[9:]]


def test_the_ledger_tells_what_was_saved(cache):
    cache.get_or_compute(["aaa", "b"], embed, cost=len)
    cache.get_or_compute(["c"], embed, cost=100)
    cache.get_or_compute(["dd", "eeeee"], lambda texts: Embedded(embed(texts), 1000))
    cache.get_or_compute(["f"], lambda texts: Embedded(embed(texts), [7]))
    cache.get_or_compute(["g"], embed, cost=np.int64(8))
    costs = {key: cache.get_record(key).cost for key in cache}
    assert costs["dd"] + costs["eeeee"] == 1000 and costs["dd"] < costs["eeeee"]
    assert {key: costs[key] for key in "bcfg"} == {"b": 1, "c": 100, "f": 7, "g": 8}
    before = cache.stats().hit_cost
    cache.get_or_compute(["aaa", "b", "c", "dd", "eeeee", "f", "g"], returning(None))
    assert cache.stats().hit_cost - before == 3 + 1 + 100 + 1000 + 15


def test_what_has_expired_is_embedded_again(cache):
    counting = Counting()
    cache.get_or_compute(["a"], counting, ttl=1)
    cache.get_or_compute(["b"], counting)
    assert cache.get_record("a").expiry_time and cache.get_record("b").expiry_time is None
    time.sleep(2.1)
    cache.get_or_compute(["a", "b"], counting)
    assert counting.batches == [["a"], ["b"], ["a"]]


def test_a_read_only_cache_embeds_for_itself(cache, path):
    cache.get_or_compute(["a", "b"], embed)
    for options in ({"read_only": True}, {"snapshot": True}):
        counting = Counting()
        with EmbedCache(path, **options) as other:
            vectors = other.get_or_compute(["a", "cc", "b", "cc"], counting)
            assert vectors[:, 0].tolist() == [1, 2, 1, 2] and counting.batches == [["cc"]]
    assert len(cache) == 2


def test_wrap(cache):
    counting = Counting()
    wrapped = cache.wrap(counting, batch_size=2)
    assert wrapped(["a", "b", "c", "a"]).shape == (4, DIMS)
    assert wrapped(["c", "b"]).shape == (2, DIMS)
    assert counting.batches == [["a", "b"], ["c"]]

    @cache.wrap
    def documented(texts):
        """Embeds."""
        return embed(texts)

    @cache.wrap(cost=3)
    def costly(texts):
        return embed(texts)

    assert documented.__name__ == "documented" and documented.__doc__ == "Embeds."
    documented(["d"])
    costly(["e"])
    assert cache.get_record("e").cost == 3
    assert cache.wrap(functools.partial(embed))(["a"]).shape == (1, DIMS)


def test_a_coroutine_function_belongs_to_the_asynchronous_call(cache):
    async def asynchronous(texts):
        return embed(texts)

    with pytest.raises(TypeError, match="await aget_or_compute"):
        cache.get_or_compute(["a"], asynchronous)


def test_another_model_or_role_has_a_space_of_its_own(cache, path):
    cache.get_or_compute(["a"], embed)
    for other in ({"model": "other"}, {"role": "query"}, {"revision": "2"}):
        with pytest.raises(MismatchError, match="space") as refused:
            EmbedCache(path, DIMS, **other)
        assert "EmbedCache(" in str(refused.value) and "space=" in str(refused.value)
    with EmbedCache(path, DIMS, "other", space="other") as second:
        assert second.get("a") is None
        second.get_or_compute(["a"], lambda texts: np.ones((1, DIMS)))
        assert second.get("a")[0] == 1 and cache.get("a")[1] == 0


def test_progress(cache, monkeypatch):
    told = []
    texts = [str(i) for i in range(10)]
    cache.set("0", embed("0")[0])
    cache.get_or_compute(
        [*texts, "3"], embed, batch_size=4, progress=lambda done, of: told.append((done, of))
    )
    assert told == [(4, 9), (8, 9), (9, 9)]
    bars = []

    class Bar:
        def __init__(self, total, unit):
            self.total, self.done = total, 0
            bars.append(self)

        def __enter__(self):
            return self

        def __exit__(self, *exception):
            self.closed = True

        def update(self, more):
            self.done += more

    monkeypatch.setitem(sys.modules, "tqdm", types.ModuleType("tqdm"))
    monkeypatch.setitem(sys.modules, "tqdm.auto", types.SimpleNamespace(tqdm=Bar))
    cache.get_or_compute(["x", "y", "z"], embed, batch_size=2, progress=True)
    assert [(bar.done, bar.total, bar.closed) for bar in bars] == [(3, 3, True)]
    cache.get_or_compute(["x"], embed, progress=True)
    assert len(bars) == 1
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    cache.get_or_compute(["u"], embed, progress=True)
    assert "u" in cache


def test_ctrl_c_while_it_waits(cache):
    claimed = cache._claim(["a"])
    previous = signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            cache.get_or_compute(["a", "b"], embed)
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert "b" in cache and "a" not in cache
    claimed.close()


def test_a_cache_that_goes_away_meanwhile(path):
    """Claims in a cycle with their cache are released before it closes."""
    import gc

    cache = EmbedCache(path, DIMS)
    cache.claims = cache._claim(["a", "b"])
    del cache
    gc.collect()
    with EmbedCache(path) as other:
        claims = other._claim(["a", "b"])
        assert claims.mine == ["a", "b"]
        other.close()
        with pytest.raises(builtins.ValueError, match="closed"):
            claims.wait(0)
    assert os.path.exists(path)
