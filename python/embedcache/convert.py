# SPDX-License-Identifier: Apache-2.0
"""From what people have to what the library takes: vectors, metadata, times.

Called by _native.pyx. An array that is right already passes through without a copy; NaN and
infinity are left to the library, which looks at every number anyway.
"""

from __future__ import annotations

import json
import math
import operator
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedcache.errors import InvalidError

DIMS_UNKNOWN = -1
TTL_NEVER = 0xFFFFFFFF
UINT32_MAX = 0xFFFFFFFF
FLOAT32_MAX = float(np.finfo(np.float32).max)
# Looked at together, so that little memory is taken beside the vectors.
ROWS_AT_ONCE = 4096

Floats = NDArray[np.float32]


def as_vector(vector: Any, dims: int) -> Floats:
    """One vector of `dims` numbers (DIMS_UNKNOWN: of any), float32, C order."""
    array = _floats(vector)
    if array.ndim != 1 or array.shape[0] == 0 or dims not in (DIMS_UNKNOWN, array.shape[0]):
        wanted = "(n,)" if dims == DIMS_UNKNOWN else f"({dims},)"
        raise InvalidError(f"the vector has shape {array.shape}; the space takes {wanted}")
    return array


def as_matrix(vectors: Any, rows: int, dims: int) -> Floats:
    """`rows` vectors of `dims` numbers (DIMS_UNKNOWN: of any), float32, C order."""
    array = _floats(vectors)
    if rows == 0 and array.size == 0:
        return array.reshape(0, max(dims, 0))
    fits = array.ndim == 2 and array.shape[0] == rows and array.shape[1] > 0
    if not fits or dims not in (DIMS_UNKNOWN, array.shape[1]):
        wanted = "n" if dims == DIMS_UNKNOWN else str(dims)
        raise InvalidError(
            f"the vectors have shape {array.shape}; with {rows} keys, ({rows}, {wanted}) is needed"
        )
    return array


def as_queries(queries: Any, dims: int) -> tuple[Floats, bool]:
    """One query or many, as a matrix, and whether it was one."""
    array = _floats(queries)
    if array.ndim not in (1, 2) or dims not in (DIMS_UNKNOWN, array.shape[-1]):
        wanted = "n" if dims == DIMS_UNKNOWN else str(dims)
        raise InvalidError(
            f"the query has shape {array.shape}; ({wanted},) is needed, or (queries, {wanted})"
        )
    return np.atleast_2d(array), array.ndim == 1


def as_rows(rows: Any) -> NDArray[np.int64]:
    """Row numbers. Those below 0 are no row of anything, which the library sees."""
    array = np.asarray(rows)
    if array.size == 0:
        return np.empty(0, np.int64)
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise TypeError(
            f"row numbers are integers in one dimension, not {array.dtype} {array.shape}"
        )
    return np.ascontiguousarray(array, np.int64)


def check_finite(vectors: Floats) -> None:
    """Refuses what the library would refuse, before anything is done for it."""
    matrix = np.atleast_2d(vectors)
    for first in range(0, len(matrix), ROWS_AT_ONCE):
        bad = np.argwhere(~np.isfinite(matrix[first : first + ROWS_AT_ONCE]))
        if len(bad):
            row, element = bad[0]
            where = f"row {first + row} of the batch: " if vectors.ndim == 2 else ""
            raise InvalidError(f"{where}element {element} of the vector is NaN or infinite")


def as_value(value: Any) -> NDArray[np.uint8]:
    """A value of a space of dimension 0: the bytes of whatever lends them."""
    if isinstance(value, str):
        raise TypeError(f"a space of dimension 0 takes bytes, not str: {value!r:.60}")
    raw = value if isinstance(value, bytes) else memoryview(value).tobytes()
    return np.frombuffer(raw, np.uint8) if raw else np.empty(0, np.uint8)


