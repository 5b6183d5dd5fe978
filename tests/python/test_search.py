# SPDX-License-Identifier: Apache-2.0
"""Searches are exact: NumPy computes the same. What is found comes with what is beside it."""

import numpy as np
import pytest
from conftest import some_vectors
from embedcache import EmbedCache, InvalidError


def scores_of(metric, vectors, queries):
    """Scores by the definition, in double precision, and whether more is nearer."""
    a, b = vectors.astype(np.float64), queries.astype(np.float64)
    if metric == "l2":
        return ((b[:, None] - a[None]) ** 2).sum(axis=2), False
    dots = b @ a.T
    if metric == "cosine":
        dots /= np.linalg.norm(b, axis=1)[:, None] * np.linalg.norm(a, axis=1)
    return dots, True


@pytest.mark.parametrize("metric", ["cosine", "dot", "l2"])
def test_it_finds_the_nearest(metric):
    vectors, queries = some_vectors(500, 24), some_vectors(20, 24, seed=2)
    scores, more_is_nearer = scores_of(metric, vectors, queries)
    order = np.argsort(-scores if more_is_nearer else scores, axis=1, kind="stable")[:, :7]
    with EmbedCache(dimension=24, metric=metric) as cache:
        cache.set_many([f"key {i}" for i in range(500)], vectors)
        many = cache.search(queries, k=7)
        assert many.complete and len(many) == 20
        for q in range(20):
            assert list(many.rows[q]) == list(order[q])
            assert many.keys[q] == [f"key {i}" for i in order[q]]
            assert np.allclose(many.scores[q], scores[q, order[q]], rtol=1e-5, atol=1e-6)
            one = cache.search(queries[q], k=7)
            assert one.keys == many.keys[q] and (one.scores == many.scores[q]).all()
        limit = float(np.sort(scores[0])[250] + np.sort(scores[0])[251]) / 2
        near = scores[0] >= limit if more_is_nearer else scores[0] <= limit
        found = cache.search(queries[0], k=None, threshold=limit)
        assert sorted(found.rows) == list(np.flatnonzero(near))
        assert len(cache.search(queries[0], k=5, threshold=limit)) == 5


def test_what_is_found_comes_with_all(cache, vectors):
    cache.set("a", vectors[0], text="a text", metadata={"year": 2020})
    cache.set(b"\xff", vectors[1])
    hits = cache.search(vectors[0].astype(np.float64), k=5)
    assert hits.keys == ["a", b"\xff"] and hits.texts == ["a text", None]
    assert hits.metadata == [{"year": 2020}, None] and list(hits.rows) == [0, 1]
    assert hits.scores.dtype == np.float32 and hits.scores[0] == pytest.approx(1)
    assert (hits.records[1].vector == vectors[1]).all() and hits.complete and len(hits) == 2
    assert repr(hits).startswith("<Hits {'a': 1.000, ")
    many = cache.search([list(vectors[0])])
    assert many.texts == [hits.texts] and many.metadata == [hits.metadata]
    assert cache.search(np.zeros((0, 8))).keys == []


def test_similar(vectors):
    with EmbedCache(similarity_threshold=0.95) as cache:
        assert cache.find_similar(vectors[0]) is None
        cache.set("a", vectors[0])
        near = vectors[0] + np.float32(0.01)
        key, score = cache.find_similar(near)
        assert key == "a" and 0.95 < score < 1 and isinstance(score, float)
        assert cache.find_similar(-vectors[0]) is None
        assert cache.find_similar(-vectors[0], threshold=-1)[0] == "a"
        assert cache.find_similar(near, threshold=1) is None
    with EmbedCache(dimension=8) as cache:
        cache.set("a", vectors[0])
        assert cache.find_similar(-vectors[0])[0] == "a"


def test_wrong_questions_are_refused(full, vectors):
    for question, sentence in [
        ({"queries": vectors[0, :5]}, r"shape \(5,\); \(8,\) is needed"),
        ({"queries": np.zeros((1, 1, 8))}, r"shape \(1, 1, 8\)"),
        ({"queries": vectors * np.nan}, "element 0 of query 0 is NaN"),
        ({"queries": vectors[0], "k": 0}, "k is 0"),
        ({"queries": vectors[0], "k": None}, "give one"),
        ({"queries": vectors[0], "threshold": np.nan}, "threshold"),
    ]:
        with pytest.raises(InvalidError, match=sentence):
            full.search(**question)
    with pytest.raises(InvalidError, match="shape"):
        full.find_similar(vectors)
    with EmbedCache(dimension=0) as values, pytest.raises(InvalidError):
        values.search([1.0])


def test_what_is_deleted_while_it_searches_is_left_out(full, vectors, monkeypatch):
    """A record that goes between the search and the fetching of records makes it search again."""
    searches = []

    class Raced(EmbedCache):
        def _search(self, *question):
            found = super()._search(*question)
            searches.append(found)
            if len(searches) < 3:
                records, scores, complete = found[0]
                return [([None, *records[1:]], scores, complete)]
            return found

    with Raced(full.path) as raced:
        hits = raced.search(vectors[3], k=3)
        assert hits.keys[0] == "key 3" and hits.complete and len(searches) == 3
        searches.clear()
        monkeypatch.setattr("embedcache.cache.SEARCHES_MAX", 1)
        hits = raced.search(vectors[3], k=3)
        assert len(hits) == 2 and len(hits.scores) == 2 and not hits.complete
