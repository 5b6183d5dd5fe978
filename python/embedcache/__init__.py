# SPDX-License-Identifier: Apache-2.0
"""EmbedCache: an embedding cache and vector store in one file. Never compute one twice.

>>> from embedcache import EmbedCache
>>> cache = EmbedCache("notes.edb", dimension=384)
"""

from embedcache._native import VERSION as __version__
from embedcache._native import Record, Transaction, Vectors
from embedcache.cache import EmbedCache
from embedcache.errors import (
    BusyError,
    CancelledError,
    ClosedError,
    CorruptError,
    EmbedCacheError,
    ExistsError,
    ForkedError,
    FormatError,
    FullError,
    InvalidError,
    MismatchError,
    MissingFileError,
    NoMemoryError,
    NotFoundError,
    ReadOnlyError,
    StaleError,
    StorageError,
)
from embedcache.plan import Embedded
from embedcache.results import CompactReport, Finding, Hits, Limits, Stats, VerifyReport

__all__ = [
    "BusyError",
    "CancelledError",
    "ClosedError",
    "CompactReport",
    "CorruptError",
    "EmbedCache",
    "EmbedCacheError",
    "Embedded",
    "ExistsError",
    "Finding",
    "ForkedError",
    "FormatError",
    "FullError",
    "Hits",
    "InvalidError",
    "Limits",
    "MismatchError",
    "MissingFileError",
    "NoMemoryError",
    "NotFoundError",
    "ReadOnlyError",
    "Record",
    "StaleError",
    "Stats",
    "StorageError",
    "Transaction",
    "Vectors",
    "VerifyReport",
    "__version__",
]
