# SPDX-License-Identifier: Apache-2.0
"""From the caches that people have: LangChain's LocalFileStore, arrays with ids, diskcache, SQLite.

Each function reads one kind of store, writes nothing to it, and puts what it finds into a cache by
transactions of some thousand rows. A key that is there already stays as it is, so an import that
was broken off is run again and goes on; `replace=True` takes the store's vectors instead. Nothing
that a store holds is executed: of pickled objects only NumPy's arrays and plain values are made.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from embedcache.cache import EmbedCache
from embedcache.errors import InvalidError
from embedcache.progress import Progress, shown

ROWS_AT_ONCE = 4096
BYTES_AT_ONCE = 64 << 20

StrPath = str | os.PathLike[str]


@dataclass(frozen=True)
class Imported:
    """What an import did."""

    stored: int
    kept: int  #: keys that were there already, and stayed as they were
    missing: int = 0  #: texts that were asked for and are not in the store


class Row(NamedTuple):
    """What a store has under a key, and where, for messages."""

    key: str | bytes
    vector: Any
    where: str
    ttl: float | None = None


# --- LangChain ---


def from_langchain(
    cache: EmbedCache,
    directory: StrPath,
    texts: Iterable[str] | None = None,
    *,
    namespace: str = "",
    key_encoder: str | Callable[[str], str] = "sha1",
    replace: bool = False,
    progress: Progress = False,
) -> Imported:
    """Import a `LocalFileStore` that a `CacheBackedEmbeddings` has filled.

    Parameters
    ----------
    cache : EmbedCache
        Takes the vectors.
    directory : str or os.PathLike
        Of the store.
    texts : iterable of str, optional
        The texts that were embedded: each becomes the key of its vector, as `get_or_compute` asks
        for it. The store knows only digests: without texts the keys are the names of its files.
    namespace : str, optional
        That of the store, usually the name of the model.
    key_encoder : {"sha1", "blake2b", "sha256", "sha512"} or callable, optional
        That of the store: how a file's name comes from a text. What a function returns is the
        whole name.
    replace, progress : optional
        Whether vectors replace those that are there; whether a bar is shown, or a function told.

    Returns
    -------
    Imported

    Raises
    ------
    InvalidError
        A file holds no list of numbers, or one of another dimension; the message names it.
        Transactions before it are stored.
    FileNotFoundError
        There is no such directory.
    """
    root = Path(directory)
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is no directory")
    if texts is None:
        names = sorted(
            path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()
        )
        wanted = [(name, name) for name in names if name.startswith(namespace)]
    else:
        encode = _key_encoder(namespace, key_encoder)
        wanted = [(text, encode(text)) for text in texts]
    there = [(key, root / name) for key, name in wanted if (root / name).is_file()]
    rows = (Row(key, _json_vector(path.read_bytes(), str(path)), str(path)) for key, path in there)
    done = _store(cache, rows, len(there), replace, progress)
    return Imported(done.stored, done.kept, len(wanted) - len(there))


def _key_encoder(namespace: str, encoder: str | Callable[[str], str]) -> Callable[[str], str]:
    if callable(encoder):
        return encoder
    if encoder == "sha1":
        space = uuid.UUID(int=1985)
        return lambda text: (
            namespace + str(uuid.uuid5(space, hashlib.sha1(text.encode()).hexdigest()))
        )
    if encoder not in ("blake2b", "sha256", "sha512"):
        raise InvalidError(
            f"key_encoder is {encoder!r}: sha1, blake2b, sha256, sha512 or a function"
        )
    return lambda text: namespace + hashlib.new(encoder, text.encode()).hexdigest()


# --- arrays ---


def from_arrays(
    cache: EmbedCache,
    vectors: ArrayLike | StrPath,
    keys: Iterable[str | bytes | int] | None = None,
    *,
    replace: bool = False,
    progress: Progress = False,
) -> Imported:
    """Import the rows of an array: an .npy file, a memory map, or any other.

    Parameters
    ----------
    cache : EmbedCache
        Takes the vectors.
    vectors : array_like, or str or os.PathLike of an .npy file
        Shape (n, dimension), of numbers. A file is mapped, not loaded.
    keys : iterable of str, bytes or int, optional
        n keys; an int is its decimal digits. Without: the row numbers.
    replace, progress : optional
        As in `from_langchain`.

    Returns
    -------
    Imported

    Raises
    ------
    InvalidError
        Not n keys, another dimension, NaN or infinity; the message names the row.
    """
    if isinstance(vectors, str | os.PathLike):
        vectors = np.load(vectors, mmap_mode="r")
    matrix = np.asanyarray(vectors)
    if matrix.ndim != 2:
        raise InvalidError(f"the vectors have shape {matrix.shape}; (n, dimension) is needed")
    names = [
        str(key) if isinstance(key, int | np.integer) else key for key in _keys_of(matrix, keys)
    ]
    if len(names) != len(matrix):
        raise InvalidError(f"there are {len(matrix)} vectors but {len(names)} keys")
    rows = (Row(key, matrix[at], f"row {at}") for at, key in enumerate(names))
    return _store(cache, rows, len(names), replace, progress)


def _keys_of(matrix: np.ndarray[Any, Any], keys: Iterable[Any] | None) -> Iterable[Any]:
    return range(len(matrix)) if keys is None else keys


# --- SQLite ---


def from_sqlite(
    cache: EmbedCache,
    path: StrPath,
    table: str,
    *,
    key: str = "key",
    vector: str = "vector",
    dtype: DTypeLike = np.float32,
    replace: bool = False,
    progress: Progress = False,
) -> Imported:
    """Import a table of keys and vectors from any SQLite database, which is opened read-only.

    Parameters
    ----------
    cache : EmbedCache
        Takes the vectors.
    path : str or os.PathLike
        Of the database.
    table : str
        Its name, or that of a view.
    key, vector : str, optional
        Names of the columns. Keys are text, blobs or integers (their decimal digits); vectors are
        blobs of numbers, or JSON lists.
    dtype : dtype, optional
        Of the numbers in a blob, in the machine's byte order or the one that it says (">f4").
    replace, progress : optional
        As in `from_langchain`.

    Returns
    -------
    Imported

    Raises
    ------
    InvalidError
        A vector is none of these, or of another dimension; the message names the key.
    sqlite3.Error
        The database has no such table or columns, or cannot be read.
    """
    with closing(_open_database(Path(path))) as database:
        source = f'"{_quoted(table)}"'
        [[total]] = database.execute(f"SELECT count(*) FROM {source}")
        # With the table's name before it, a column that is not there is not taken for a string.
        columns = ", ".join(f'{source}."{_quoted(name)}"' for name in (key, vector))
        found = database.execute(f"SELECT {columns} FROM {source}")
        rows = (_sqlite_row(name, value, np.dtype(dtype), table) for name, value in found)
        return _store(cache, rows, total, replace, progress)


def _open_database(path: Path) -> sqlite3.Connection:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is no file")
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)


def _quoted(name: str) -> str:
    return name.replace('"', '""')


def _sqlite_row(name: Any, value: Any, dtype: np.dtype[Any], table: str) -> Row:
    where = f"{table}, key {name!r:.60}"
    if isinstance(value, bytes):
        return Row(_key_of(name, where), _blob_vector(value, dtype, where), where)
    return Row(_key_of(name, where), _json_vector(value, where), where)


def _key_of(name: Any, where: str) -> str | bytes:
    if isinstance(name, int):
        return str(name)
    if not isinstance(name, str | bytes):
        raise InvalidError(f"{where}: a key is text, a blob or an integer")
    return name


def _blob_vector(blob: bytes, dtype: np.dtype[Any], where: str) -> np.ndarray[Any, Any]:
    if len(blob) % dtype.itemsize:
        raise InvalidError(f"{where}: {len(blob)} bytes are no numbers of {dtype}")
    return np.frombuffer(blob, dtype)


def _json_vector(text: Any, where: str) -> Any:
    try:
        vector = json.loads(text)
    except (ValueError, TypeError) as error:
        raise InvalidError(f"{where}: this is no JSON: {error}") from None
    if not isinstance(vector, list):
        raise InvalidError(f"{where}: this is no list of numbers: {text!r:.60}")
    return vector


# --- diskcache ---

RAW, BINARY, TEXT, PICKLE = 1, 2, 3, 4  # modes of a value


def from_diskcache(
    cache: EmbedCache,
    directory: StrPath,
    *,
    dtype: DTypeLike = np.float32,
    replace: bool = False,
    progress: Progress = False,
) -> Imported:
    """Import a `diskcache.Cache` or `FanoutCache`, without the package.

    Parameters
    ----------
    cache : EmbedCache
        Takes the vectors, and when they expire.
    directory : str or os.PathLike
        Of the diskcache.
    dtype : dtype, optional
        Of the numbers of values that are bytes. NumPy arrays say it themselves; lists of numbers
        and JSON are taken, too.
    replace, progress : optional
        As in `from_langchain`.

    Returns
    -------
    Imported

    Raises
    ------
    InvalidError
        A key is no str, bytes or int; a value is no vector, or asks for anything but a NumPy array
        to be unpickled. The message names the key; transactions before it are stored.
    FileNotFoundError
        There is no diskcache.
    """
    databases = sorted(Path(directory).rglob("cache.db"))
    if not databases:
        raise FileNotFoundError(f"{directory} holds no cache.db, which a diskcache has")
    stored = kept = 0
    for path in databases:
        with closing(_open_database(path)) as database:
            alive = "(expire_time IS NULL OR expire_time > ?)"
            now = (time.time(),)
            [[total]] = database.execute(f"SELECT count(*) FROM Cache WHERE {alive}", now)
            found = database.execute(
                "SELECT key, raw, expire_time, mode, filename, value FROM Cache"
                f" WHERE {alive} ORDER BY rowid",
                now,
            )
            rows = (_diskcache_row(path.parent, np.dtype(dtype), *each) for each in found)
            done = _store(cache, rows, total, replace, progress)
            stored, kept = stored + done.stored, kept + done.kept
    return Imported(stored, kept)


def _diskcache_row(
    directory: Path, dtype: np.dtype[Any], key: Any, raw: int, expiry: float | None, *value: Any
) -> Row:
    where = f"{directory}, key {key!r:.60}"
    if not raw:
        raise InvalidError(
            f"{where}: the key is a pickled object; only str, bytes and int are keys"
        )
    ttl = None if expiry is None else max(1.0, expiry - time.time())
    return Row(_key_of(key, where), _diskcache_value(directory, dtype, where, *value), where, ttl)


def _diskcache_value(
    directory: Path, dtype: np.dtype[Any], where: str, mode: int, filename: str | None, value: Any
) -> Any:
    if filename is not None:
        path = (directory / filename).resolve()
        if not path.is_relative_to(directory.resolve()):
            raise InvalidError(f"{where}: its file {filename!r} is not in the cache")
        value = path.read_bytes()
    if mode == PICKLE:
        return _unpickled(value, where)
    if isinstance(value, bytes) and mode in (RAW, BINARY):
        return _blob_vector(value, dtype, where)
    return _json_vector(value, where)


class _ArraysOnly(pickle.Unpickler):
    """Makes NumPy arrays and plain values of a pickle, and nothing else."""

    ALLOWED = frozenset(
        (module, name)
        for core in ("numpy.core", "numpy._core")
        for module, name in (
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
            (f"{core}.multiarray", "_reconstruct"),
            (f"{core}.multiarray", "scalar"),
            (f"{core}.numeric", "_frombuffer"),
            ("_codecs", "encode"),
        )
    )

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


def _unpickled(value: bytes, where: str) -> Any:
    try:
        return _ArraysOnly(io.BytesIO(value)).load()
    except Exception as error:  # whatever a pickle can be made to raise
        raise InvalidError(f"{where}: the value is no pickled array: {error}") from None


# --- what they share ---


def _store(
    cache: EmbedCache, rows: Iterator[Row], total: int, replace: bool, progress: Progress
) -> Imported:
    stored = kept = 0
    with shown(progress, total, "vector") as advance:
        for batch in _batches(rows):
            new = {row.key: row for row in batch if replace or row.key not in cache}
            with cache.transaction() as transaction:
                for row in new.values():
                    try:
                        transaction.set(row.key, row.vector, ttl=row.ttl)
                    except (InvalidError, TypeError) as error:
                        raise InvalidError(f"{row.where}: {error}") from None
            stored, kept = stored + len(new), kept + len(batch) - len(new)
            advance(len(batch))
    return Imported(stored, kept)


def _batches(rows: Iterator[Row]) -> Iterator[list[Row]]:
    """Rows that go into one transaction."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += 4 * np.size(row.vector) + len(row.key)
        if len(batch) == ROWS_AT_ONCE or size >= BYTES_AT_ONCE:
            yield batch
            batch, size = [], 0
    yield batch
