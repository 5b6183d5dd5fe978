# SPDX-License-Identifier: Apache-2.0
"""get_or_compute answers as a dict would, for any mix of hits, misses, repeats and failures."""

import os
import tempfile

import numpy as np
import pytest
from embedcache import EmbedCache, InvalidError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

DIMS = 3
IN_MEMORY = "/dev/shm"

texts = st.lists(st.sampled_from(["", "a", "b", "c", "d", "e", "f", "ä", "x" * 70000, "y" * 70000]))
faults = st.sampled_from(
    [None, None, None, "raises", "count", "shape", "nan", "infinite", "ragged"]
)
calls = st.lists(st.tuples(texts, st.integers(1, 5), st.integers(0, 3), faults), max_size=6)


def vector_of(text):
    return np.array([len(text), sum(text.encode()) % 1000, 0.1], np.float32)


class Embedder:
    """Embeds by `vector_of`; its call number `at` has the fault."""

    def __init__(self, at, fault):
        self.at, self.fault, self.batches = at, fault, []

    def __call__(self, batch):
        self.batches.append(list(batch))
        vectors = np.array([vector_of(text) for text in batch])
        batch.clear()  # what it does to its list is its own affair
        if self.fault is None or len(self.batches) - 1 != self.at:
            return vectors
        if self.fault == "raises":
            raise ConnectionError("the model is away")
        if self.fault == "nan":
            vectors[-1, 1] = np.nan
        if self.fault == "infinite":
            vectors[0, 0] = -np.inf
        return {
            "count": vectors[1:],
            "shape": vectors[:, :2],
            "ragged": [[1.0], [2.0, 3.0]],
        }.get(self.fault, vectors)


@settings(
    max_examples=int(os.environ.get("EDB_EXAMPLES", "150")),
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(calls, st.sampled_from([None, DIMS]))
def test_as_a_dict(called, dimension):
    memory = IN_MEMORY if os.path.isdir(IN_MEMORY) else None
    with (
        tempfile.TemporaryDirectory(dir=memory) as directory,
        EmbedCache(os.path.join(directory, "cache.edb"), dimension) as cache,
    ):
        model = {}
        for asked, batch_size, at, fault in called:
            if fault == "shape" and cache.dimension is None:
                fault = None  # the first vectors say the dimension
            embed = Embedder(at, fault)
            missing = list(dict.fromkeys(text for text in asked if text not in model))
            batches = [missing[i : i + batch_size] for i in range(0, len(missing), batch_size)]
            fails = fault is not None and at < len(batches)
            if fails:
                batches = batches[: at + 1]
                expected = ConnectionError if fault == "raises" else InvalidError
                with pytest.raises(expected):
                    cache.get_or_compute(asked, embed, batch_size=batch_size)
            else:
                vectors = cache.get_or_compute(asked, embed, batch_size=batch_size)
                assert vectors.dtype == np.float32 and vectors.flags.writeable
                assert vectors.shape == (len(asked), cache.dimension or 0)
                for text, vector in zip(asked, vectors, strict=True):
                    assert vector.tobytes() == vector_of(text).tobytes()
            assert embed.batches == batches
            model |= {text: 1 for batch in batches[: at if fails else None] for text in batch}
            assert len(cache) == len(model)
            assert all(cache.get(text).tobytes() == vector_of(text).tobytes() for text in model)
