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
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import closing, suppress
from datetime import timedelta
from typing import Any, overload

from embedcache import _native
from embedcache._native import Claims
from embedcache.plan import Done, Embed, Floats, Options, Plan, Steps, Wait
from embedcache.progress import Progress

PAUSE_FIRST_S = 0.001
PAUSE_MAX_S = 0.05

#: Takes n texts, returns n vectors (or `Embedded`): any array-like of shape (n, dimension).
Embedder = Callable[[list[str]], Any]
AsyncEmbedder = Callable[[list[str]], Awaitable[Any]]


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
        return _run(plan.steps(), embed)

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
        steps = _SharedSteps(self._plan(texts, batch_size, ttl, cost, wait, progress).steps())
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


# --- threads ---


def _run(steps: Steps, embed: Embedder) -> Floats:
    answer: Any = None
    with closing(steps):
        while not isinstance(step := steps.send(answer), Done):
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


class _SharedSteps:
    """Steps that are taken in threads, and may be given up while a thread takes one."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._given_up = False

    def take(self, answer: Any) -> Embed | Wait | Done:
        step = self._steps.send(answer)
        if self._given_up:
            self.close()
        return step

    def close(self) -> None:
        self._given_up = True
        with suppress(ValueError):  # a thread is taking a step, and closes after it
            self._steps.close()


async def _arun(steps: _SharedSteps, embed: Embedder | AsyncEmbedder) -> Floats:
    answer: Any = None
    while not isinstance(step := await asyncio.to_thread(steps.take, answer), Done):
        answer = await (
            _embedded(embed, step.texts) if isinstance(step, Embed) else _waited(*_of(step))
        )
    return step.vectors


def _of(step: Wait) -> tuple[Claims, float]:
    return step.claims, step.seconds


async def _embedded(embed: Embedder | AsyncEmbedder, texts: list[str]) -> Any:
    if _is_asynchronous(embed):
        return await embed(texts)
    answer = await asyncio.to_thread(embed, texts)
    return await answer if inspect.isawaitable(answer) else answer


async def _waited(claims: Claims, seconds: float) -> bool:
    """Asks now and then: a thread that waits would be one less for those who are waited for."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    pause = PAUSE_FIRST_S
    while not await asyncio.to_thread(claims.wait, 0):
        if loop.time() >= end:
            return False
        await asyncio.sleep(min(pause, seconds))
        pause = min(2 * pause, PAUSE_MAX_S)
    return True


def _is_asynchronous(embed: Any) -> bool:
    return inspect.iscoroutinefunction(embed) or inspect.iscoroutinefunction(
        getattr(embed, "__call__", None)  # noqa: B004
    )
