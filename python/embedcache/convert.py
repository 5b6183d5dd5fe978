# SPDX-License-Identifier: Apache-2.0
"""From what people have to what the library takes: vectors, metadata, times.

Called by _native.pyx. An array that is right already passes through without a copy; NaN and
infinity are left to the library, which looks at every number anyway.
"""

from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedcache.errors import InvalidError

DIMS_UNKNOWN = -1
TTL_NEVER = 0xFFFFFFFF
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
    except ValueError as error:
        raise InvalidError(f"this metadata has no JSON: {error}") from None


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"metadata is JSON: {type(value).__name__} has none")


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
