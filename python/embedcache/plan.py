# SPDX-License-Identifier: Apache-2.0
"""What `get_or_compute` does, step by step; who carries it out, threads or tasks, is not said here.

`Plan.steps` is a generator. It reads, claims and stores by itself, and yields what only its driver
(compute.py) can do: `Embed`, to call the embedder, and `Wait`, to wait for others; `Done` is last.

What is always true:

1. A text is embedded by who has claimed it, and stored before the claim is given back.
2. Whoever can compute does not wait: first come all of its own texts, then the wait, which holds
   nothing. So two that want each other's texts never wait for each other.
3. What was stored stays, whatever comes after it: a failure, Ctrl-C, a cancelled task.
4. Nothing of an embedder's answer is stored before all of it was checked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from embedcache._native import Claims, Handle
from embedcache.convert import DIMS_UNKNOWN, as_matrix, seconds_of
from embedcache.errors import InvalidError
from embedcache.progress import Progress, shown

COST_MAX = 0xFFFFFFFF
CLAIMED_MAX = 1024  # texts of which one claim may have to compute all: EDB_CLAIM_MINE_MAX

Floats = NDArray[np.float32]
Item = TypeVar("Item")


@dataclass(frozen=True)
class Embedded:
    """What an embedder may return instead of vectors alone: vectors, and what they cost.

    Parameters
    ----------
    vectors : array_like
        Shape (n, dimension), of n texts.
    cost : int or sequence of int
        Of all of them, in a unit of yours, for instance tokens: it is shared out by the lengths of
        the texts. Or n costs.
    """

    vectors: Any
    cost: int | Sequence[int]


@dataclass(frozen=True)
class Options:
    """What was asked for beside texts and embedder. See `Computing.get_or_compute`."""

    batch_size: int
    ttl: Any
    cost: int | Callable[[str], int]
    wait: float
    progress: Progress
    stores: bool  #: False: what is computed is returned only, for the cache takes no writes


@dataclass(frozen=True)
class Embed:
    """The driver calls the embedder with these and sends what it answers."""

    texts: list[str]


@dataclass(frozen=True)
class Wait:
    """The driver calls `claims.wait` until it is True or the time is over, and sends which."""

    claims: Claims
    seconds: float


@dataclass(frozen=True)
class Done:
    """The last step."""

    vectors: Floats


Steps = Generator[Embed | Wait | Done, Any, None]


class Plan:
    """One call of `get_or_compute`: what was asked for, and what of it is still missing."""

    def __init__(self, cache: Handle, texts: Iterable[str], options: Options) -> None:
        self._cache = cache
        self._texts = _as_texts(texts)
        self._options = options
        _check_options(cache, options)

    def steps(self) -> Steps:
        """Carry it out."""
        self._read_all()
        with shown(self._options.progress, len(self._missing)) as self._advance:
            while self._missing:
                others = yield from self._compute_own()
                yield from self._wait_for(others)
                self._read_missing()
        yield Done(self._vectors)

    # --- reading ---

    def _read_all(self) -> None:
        try:
            self._vectors, found = self._cache.get_many(self._texts)
        except InvalidError:
            _refuse_surrogates(self._texts)
            raise
        self._missing: dict[str, list[int]] = {}  # a text -> where it is among all texts
        for at in np.flatnonzero(~found).tolist():
            self._missing.setdefault(self._texts[at], []).append(at)

    def _read_missing(self) -> None:
        """Takes what others have stored; what is gone again stays missing."""
        texts = list(self._missing)
        for batch in _batches(texts, CLAIMED_MAX):
            vectors, found = self._cache.get_many(batch)
            there = np.flatnonzero(found)
            self._fill([batch[at] for at in there], vectors[there])

    def _fill(self, texts: list[str], vectors: Floats) -> None:
        if self._vectors.shape[1] == 0:  # there was no space yet, so nobody knew the dimension
            self._vectors = np.zeros((len(self._texts), vectors.shape[1]), np.float32)
        for text, vector in zip(texts, vectors, strict=True):
            self._vectors[self._missing.pop(text)] = vector
        self._advance(len(texts))

    # --- computing ---

    def _compute_own(self) -> Generator[Embed, Any, list[str]]:
        """Computes all that nobody else does, in full batches; returns what others compute."""
        queue = deque(self._missing)
        others: list[str] = []
        while queue:
            with ExitStack() as held:
                own: list[str] = []
                while queue and len(own) < self._options.batch_size:
                    room = self._options.batch_size - len(own)
                    asked = [queue.popleft() for _ in range(min(room, len(queue), CLAIMED_MAX))]
                    claims = self._cache._claim(asked) if self._options.stores else None
                    if claims is None:  # no space yet, or none to store in
                        own += asked
                        continue
                    held.callback(claims.close)
                    own += claims.mine
                    others += claims.waiting
                if own:
                    yield from self._compute(own)
        return others

    def _wait_for(self, others: list[str]) -> Generator[Embed | Wait, Any, None]:
        """Waits for what others compute, and computes what they give up or keep for too long."""
        for watched in _batches(others, CLAIMED_MAX):
            claims = self._cache._claim(watched)
            assert claims is not None  # others have claimed in this space
            with closing(claims):
                while True:
                    yield from self._compute_all(claims.mine)
                    if not claims.waiting:
                        break
                    if not (yield Wait(claims, self._options.wait)):
                        yield from self._compute_all(claims.waiting)
                        break

    def _compute_all(self, texts: list[str]) -> Generator[Embed, Any, None]:
        for batch in _batches(texts, self._options.batch_size):
            yield from self._compute(batch)

    def _compute(self, texts: list[str]) -> Generator[Embed, Any, None]:
        cost = self._options.cost
        costs: int | list[int] = (
            [_checked_cost(cost(text)) for text in texts] if callable(cost) else _checked_cost(cost)
        )
        answer = yield Embed(list(texts))
        if isinstance(answer, Embedded):
            costs = _costs_of(answer, texts)
            answer = answer.vectors
        vectors = self._checked(texts, answer)
        if self._options.stores:
            self._cache.set_many(texts, vectors, ttl=self._options.ttl, cost=costs)
        self._fill(texts, vectors)

    def _checked(self, texts: list[str], answer: Any) -> Floats:
        dimension = self._cache.dimension or self._vectors.shape[1] or DIMS_UNKNOWN
        try:
            vectors = as_matrix(answer, len(texts), dimension)
        except (InvalidError, TypeError) as error:
            raise type(error)(f"embed was given {_count(texts)}, but {error}") from None
        bad = np.argwhere(~np.isfinite(vectors))
        if len(bad):
            row, element = bad[0].tolist()
            raise InvalidError(
                f"embed was given {_count(texts)}, but element {element} of the vector that it "
                f"returned for {texts[row]!r:.60} is NaN or infinite"
            )
        return vectors


def _batches(items: list[Item], size: int) -> Iterator[list[Item]]:
    return (items[at : at + size] for at in range(0, len(items), size))


# --- what was given ---


def _as_texts(texts: Iterable[str]) -> list[str]:
    if isinstance(texts, str | bytes):
        raise TypeError(f"texts is one {type(texts).__name__}, {texts!r:.60}; put it into a list")
    listed = list(texts)
    for at, text in enumerate(listed):
        if not isinstance(text, str):
            raise TypeError(f"texts[{at}] is {type(text).__name__}, not str: {text!r:.60}")
    return listed


def _refuse_surrogates(texts: list[str]) -> None:
    for at, text in enumerate(texts):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InvalidError(
                f"texts[{at}] has no UTF-8: {text!r:.60} holds a lone surrogate at {error.start}"
            ) from None


def _check_options(cache: Handle, options: Options) -> None:
    if cache.dimension == 0:
        raise InvalidError("the space has dimension 0: it holds bytes, not vectors")
    if options.batch_size < 1:
        raise InvalidError(f"batch_size is {options.batch_size}: it has to be at least 1")
    if not options.wait >= 0:
        raise InvalidError(f"wait is {options.wait}: it has to be 0 or more seconds")
    if options.ttl is not None:
        seconds_of(options.ttl)
    if not callable(options.cost):
        _checked_cost(options.cost)


def _checked_cost(cost: Any) -> int:
    if not isinstance(cost, int | np.integer) or not 0 <= cost <= COST_MAX:
        raise InvalidError(f"a cost is {cost!r}: it has to be an int of 0 to {COST_MAX}")
    return int(cost)


def _costs_of(embedded: Embedded, texts: list[str]) -> list[int]:
    """Shares out the cost of a batch by the lengths of its texts; the shares add up to it."""
    if not isinstance(embedded.cost, int | np.integer):
        costs = [_checked_cost(cost) for cost in embedded.cost]
        if len(costs) != len(texts):
            raise InvalidError(f"embed was given {_count(texts)}, but returned {len(costs)} costs")
        return costs
    total = _checked_cost(embedded.cost)
    ends = [0]
    for text in texts:
        ends.append(ends[-1] + len(text) + 1)
    upto = [total * end // ends[-1] for end in ends]
    return [after - before for before, after in pairwise(upto)]


def _count(texts: list[str]) -> str:
    return f"{len(texts)} text{'s' * (len(texts) != 1)}"
