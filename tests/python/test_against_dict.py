# SPDX-License-Identifier: Apache-2.0
"""Whatever is done in whatever order, a cache answers as a dict would."""

import os
import tempfile

import numpy as np
from embedcache import EmbedCache
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

DIMS = 3
IN_MEMORY = "/dev/shm"

keys = st.one_of(
    st.sampled_from(["a", "b", "aa", "", "ä", b"\xff", b"a"]),
    st.text(max_size=3),
    st.binary(max_size=3),
).filter(lambda key: isinstance(key, bytes) or key.isprintable() or key == "")
numbers = st.floats(width=32, allow_nan=False, allow_infinity=False)
vectors = st.lists(numbers, min_size=DIMS, max_size=DIMS)
texts = st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text("abcä", max_size=3)
metadata = st.none() | st.dictionaries(st.text("xyz", max_size=2), scalars, max_size=3)


def as_bytes(key):
    return key if isinstance(key, bytes) else key.encode()


class CacheAndDict(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        # In memory where that is possible: what a sync costs is no part of this.
        self.directory = tempfile.TemporaryDirectory(
            dir=IN_MEMORY if os.path.isdir(IN_MEMORY) else None
        )
        self.path = os.path.join(self.directory.name, "cache.edb")
        self.cache = EmbedCache(self.path, dimension=DIMS)
        self.model = {}  # in the order of rows

    def teardown(self):
        self.cache.close()
        self.directory.cleanup()

    def remember(self, key, vector, text=None, beside=None):
        self.model.pop(as_bytes(key), None)
        self.model[as_bytes(key)] = (np.array(vector, np.float32), text, beside)

    @rule(key=keys, vector=vectors, text=texts, beside=metadata)
    def set(self, key, vector, text, beside):
        self.cache.set(key, vector, text=text, metadata=beside)
        self.remember(key, vector, text, beside)

    @rule(pairs=st.lists(st.tuples(keys, vectors, texts), max_size=5))
    def set_many(self, pairs):
        self.cache.set_many(
            [key for key, _, _ in pairs],
            [vector for _, vector, _ in pairs],
            texts=[text for _, _, text in pairs],
        )
        for pair in pairs:
            self.remember(*pair)

    @rule(key=keys)
    def delete(self, key):
        assert self.cache.delete(key) == (self.model.pop(as_bytes(key), None) is not None)

    @rule(pairs=st.lists(st.tuples(keys, st.none() | vectors), max_size=4), commit=st.booleans())
    def change_at_once(self, pairs, commit):
        with self.cache.transaction() as transaction:
            for key, vector in pairs:
                if vector is None:
                    transaction.delete(key)
                else:
                    transaction.set(key, vector)
            if not commit:
                transaction.abort()
        for key, vector in pairs if commit else []:
            if vector is None:
                self.model.pop(as_bytes(key), None)
            else:
                self.remember(key, vector)

    @rule()
    def reopen(self):
        self.cache.close()
        self.cache = EmbedCache(self.path)

    @rule()
    def compact(self):
        self.cache.compact()

    @rule(asked=st.lists(keys, max_size=5))
    def get_many(self, asked):
        got, found = self.cache.get_many(asked)
        assert list(found) == [as_bytes(key) in self.model for key in asked]
        for key, vector in zip(asked, got, strict=True):
            if as_bytes(key) in self.model:
                assert vector.tobytes() == self.model[as_bytes(key)][0].tobytes()

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def get_one_that_is_there(self, data):
        key = data.draw(st.sampled_from(sorted(self.model)))
        vector, text, beside = self.model[key]
        record = self.cache.get_record(key)
        assert record.vector.tobytes() == vector.tobytes()
        assert record.text == text and record.metadata == beside

    @invariant()
    def both_hold_the_same(self):
        assert len(self.cache) == len(self.model)
        assert [as_bytes(key) for key in self.cache] == list(self.model)
        expected = [vector for vector, _, _ in self.model.values()]
        assert [vector.tobytes() for _, vector in self.cache.items()] == [
            vector.tobytes() for vector in expected
        ]


TestCacheAndDict = CacheAndDict.TestCase
TestCacheAndDict.settings = settings(
    max_examples=int(os.environ.get("EDB_EXAMPLES", "100")),
    stateful_step_count=30,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
