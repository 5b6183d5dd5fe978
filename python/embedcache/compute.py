# SPDX-License-Identifier: Apache-2.0
"""`get_or_compute`: a cache in front of an embedder, for threads, tasks and processes.

`Computing` is the half of `EmbedCache` that embeds. What is done and in which order is decided by
plan.py; here stand the calls, and the two drivers: one for threads, which may block, and one for
tasks, which block in threads of the loop's executor only, and wait for others in none of them.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, overload

from embedcache import _native
from embedcache.plan import Done, Embed, Floats, Options, Plan, Steps, Wait
from embedcache.progress import Progress

PAUSE_FIRST_S = 0.005
PAUSE_MAX_S = 0.05
PAUSE_EACH_S = 0.001  # of many tasks that wait all together ask a thousand times a second

#: Takes n texts, returns n vectors (or `Embedded`): any array-like of shape (n, dimension).
Embedder = Callable[[list[str]], Any]
AsyncEmbedder = Callable[[list[str]], Awaitable[Any]]

_Wake = Callable[[], Any]


class Computing(_native.Handle):
    """A handle that has what is missing computed."""

    def get_or_compute(
        self,
        texts: Iterable[str],
        embed: Embedder,
        *,
        batch_size: int = 128,
        ttl: float | timedelta | None = None,
        cost: int | Callable[[str], int] = 0,
        wait: float = 60.0,
        progress: Progress = False,
    ) -> Floats:
        """Return the vectors of texts; those that are not there are embedded once, and stored.

        Of all threads, tasks and processes that miss a text at the same time one embeds it. The
        others first embed what is left to them, and then wait for it; when it fails or dies, one of
        them takes over. Where the dimension was not said and nothing has been stored yet, that
        holds from the second batch on.

        Parameters
        ----------
        texts : iterable of str
            n texts, which are the keys. A text may be there more than once.
        embed : callable
            Takes a list of m different texts and returns their vectors: array_like of shape (m,
            dimension), or `Embedded` with their cost. Called once for each `batch_size` texts that
            are missing.
        batch_size : int, optional
            Texts of one call, and of one commit: a batch that was embedded stays stored whatever
            becomes of the next ones, also after Ctrl-C.
        ttl : float or datetime.timedelta, optional
            Seconds until what is stored expires. Without: as the limits say.
        cost : int or callable, optional
            What a text costs to embed, in a unit of yours; or a function of the text that says so.
            `stats` tells what hits have saved.
        wait : float, optional
            Seconds to wait for others, as long as nothing new comes from them; after that their
            texts are embedded here, too.
        progress : bool or callable, optional
            True: show a bar while texts are embedded, where tqdm is installed. A function is called
            with how many of the missing texts are there, and of how many.

        Returns
        -------
        numpy.ndarray
            Shape (n, dimension), float32, in the order of `texts`; a new array.

        Raises
        ------
        InvalidError
            `embed` returned another count or shape, NaN or infinity: nothing of that batch is
            stored. A text with lone surrogates; an option out of range.
        TypeError
            A text is no str; the message has its index.
        Exception
            Whatever `embed` raises.

        Notes
        -----
        A cache that was opened with `read_only` or `snapshot` embeds for itself and stores nothing.
        """
        plan = self._plan(texts, batch_size, ttl, cost, wait, progress)
        steps = _Carried(plan.steps())
        try:
            return _run(steps, embed)
        finally:
            steps.close()

    async def aget_or_compute(
        self,
        texts: Iterable[str],
        embed: Embedder | AsyncEmbedder,
        *,
        batch_size: int = 128,
        ttl: float | timedelta | None = None,
        cost: int | Callable[[str], int] = 0,
        wait: float = 60.0,
        progress: Progress = False,
    ) -> Floats:
        """Do what `get_or_compute` does, and never block the event loop.

        When the task is cancelled, its claims go back to others, and finished batches stay.

        Parameters
        ----------
        texts : iterable of str
            n texts.
        embed : callable
            A coroutine function, or a function, which is called in a thread.
        batch_size, ttl, cost, wait, progress : optional
            As in `get_or_compute`.

        Returns
        -------
        numpy.ndarray
            Shape (n, dimension), float32.
        """
        steps = _Carried(self._plan(texts, batch_size, ttl, cost, wait, progress).steps())
        try:
            return await _arun(steps, embed)
        finally:
            steps.close()

    @overload
    def wrap(
        self, embed: AsyncEmbedder, **options: Any
    ) -> Callable[[Iterable[str]], Coroutine[Any, Any, Floats]]: ...
    @overload
    def wrap(self, embed: Embedder, **options: Any) -> Callable[[Iterable[str]], Floats]: ...
    @overload
    def wrap(self, **options: Any) -> Callable[[Embedder], Callable[[Iterable[str]], Any]]: ...
    def wrap(self, embed: Any = None, **options: Any) -> Any:
        """Return `embed` with this cache in front of it: texts in, vectors out.

        Parameters
        ----------
        embed : callable, optional
            As in `get_or_compute`; of a coroutine function the result is one, too. Without: a
            decorator.
        **options
            Those of `get_or_compute`.

        Examples
        --------
        >>> embed = cache.wrap(model.encode)
        >>> @cache.wrap(batch_size=64)
        ... async def embed(texts): ...
        """
        if embed is None:
            return functools.partial(self.wrap, **options)

        @functools.wraps(embed)
        def wrapped(texts: Iterable[str]) -> Floats:
            return self.get_or_compute(texts, embed, **options)

        @functools.wraps(embed)
        async def awrapped(texts: Iterable[str]) -> Floats:
            return await self.aget_or_compute(texts, embed, **options)

        return awrapped if _is_asynchronous(embed) else wrapped

    def _plan(
        self,
        texts: Iterable[str],
        batch_size: int,
        ttl: Any,
        cost: Any,
        wait: float,
        progress: Progress,
    ) -> Plan:
        return Plan(
            self, texts, Options(batch_size, ttl, cost, wait, progress, self._takes_writes())
        )


class _Waiting:
    """Tasks of this process that wait for texts, told at once when another of its calls has them.

    What other processes do they find out by asking now and then.
    """

    def __init__(self) -> None:
        self.count = 0  # of tasks
        self._lock = threading.Lock()
        self._told: dict[str, set[_Wake]] = {}

    @contextmanager
    def told(self, texts: list[str], wake: _Wake) -> Iterator[None]:
        """Calls `wake` from any thread when one of these texts was stored or given back."""
        with self._lock:
            self.count += 1
            for text in texts:
                self._told.setdefault(text, set()).add(wake)
        try:
            yield
        finally:
            with self._lock:
                self.count -= 1
                for text in texts:
                    self._told[text].discard(wake)
                    if not self._told[text]:
                        del self._told[text]

    def tell(self, texts: list[str]) -> None:
        with self._lock:
            wakes = {wake for text in texts for wake in self._told.get(text, ())}
        for wake in wakes:
            with suppress(RuntimeError):  # its loop is over
                wake()


_waiting = _Waiting()


def _wait_for_nobody() -> None:
    """In a child after fork(): the tasks are the parent's."""
    global _waiting
    _waiting = _Waiting()