def _floats(numbers: Any) -> Floats:
    array = numbers if type(numbers) is np.ndarray else _array_of(numbers)
    if array.dtype != np.float32:
        # bfloat16 and its kind come from ml_dtypes, which says what it can become.
        if array.dtype.kind not in "fiuV" or (array.dtype.kind == "V" and array.dtype.names):
            raise TypeError(f"a vector is of numbers, not of {array.dtype}: {numbers!r:.60}")
        with np.errstate(over="ignore"):  # an infinity is refused by the library, with its place
            array = array.astype(np.float32)
    return np.ascontiguousarray(array) if array.ndim else array


def _array_of(numbers: Any) -> NDArray[Any]:
    if np.ma.is_masked(numbers):
        raise InvalidError("a vector holds masked elements: say what they are, by filled(...)")
    if hasattr(numbers, "detach"):  # a torch tensor, which may have a gradient and be elsewhere
        numbers = numbers.detach().cpu()
        if "bfloat16" in str(numbers.dtype):
            numbers = numbers.float()
    if hasattr(numbers, "__dlpack__") and not hasattr(numbers, "__array__"):
        return np.from_dlpack(numbers)
    try:
        return np.asarray(numbers)
    except ValueError as error:
        raise InvalidError(f"this is no array of numbers: {error}") from None


def json_of(metadata: Any) -> str:
    """A dict as the JSON object that is stored; NumPy's scalars count as numbers."""
    if not isinstance(metadata, dict):
        raise TypeError(f"metadata is a dict, not {type(metadata).__name__}: {metadata!r:.60}")
    try:
        return json.dumps(
            metadata, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain
        )
    except (ValueError, RecursionError) as error:
        raise InvalidError(f"this metadata has no JSON: {error}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"metadata is JSON: {type(value).__name__} has none")


def integer(what: str, value: Any, least: int, most: int) -> int:
    """An integer within bounds."""
    try:
        number: int = operator.index(value)
    except TypeError:
        raise TypeError(f"{what} is {value!r}: it has to be an integer") from None
    if not least <= number <= most:
        raise InvalidError(f"{what} is {number}: it has to be {least} to {most}")
    return number


def finite(what: str, value: Any) -> float:
    """A number that float32 holds."""
    if not abs(value) <= FLOAT32_MAX:
        raise InvalidError(f"{what} is {value!r}: it has to be a number that float32 holds")
    return float(value)


def milliseconds(what: str, seconds: float) -> int:
    """Seconds as the library takes them: at least one millisecond."""
    if not 0 <= seconds <= UINT32_MAX / 1000:
        raise InvalidError(f"{what} is {seconds!r}: it has to be 0 to {UINT32_MAX // 1000} seconds")
    return max(1, round(seconds * 1000))


def name_of(what: str, name: Any) -> bytes:
    """A name as the library takes it: UTF-8 that ends at its NUL."""
    if not isinstance(name, str):
        raise TypeError(f"{what} is str, not {type(name).__name__}: {name!r:.60}")
    return _without_nul(what, name, str.encode)


def path_of(path: Any) -> bytes:
    """The path of a file as the system takes it."""
    if not isinstance(path, str | bytes | os.PathLike):
        raise TypeError(
            f"path is str or os.PathLike, not {type(path).__name__}: {path!r:.60}; "
            f"a number of numbers in a vector is dimension={path!r:.60}"
        )
    return _without_nul("path", os.fspath(path), os.fsencode)


def _without_nul(what: str, name: Any, encode: Callable[[Any], bytes]) -> bytes:
    try:
        encoded = encode(name)
    except UnicodeEncodeError:
        raise InvalidError(
            f"{what} is {name!r:.60}: it has no UTF-8, for it holds lone surrogates"
        ) from None
    if b"\0" in encoded:
        raise InvalidError(f"{what} is {name!r:.60}: it may not hold a NUL")
    return encoded


def seconds_of(ttl: Any) -> int:
    """Whole seconds until a record expires, as the library takes them."""
    seconds = ttl.total_seconds() if isinstance(ttl, timedelta) else ttl
    if seconds == math.inf:
        return TTL_NEVER
    if not 0 < seconds < TTL_NEVER:
        raise InvalidError(
            f"ttl is {ttl!r}: it has to be over 0 and under 2^32 - 1 seconds, or math.inf for never"
        )
    return math.ceil(seconds)
