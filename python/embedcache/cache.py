# SPDX-License-Identifier: Apache-2.0
"""`EmbedCache`: one space of one file, as people use it.

What has to be fast (get, get_many, set, set_many, `in`) it inherits from `_native.Handle`; here is
what is decided: where the file is, what was said of the space, and what becomes of both in other
processes.
"""

from __future__ import annotations

import atexit
import operator
import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Iterator
from functools import partial
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from embedcache import _native
from embedcache._native import Record, Transaction
from embedcache.compute import Computing
from embedcache.convert import (
    DIMS_UNKNOWN,
    as_queries,
    as_vector,
    finite,
    integer,
    milliseconds,
    name_of,
    path_of,
    seconds_of,
)
from embedcache.errors import InvalidError, MismatchError, NotFoundError
from embedcache.results import CompactReport, Finding, Hits, Limits, Stats, VerifyReport
from embedcache.twins import twin

METRICS = ("cosine", "dot", "l2")
ROLES = ("none", "query", "document")
DURABILITIES = ("lazy", "durable")
EVICTIONS = ("s3-fifo", "lru", "fifo")

DIMS_MAX = 65536
MODE_MAX = 0o7777
UINT64_MAX = 0xFFFFFFFFFFFFFFFF
K_MAX = 0xFFFFFFFF
# A hit that is deleted before its record is fetched makes the search begin anew, so often at most.
SEARCHES_MAX = 4

Floats = NDArray[np.float32]

# Caches of this process that nobody may have closed.
_open: weakref.WeakSet[EmbedCache] = weakref.WeakSet()