os.register_at_fork(after_in_child=_wait_for_nobody)


class _Carried:
    """Steps that are carried out, perhaps in threads, and may be given up while one is taken."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._given_up = False
        self._embedding: list[str] = []

    def take(self, answer: Any) -> Embed | Wait | Done:
        step = self._steps.send(answer)
        self._tell()
        self._embedding = list(step.texts) if isinstance(step, Embed) else []
        if self._given_up:
            self.close()
        return step

    def close(self) -> None:
        self._given_up = True
        with suppress(ValueError):  # a thread is taking a step, and closes after it
            self._steps.close()
            self._tell()

    def _tell(self) -> None:
        embedded, self._embedding = self._embedding, []
        _waiting.tell(embedded)


# --- threads ---


def _run(steps: _Carried, embed: Embedder) -> Floats:
    answer: Any = None
    while not isinstance(step := steps.take(answer), Done):
        if isinstance(step, Wait):
            answer = step.claims.wait(step.seconds)
            continue
        answer = embed(step.texts)
        if inspect.isawaitable(answer):
            if inspect.iscoroutine(answer):
                answer.close()
            raise TypeError("embed is asynchronous: await aget_or_compute")
    return step.vectors


# --- tasks ---


async def _arun(steps: _Carried, embed: Embedder | AsyncEmbedder) -> Floats:
    answer: Any = None
    while not isinstance(step := await asyncio.to_thread(steps.take, answer), Done):
        answer = await (_embedded(embed, step.texts) if isinstance(step, Embed) else _waited(step))
    return step.vectors


async def _embedded(embed: Embedder | AsyncEmbedder, texts: list[str]) -> Any:
    if _is_asynchronous(embed):
        return await embed(texts)
    answer = await asyncio.to_thread(_called, embed, texts)
    return await answer if inspect.isawaitable(answer) else answer


def _called(embed: Embedder, texts: list[str]) -> Any:
    try:
        return embed(texts)
    except StopIteration as error:  # a future cannot carry it: its task would wait for ever
        raise RuntimeError("embed raised StopIteration") from error


async def _waited(step: Wait) -> bool:
    """Asks now and then: a thread that waits would be one less for those who are waited for."""
    loop = asyncio.get_running_loop()
    changed = asyncio.Event()
    end = loop.time() + step.seconds
    pause = PAUSE_FIRST_S
    with _waiting.told(step.claims.waiting, lambda: loop.call_soon_threadsafe(changed.set)):
        while not await asyncio.to_thread(step.claims.wait, 0):
            left = end - loop.time()
            if left <= 0:
                return False
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(changed.wait(), min(pause, left))
            changed.clear()
            pause = min(4 * pause, max(PAUSE_MAX_S, _waiting.count * PAUSE_EACH_S))
    return True


def _is_asynchronous(embed: Any) -> bool:
    return inspect.iscoroutinefunction(embed) or inspect.iscoroutinefunction(
        getattr(embed, "__call__", None)  # noqa: B004
    )
