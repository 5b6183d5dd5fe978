# SPDX-License-Identifier: Apache-2.0
"""What `EmbedCache` answers with, where it is more than a vector: plain values, no handles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedcache._native import Record


class Hits:
    """What a search found, best first; of equal scores the lower row first.

    Of one query every attribute is a list (scores and rows: an array); of many queries it is a list
    of these, one for each query.
    """

    def __init__(
        self,
        found: Sequence[tuple[list[Record], NDArray[np.float32], bool]],
        single: bool,
    ) -> None:
        self._found = found
        self._single = single

    def _each(self, values: list[Any]) -> Any:
        return values[0] if self._single else values

    @property
    def records(self) -> Any:
        """The records themselves, which stay valid."""
        return self._each([records for records, _, _ in self._found])

    @property
    def keys(self) -> Any:
        """Their keys: str where the bytes are UTF-8, else bytes."""
        return self._each([[record.key for record in records] for records, _, _ in self._found])

    @property
    def scores(self) -> Any:
        """How near they are, float32: cosine, dot product, or squared distance (metric "l2")."""
        return self._each([scores for _, scores, _ in self._found])

    @property
    def rows(self) -> Any:
        """Their row numbers, int64."""
        return self._each(
            [
                np.array([record.row for record in records], np.int64)
                for records, _, _ in self._found
            ]
        )

    @property
    def texts(self) -> Any:
        """Their texts, None where there is none."""
        return self._each([[record.text for record in records] for records, _, _ in self._found])

    @property
    def metadata(self) -> Any:
        """Their metadata, None where there is none."""
        return self._each(
            [[record.metadata for record in records] for records, _, _ in self._found]
        )

    @property
    def complete(self) -> bool:
        """Whether every record of the space was considered, for every query."""
        return all(complete for _, _, complete in self._found)

    def __len__(self) -> int:
        """Hits of one query, or queries of many."""
        return len(self._found[0][0]) if self._single else len(self._found)

    def __repr__(self) -> str:
        if not self._single:
            return f"<Hits of {len(self)} queries>"
        shown = ", ".join(
            f"{key!r}: {score:.3f}" for key, score in zip(self.keys, self.scores, strict=True)
        )
        return f"<Hits {{{shown}}}>"


@dataclass(frozen=True)
class Stats:
    """Figures of a space and its file; cost is in the unit that `set` was given."""

    rows: int  #: records that are there; expired ones count until they are evicted
    rows_given: int  #: row numbers given so far
    row_bytes: int  #: about what the records take in the file
    hits: int  #: of gets by key, by all who write, as far as they handed them over
    misses: int
    hit_bytes: int  #: of the vectors that were hit
    hit_cost: int  #: what they would have cost again
    evictions: int
    file_bytes: int  #: size of the file, reserved room included
    used_bytes: int  #: of it, up to the end of the last commit
    synced_bytes: int  #: of it, known to survive a power failure

    @property
    def hit_rate(self) -> float:
        """Hits among all gets; 0 before the first."""
        return self.hits / max(1, self.hits + self.misses)


@dataclass(frozen=True)
class Limits:
    """What a space or a file may hold. None: no limit."""

    max_rows: int | None = None
    max_bytes: int | None = None
    ttl: int | None = None  #: seconds, of records that are set without one
    eviction: str = "s3-fifo"  #: or "lru" or "fifo": what goes first
    cost_aware: bool = False  #: what cost much stays longer; "s3-fifo" only
    dead_percent: int | None = None  #: of a file: when so much of it is dead it is compacted


@dataclass(frozen=True)
class CompactReport:
    """What a compaction did."""

    rows: int  #: that were copied
    bytes_before: int  #: of the file
    bytes_after: int


@dataclass(frozen=True)
class Finding:
    """A damaged place of a file."""

    offset: int
    bytes: int
    message: str


@dataclass(frozen=True)
class VerifyReport:
    """What was read and checked, and what is wrong."""

    records: int
    vectors: int
    bytes: int  #: read and checked
    findings: tuple[Finding, ...]

    @property
    def good(self) -> bool:
        """Whether all is well."""
        return not self.findings
