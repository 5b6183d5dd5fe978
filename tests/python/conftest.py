# SPDX-License-Identifier: Apache-2.0
"""What the tests of the Python package share: a cache in a file of its own, and vectors to put."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from embedcache import EmbedCache
from numpy.typing import NDArray

DIMS = 8


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.edb"


@pytest.fixture
def cache(path: Path) -> Iterator[EmbedCache]:
    with EmbedCache(path, dimension=DIMS, model="toy") as opened:
        yield opened


def some_vectors(n: int, dims: int = DIMS, seed: int = 1) -> NDArray[np.float32]:
    return np.random.default_rng(seed).standard_normal((n, dims)).astype(np.float32)


@pytest.fixture
def vectors() -> NDArray[np.float32]:
    return some_vectors(100)


@pytest.fixture
def full(cache: EmbedCache, vectors: NDArray[np.float32]) -> EmbedCache:
    """A cache of 100 records: "key 0" to "key 99", in this order."""
    cache.set_many([f"key {i}" for i in range(100)], vectors)
    return cache
