# SPDX-License-Identifier: Apache-2.0
"""The spaces of one file that an adapter works with, each opened when it is first asked for."""

from __future__ import annotations

import os
import threading
from typing import Any

from embedcache.cache import EmbedCache


class Spaces:
    """Caches by the name of their space; whoever has one may use it by many threads."""

    def __init__(self, path: str | os.PathLike[str], options: dict[str, Any]) -> None:
        self._path = path
        self._options = options
        self._caches: dict[str, EmbedCache] = {}
        self._lock = threading.Lock()

    def open(self, space: str, model: str, dimension: int | None) -> EmbedCache:
        """Return the cache of a space, the same one each time."""
        with self._lock:
            if space not in self._caches:
                self._caches[space] = EmbedCache(
                    self._path, dimension, model, space=space, **self._options
                )
            return self._caches[space]

    def close(self) -> None:
        """Close the caches. What is asked for afterwards opens them again."""
        with self._lock:
            for cache in self._caches.values():
                cache.close()
            self._caches.clear()
