# SPDX-License-Identifier: Apache-2.0
"""Asynchronous twins of calls that block: the one place that makes them."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

Self = TypeVar("Self")
Arguments = ParamSpec("Arguments")
Answer = TypeVar("Answer")


def twin(
    call: Callable[Concatenate[Self, Arguments], Answer],
) -> Callable[Concatenate[Self, Arguments], Coroutine[Any, Any, Answer]]:
    """Make the method "a" + name of a method: the same, in a thread of the loop's executor.

    Of a subclass that has overridden the method it calls that. When the task is cancelled, what was
    begun goes on to its end in the thread.
    """
    name = call.__name__

    @functools.wraps(call)
    async def asynchronous(
        self: Self, /, *given: Arguments.args, **named: Arguments.kwargs
    ) -> Answer:
        method: Callable[Arguments, Answer] = getattr(self, name)
        return await asyncio.to_thread(method, *given, **named)

    asynchronous.__name__ = f"a{name}"
    asynchronous.__qualname__ = f"EmbedCache.a{name}"
    asynchronous.__doc__ = f"Do what `{name}` does, without blocking the event loop.\n\n" + (
        call.__doc__ or ""
    )
    return asynchronous
