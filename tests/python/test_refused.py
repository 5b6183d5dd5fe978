# SPDX-License-Identifier: Apache-2.0
"""What is wrong is refused before anything is done, by an error of the family that names it."""

import math
import pickle

import numpy as np
import pytest
from embedcache import EmbedCache, InvalidError, Limits, NotFoundError


@pytest.mark.parametrize("what", ["space", "model", "revision"])
def test_names(path, what):
    for wrong, reason in (("a\0b", "NUL"), ("\ud800", "UTF-8")):
        with pytest.raises(InvalidError, match=f"{what} is .*{reason}"):
            EmbedCache(path, dimension=3, **{what: wrong})
    with pytest.raises(TypeError, match=f"{what} is str, not int"):
        EmbedCache(path, dimension=3, **{what: 5})
    assert not path.exists()


def test_paths(path):
    with pytest.raises(InvalidError, match="NUL"):
        EmbedCache(f"{path}\0b", dimension=3)
    with pytest.raises(InvalidError, match="path"):
        EmbedCache(f"{path}\ud800", dimension=3)
    with pytest.raises(TypeError, match="dimension=1536"):
        EmbedCache(1536)


def test_numbers_of_an_opening(path):
    for wrong in ({"busy_wait": math.nan}, {"busy_wait": math.inf}, {"busy_wait": -1}):
        with pytest.raises(InvalidError, match="busy_wait is"):
            EmbedCache(path, dimension=3, **wrong)
    for wrong in (math.nan, math.inf, 1e300):
        with pytest.raises(InvalidError, match="similarity_threshold is"):
            EmbedCache(path, dimension=3, similarity_threshold=wrong)
    with pytest.raises(InvalidError, match="file_mode is"):
        EmbedCache(path, dimension=3, file_mode=2**40)
    with pytest.raises(TypeError, match=r"dimension is 3\.0"):
        EmbedCache(path, dimension=3.0)
    with pytest.raises(TypeError, match=r"file_mode is 1\.5"):
        EmbedCache(path, dimension=3, file_mode=1.5)
    assert not path.exists()


def test_integers(full, vectors):
    for over in (
        lambda: full.search(vectors[0], k=2.5),
        lambda: full.set("a", vectors[0], cost=1.5),
        lambda: full.set_many(["a"], vectors[:1], cost=[1.5]),
        lambda: full.get_row(1.0),
        lambda: full.set_limits(Limits(max_rows=1.5)),
        lambda: full.compact(1.5),
    ):
        with pytest.raises(TypeError, match="integer"):
            over()
    assert "a" not in full and full.limits() == Limits()
    assert full.get_row(-1) is None and full.get_row(2**64) is None
    for row in (2**64, -(2**70)):
        with pytest.raises(NotFoundError):
            full[row]


def test_limits(full):
    for wrong in (0, -1, 2**64):
        for name in ("max_rows", "max_bytes"):
            with pytest.raises(InvalidError, match=f"{name} is {wrong}"):
                full.set_limits(Limits(**{name: wrong}))
        with pytest.raises(InvalidError, match=f"bytes_per_second is {wrong}"):
            full.compact(wrong)
    with pytest.raises(InvalidError, match="dead_percent is 0"):
        full.set_limits(Limits(dead_percent=0), whole_file=True)


def test_metadata_without_end(cache, vectors):
    deep = {}
    for _ in range(100_000):
        deep = {"a": deep}
    with pytest.raises(InvalidError, match="metadata"):
        cache.set("a", vectors[0], metadata=deep)
    while deep:
        deep = deep["a"]


def test_masked_elements(cache, vectors):
    whole = np.ma.masked_array(vectors[0], mask=np.zeros(8, bool))
    cache.set("a", whole)
    whole[3] = np.ma.masked
    with pytest.raises(InvalidError, match="masked"):
        cache.set("b", whole)
    with pytest.raises(InvalidError, match="masked"):
        cache.search(whole)
    assert list(cache) == ["a"]


def test_what_is_cut_into_transactions_is_checked_before(path):
    with EmbedCache(path, dimension=1) as cache:
        vectors = np.ones((12, 1), np.float32)
        keys, texts = [str(i) for i in range(12)], ["x" * (15 << 20)] * 11 + ["x" * (17 << 20)]
        with pytest.raises(InvalidError, match="row 11 of the batch.*text"):
            cache.set_many(keys, vectors, texts=texts)
        texts[11] = ""
        vectors[10] = math.nan
        with pytest.raises(InvalidError, match="row 10 of the batch"):
            cache.set_many(keys, vectors, texts=texts)
        vectors[10] = 1
        metadata = [None] * 11 + [{"a": "x" * (1 << 20)}]
        with pytest.raises(InvalidError, match="row 11 of the batch.*metadata"):
            cache.set_many(keys, vectors, texts=texts, metadata=metadata)
        assert len(cache) == 0


def test_arrays_to_fill_while_there_is_no_space(path):
    with EmbedCache(path) as cache:
        for ask in (cache.get_many, cache.get_rows):
            asked = ["a", "b"] if ask == cache.get_many else [0, 1]
            out = np.full((2, 3), 7, np.float32)
            vectors, found = ask(asked, out=out)
            assert vectors is out and (out == 0).all() and not found.any()
            with pytest.raises(InvalidError, match="out has shape"):
                ask(asked, out=np.empty((3, 3), np.float32))
            with pytest.raises(TypeError):
                ask(asked, out=np.empty((2, 3)))


def test_the_threshold_of_today_goes_by_pickle(path):
    with EmbedCache(path, dimension=3, similarity_threshold=0.5) as cache:
        cache.similarity_threshold = 0.9
        with pytest.raises(InvalidError, match="similarity_threshold is nan"):
            cache.similarity_threshold = math.nan
        with pickle.loads(pickle.dumps(cache)) as other:
            assert other.similarity_threshold == 0.9


def test_what_a_cache_is_not(full, vectors):
    with pytest.raises(TypeError, match=r"use set\("):
        full["a"] = vectors[0]
    with pytest.raises(TypeError, match=r"use delete\("):
        del full["key 1"]
    with pytest.raises(TypeError):
        reversed(full)
    assert full.get("a", 7) == 7 and (full.get("key 1", 7) == vectors[1]).all()


def test_rows_by_mask_and_by_array(full, vectors):
    assert (full[np.array(3)] == vectors[3]).all()
    mask = np.arange(100) % 7 == 0
    assert (full[mask] == vectors[mask]).all()
    with pytest.raises(InvalidError, match="mask"):
        full[mask[:50]]