class EmbedCache(Computing):
    """A cache of embeddings in one file: text or key in, vector out; then search what is there.

    Parameters
    ----------
    path : str or os.PathLike, optional
        Of the file, created when absent. Without: a private temporary file, removed at `close` or
        at exit.
    dimension : int, optional
        Numbers in a vector. May be left out where the space exists; a new one takes it from the
        first vector that is set. 0: values are bytes, and nothing is searched.
    model : str, optional
        Name of the model whose vectors these are.
    space : str, optional
        Name of the space in the file.
    metric : {"cosine", "dot", "l2"}, optional
        Of searches. A new space has "cosine".
    role : {"none", "query", "document"}, optional
        What the vectors stand for.
    revision : str, optional
        Of the model.
    durability : {"lazy", "durable"}, optional
        "lazy" survives the death of the process, "durable" also a power failure.
    similarity_threshold : float, optional
        How near `find_similar` asks a record to be.
    read_only : bool, optional
        Write nothing; the file has to be there.
    snapshot : bool, optional
        See the file as it is now, read-only; later changes stay unseen.
    busy_wait : float, optional
        Seconds that a write waits for a writer of another process.
    file_mode : int, optional
        Permissions of a new file, less the umask.

    Raises
    ------
    MismatchError
        The space exists with another dimension, model, metric, role or revision.
    MissingFileError
        The file is absent and was asked for read-only, or its directory is absent.
    FormatError, CorruptError, ReadOnlyError
        The file is no cache, is damaged, or may not be written.

    Notes
    -----
    What is left out (None) counts as it is in the file. An empty cache is False, as every empty
    container: whether there is one at all is asked by `is not None`. A cache may be used by many
    threads; it goes on in a child after fork(), and to other processes by pickle, by opening its
    file again.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        dimension: int | None = None,
        model: str | None = None,
        *,
        space: str = "default",
        metric: str | None = None,
        role: str | None = None,
        revision: str | None = None,
        durability: str = "lazy",
        similarity_threshold: float | None = None,
        read_only: bool = False,
        snapshot: bool = False,
        busy_wait: float = 5.0,
        file_mode: int = 0o644,
    ) -> None:
        # What was said, for the same in another process: __reduce__.
        given = {
            name: value for name, value in locals().items() if name not in ("self", "__class__")
        }
        if dimension is not None:
            dimension = integer("dimension", dimension, 0, DIMS_MAX)
        opening = (
            (_native.OPEN_READ_ONLY if read_only else 0)
            | (_native.OPEN_SNAPSHOT if snapshot else 0),
            1 + _choice("durability", durability, DURABILITIES),
            milliseconds("busy_wait", busy_wait),
            integer("file_mode", file_mode, 0, MODE_MAX),
        )
        spec = (
            name_of("space", space),
            None if model is None else name_of("model", model),
            None if revision is None else name_of("revision", revision),
            dimension,
            None if metric is None else _choice("metric", metric, METRICS),
            None if role is None else _choice("role", role, ROLES),
        )
        self.similarity_threshold = similarity_threshold
        directory = None
        if path is None:
            directory = tempfile.mkdtemp(prefix="embedcache-")
            path = os.path.join(directory, "private.edb")
        given["path"] = self.path = os.path.abspath(os.fsdecode(path_of(path)))
        self.space = space
        self._given = given
        self._private = directory, os.getpid()
        self._dropped = weakref.finalize(self, _remove_directory, *self._private)
        self._dropped.atexit = False  # at exit it is closed first
        try:
            super().__init__(os.fsencode(self.path), *opening, spec)
        except MismatchError as error:
            raise MismatchError(
                f"{error}: EmbedCache({self.path!r}, ..., space='another')"
            ) from None
        _open.add(self)

    def close(self) -> None:
        """Close the file. Arrays, records and matrices that were given stay valid.

        What was stored through this cache is synced: it survives power loss from then on. Open
        iterations and transactions end. A private file is removed. Closing again does nothing.

        Raises
        ------
        StorageError, FullError, BusyError, StaleError
            The last sync failed: what was stored lazily may not survive power loss.
        InvalidError
            A signal handler closes it inside of the call that it interrupted. It stays open, as it
            does when Ctrl-C comes while calls of other threads are waited for.
        """
        try:
            super().close()
        finally:
            if self.closed:
                _open.discard(self)
                self._dropped.detach()
                _remove_directory(*self._private)

    def __reduce__(self) -> tuple[Any, ...]:
        given = self._given | {"similarity_threshold": self.similarity_threshold}
        return partial(type(self), **given), ()

    def __enter__(self) -> EmbedCache:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self.closed:
            return f"EmbedCache({self.path!r}, closed)"
        model = f", model={self.model!r}" if self.model else ""
        space = f", space={self.space!r}" if self.space != "default" else ""
        return (
            f"EmbedCache({self.path!r}, dimension={self.dimension}{model}{space}, rows={len(self)})"
        )

    @property
    def similarity_threshold(self) -> float | None:
        """How near `find_similar` asks a record to be; may be set."""
        return self._similarity_threshold

    @similarity_threshold.setter
    def similarity_threshold(self, threshold: float | None) -> None:
        self._similarity_threshold = (
            None if threshold is None else finite("similarity_threshold", threshold)
        )

    @property
    def model(self) -> str:
        """Name of the model, "" where none was given."""
        return (self._spec()[0] or b"").decode()

    @property
    def revision(self) -> str:
        """Revision of the model, "" where none was given."""
        return (self._spec()[1] or b"").decode()

    @property
    def metric(self) -> str:
        """What searches go by: "cosine", "dot" or "l2"."""
        return METRICS[self._spec()[3] or 0]

    @property
    def role(self) -> str:
        """What the vectors stand for: "none", "query" or "document"."""
        return ROLES[self._spec()[4] or 0]

    # --- reading ---

    def __getitem__(self, rows: Any) -> Floats:
        """Return vectors by row number, as from a NumPy array; or the vector of a key.

        An int gives one vector without a copy; a sequence, an array or a slice of row numbers gives
        a new array of shape (n, dimension), and so does a mask of all rows that were given; a str
        or bytes is a key.

        Raises
        ------
        NotFoundError
            A row is gone or was never given (`get_rows` leaves it zero), or the key is not there.
        """
        if isinstance(rows, str | bytes):
            return self._one(self.get_record(rows), f"the key {rows!r:.60}")
        if isinstance(rows, int | np.integer) or (isinstance(rows, np.ndarray) and rows.ndim == 0):
            if rows < 0:
                raise NotFoundError(f"row {rows}: rows count from 0, and never from the end")
            return self._one(self.get_row(operator.index(rows)), f"row {rows}")
        if isinstance(rows, slice):
            rows = np.arange(*rows.indices(self.stats().rows_given))
        elif isinstance(rows, np.ndarray) and rows.dtype == np.bool_:
            rows = self._rows_of(rows)
        vectors, found = self.get_rows(rows)
        if not found.all():
            raise NotFoundError(f"row {np.asarray(rows)[~found][0]} is not in space {self.space!r}")
        return vectors

    def _rows_of(self, mask: NDArray[np.bool_]) -> NDArray[np.intp]:
        given = self.stats().rows_given
        if mask.shape != (given,):
            raise InvalidError(f"the mask has shape {mask.shape}; {given} rows were given so far")
        return np.flatnonzero(mask)

    def __setitem__(self, key: Any, vector: Any) -> NoReturn:
        raise TypeError(f"a cache takes no assignment: use set({key!r:.60}, vector)")

    def __delitem__(self, key: Any) -> NoReturn:
        raise TypeError(f"a cache takes no del: use delete({key!r:.60})")

    __reversed__ = None  # rows come in their order alone

    def _one(self, record: Record | None, what: str) -> Floats:
        if record is None:
            raise NotFoundError(f"{what} is not in space {self.space!r}")
        return record.vector

    def keys(self) -> Iterator[str | bytes]:
        """Iterate over the keys in row order: str where their bytes are UTF-8, else bytes.

        A key longer than 65,536 bytes is stored as its 32-byte digest, and comes as that.
        """
        return (record.key for record in self.records())

    def __iter__(self) -> Iterator[str | bytes]:
        return self.keys()

    def items(self) -> Iterator[tuple[str | bytes, Floats]]:
        """Iterate over keys and vectors in row order, without copying a vector."""
        return ((record.key, record.vector) for record in self.records())

    # --- searching ---

    def search(
        self, queries: ArrayLike, k: int | None = 10, threshold: float | None = None
    ) -> Hits:
        """Find the nearest records of one query or many: exactly, all of them are looked at.

        Parameters
        ----------
        queries : array_like
            Shape (dimension,) or (n, dimension), of any float or integer type.
        k : int or None, optional
            How many at most; None: all that pass the threshold.
        threshold : float, optional
            How near they have to be. Metric "cosine" and "dot": the score is at least this; "l2":
            the squared distance is at most this.

        Returns
        -------
        Hits
            With `keys`, `scores`, `rows`, `texts`, `metadata`, `records` and `complete`; of many
            queries these are lists of lists.

        Raises
        ------
        InvalidError
            Another shape, a NaN or infinity, k under 1, or k None without a threshold.
        CorruptError
            A vector is damaged.
        """
        if k is None and threshold is None:
            raise InvalidError("k is None, which asks for all that pass a threshold: give one")
        if k is not None:
            k = integer("k", k, 1, K_MAX)
        if threshold is not None:
            threshold = finite("threshold", threshold)
        dimension = self.dimension
        matrix, single = as_queries(queries, DIMS_UNKNOWN if dimension is None else dimension)
        for _ in range(SEARCHES_MAX):
            found = self._search(matrix, k or 0, threshold)
            if all(None not in records for records, _, _ in found):
                break
        return Hits([_without_gone(*each) for each in found], single)

    def find_similar(
        self, query: ArrayLike, threshold: float | None = None
    ) -> tuple[str | bytes, float] | None:
        """Return the key and the score of the nearest record, or None if none is near enough.

        Parameters
        ----------
        query : array_like
            Shape (dimension,).
        threshold : float, optional
            How near it has to be, as in `search`. Without: `similarity_threshold` of the cache, and
            if that is None the nearest counts, however far it is.
        """
        limit = self.similarity_threshold if threshold is None else threshold
        hits = self.search(as_vector(query, DIMS_UNKNOWN), 1, limit)
        return (hits.keys[0], float(hits.scores[0])) if len(hits) else None

    # --- writing ---

    def transaction(self, durability: str | None = None) -> Transaction:
        """Begin a transaction: what is set and deleted through it is seen all at once, or never.

        Use it in a `with` block, whose end commits and whose exception forgets everything. Nobody
        sees anything of it before, this cache included. It gathers in memory, 256 MiB at most.

        Parameters
        ----------
        durability : {"lazy", "durable"}, optional
            Of the commit. Without: that of the cache.

        Returns
        -------
        Transaction
            With `set` and `delete`, which take what those of the cache take, `commit` and `abort`.
        """
        return self._transaction(
            0 if durability is None else 1 + _choice("durability", durability, DURABILITIES)
        )

    # --- looking after it ---

    def stats(self) -> Stats:
        """Return figures of the space and its file."""
        space, file = self._space_stats(), self._file_stats()
        return Stats(
            rows=space["live"],
            rows_given=space["rows"],
            row_bytes=space["live_bytes"],
            hits=space["hits"],
            misses=space["misses"],
            hit_bytes=space["hit_bytes"],
            hit_cost=space["hit_cost"],
            evictions=space["evictions"],
            file_bytes=file["file_bytes"],
            used_bytes=file["used_bytes"],
            synced_bytes=file["synced_bytes"],
        )

    def limits(self, whole_file: bool = False) -> Limits:
        """Return what the space, or with `whole_file` the whole file, may hold."""
        limits = self._limits(whole_file)
        return Limits(
            max_rows=limits["max_rows"] or None,
            max_bytes=limits["max_bytes"] or None,
            ttl=limits["ttl_s"] or None,
            eviction=EVICTIONS[limits["eviction"]],
            cost_aware=bool(limits["cost_aware"]),
            dead_percent=limits["dead_percent"] or None,
        )

    def set_limits(self, limits: Limits, whole_file: bool = False) -> None:
        """Say what the space, or the whole file, may hold, until it is said again.

        It stands in the file, and every process that writes keeps to it. What is over it is evicted
        by this call and by those that write after it; pinned records stay.

        Parameters
        ----------
        limits : Limits
            All of them: what is not said is no limit.
        whole_file : bool, optional
            Of the file instead of the space.

        Raises
        ------
        InvalidError
            An unknown eviction, `cost_aware` without "s3-fifo", `dead_percent` of a space.
        NotFoundError
            The space is not there yet.
        """
        self._set_limits(
            whole_file,
            {
                "struct_size": 0,
                "max_rows": _limit("max_rows", limits.max_rows, UINT64_MAX),
                "max_bytes": _limit("max_bytes", limits.max_bytes, UINT64_MAX),
                "ttl_s": 0 if limits.ttl is None else seconds_of(limits.ttl),
                "eviction": _choice("eviction", limits.eviction, EVICTIONS),
                "cost_aware": int(limits.cost_aware),
                "dead_percent": _limit("dead_percent", limits.dead_percent, 100),
            },
        )

    def compact(self, bytes_per_second: int | None = None) -> CompactReport:
        """Give the space of deleted and overwritten records back, by writing a new file.

        Everybody reads and writes on meanwhile; row numbers stay. Afterwards `vectors` is one
        matrix. Ctrl-C stops it and leaves the file as it was.

        Parameters
        ----------
        bytes_per_second : int, optional
            Written at most, on average.

        Raises
        ------
        BusyError
            Another compaction is at work, or writers were faster than this one.
        FullError
            There is no room for the new file.
        CorruptError, StaleError
            The file is damaged, or another one is at its path.
        """
        report = self._compact(_limit("bytes_per_second", bytes_per_second, UINT64_MAX))
        return CompactReport(report["rows"], report["bytes_before"], report["bytes_after"])

    def verify(self) -> VerifyReport:
        """Check every byte of the file that is in use; what is wrong is in `findings`."""
        report, findings = self._verify()
        return VerifyReport(
            report["records"],
            report["vectors"],
            report["bytes"],
            tuple(Finding(*finding) for finding in findings),
        )

    # --- for event loops ---

    # `sync` has none, for its name would be a keyword: await asyncio.to_thread(cache.sync).
    aget = twin(_native.Handle.get)
    aget_record = twin(_native.Handle.get_record)
    aget_many = twin(_native.Handle.get_many)
    aget_rows = twin(_native.Handle.get_rows)
    aset = twin(_native.Handle.set)
    aset_many = twin(_native.Handle.set_many)
    adelete = twin(_native.Handle.delete)
    asearch = twin(search)
    afind_similar = twin(find_similar)
    amaintain = twin(_native.Handle.maintain)
    acompact = twin(compact)
    averify = twin(verify)
    aclose = twin(close)

    async def __aenter__(self) -> EmbedCache:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()


def _without_gone(
    records: list[Record | None], scores: Floats, complete: bool
) -> tuple[list[Record], Floats, bool]:
    """Leaves out what was deleted after it had been found; then the answer is not complete."""
    there = [record for record in records if record is not None]
    if len(there) == len(records):
        return there, scores, complete
    return there, scores[[record is not None for record in records]], False


def _limit(what: str, value: int | None, most: int) -> int:
    """A limit as the library takes it, which says 0 for none."""
    return 0 if value is None else integer(what, value, 1, most)


def _choice(what: str, word: str, words: tuple[str, ...]) -> int:
    if word not in words:
        raise InvalidError(f"{what} is {word!r}: it has to be one of {', '.join(words)}")
    return words.index(word)


@atexit.register
def _close_all() -> None:
    for cache in list(_open):
        try:
            cache.close()
        except Exception:  # the others are closed all the same
            sys.excepthook(*sys.exc_info())


def _remove_directory(directory: str | None, owner: int) -> None:
    """Removes the private file of a cache, in the process that made it."""
    if directory is not None and os.getpid() == owner:
        shutil.rmtree(directory, ignore_errors=True)
