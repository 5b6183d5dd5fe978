# SPDX-License-Identifier: Apache-2.0
"""`EmbedCache`: one space of one file, as people use it.

What has to be fast (get, get_many, set, set_many, `in`) it inherits from `_native.Handle`; here is
what is decided: where the file is, what was said of the space, and what becomes of both in other
processes.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from functools import partial
from typing import Any

from embedcache import _native

METRICS = ("cosine", "dot", "l2")
ROLES = ("none", "query", "document")
DURABILITIES = ("lazy", "durable")


class EmbedCache(_native.Handle):
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
    What is left out (None) counts as it is in the file. A cache may be used by many threads; it
    goes on in a child after fork(), and to other processes by pickle, by opening its file again.
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
        given = {
            name: value for name, value in locals().items() if name not in ("self", "__class__")
        }
        directory = None
        if path is None:
            directory = tempfile.mkdtemp(prefix="embedcache-")
            path = os.path.join(directory, "private.edb")
        given["path"] = self.path = os.path.abspath(os.fspath(path))
        self.space = space
        self.similarity_threshold = similarity_threshold
        self._given = given
        self._remove = weakref.finalize(self, _remove_directory, directory, os.getpid())
        super().__init__(
            os.fsencode(self.path),
            (_native.OPEN_READ_ONLY if read_only else 0)
            | (_native.OPEN_SNAPSHOT if snapshot else 0),
            1 + DURABILITIES.index(durability),
            max(1, round(busy_wait * 1000)),
            file_mode,
            (
                space.encode(),
                None if model is None else model.encode(),
                None if revision is None else revision.encode(),
                dimension,
                None if metric is None else METRICS.index(metric),
                None if role is None else ROLES.index(role),
            ),
        )

    def close(self) -> None:
        """Close the file. Arrays, records and matrices that were given stay valid.

        What was stored through this cache is synced: it survives power loss from then on. Open
        iterations and transactions end. A private file is removed. Closing again does nothing.

        Raises
        ------
        StorageError, FullError, BusyError, StaleError
            The last sync failed: what was stored lazily may not survive power loss.
        """
        try:
            super().close()
        finally:
            self._remove()

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(type(self), **self._given), ()

    def __enter__(self) -> EmbedCache:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _remove_directory(directory: str | None, owner: int) -> None:
    """Removes the private file of a cache, in the process that made it."""
    if directory is not None and os.getpid() == owner:
        shutil.rmtree(directory, ignore_errors=True)
