# SPDX-License-Identifier: Apache-2.0
"""What can go wrong: one family of exceptions, one class for each status of the library.

Each class is also the builtin that fits it, so ``except KeyError`` and ``except OSError`` work as
everywhere. The message names the value and, where there is one, the way out. Nothing here knows
more than the number of a status and its sentence.
"""

from __future__ import annotations


class EmbedCacheError(Exception):
    """The head of the family. ``status`` is the library's number, 0 where it was not asked."""

    status: int = 0


class NotFoundError(EmbedCacheError, KeyError):
    """No such key, row or space."""

    status = -1

    # KeyError shows its argument quoted, as if it were the key.
    __str__ = Exception.__str__


class MissingFileError(EmbedCacheError, FileNotFoundError):
    """The file or its directory is absent, and it was not to be created."""

    status = -1


class InvalidError(EmbedCacheError, ValueError):
    """An argument is wrong; nothing was done."""

    status = -2


class ClosedError(EmbedCacheError, ValueError):
    """The cache, the iteration or the transaction was closed before."""


class MismatchError(EmbedCacheError, ValueError):
    """The space exists with another model, dimension, metric, role or revision."""

    status = -3


class BusyError(EmbedCacheError, TimeoutError):
    """Another writer held the file for the whole wait; try again."""

    status = -4


class ReadOnlyError(EmbedCacheError, PermissionError):
    """The cache, the file, its medium or its damage allows no writing."""

    status = -5


class StorageError(EmbedCacheError, OSError):
    """The system failed. From a write: outcome unknown, and the cache takes no more writes."""

    status = -6


class FullError(EmbedCacheError, OSError):
    """No room on the device; nothing was stored."""

    status = -7


class NoMemoryError(EmbedCacheError, MemoryError):
    """Out of memory or address space; nothing was stored."""

    status = -8


class CorruptError(EmbedCacheError, OSError):
    """Damage was found where the answer lies: never a wrong answer instead."""

    status = -9


class FormatError(EmbedCacheError, ValueError):
    """Not an .edb file, or one of a newer format."""

    status = -10


class ExistsError(EmbedCacheError, FileExistsError):
    """The file is there, and it was to be new."""

    status = -11


class StaleError(EmbedCacheError, OSError):
    """The file at the path, or what is in it, was exchanged: open the cache again."""

    status = -12


class ForkedError(EmbedCacheError, RuntimeError):
    """An iteration or transaction that began before fork() was used in the child."""

    status = -13


class CancelledError(EmbedCacheError, RuntimeError):
    """Somebody asked to stop."""

    status = -14


_BY_STATUS: dict[int, type[EmbedCacheError]] = {
    kind.status: kind
    for kind in (
        NotFoundError,
        InvalidError,
        MismatchError,
        BusyError,
        ReadOnlyError,
        StorageError,
        FullError,
        NoMemoryError,
        CorruptError,
        FormatError,
        ExistsError,
        StaleError,
        ForkedError,
        CancelledError,
    )
}


def error_of(status: int, sentence: str) -> EmbedCacheError:
    """The exception for a status of the library, to be raised by the caller."""
    kind = _BY_STATUS.get(status)
    if kind is not None:
        return kind(sentence)
    error = EmbedCacheError(sentence)
    error.status = status
    return error
