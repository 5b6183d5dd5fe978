# SPDX-License-Identifier: Apache-2.0
"""How far long work is, shown or told; nothing else prints in this package."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

#: True: a bar by tqdm, where that is installed. A function: told what is done, and of how much.
Progress = bool | Callable[[int, int], None]


@contextmanager
def shown(progress: Progress, total: int, unit: str = "text") -> Iterator[Callable[[int], None]]:
    """Lends a function to be told how much more is done; what it shows goes at the end."""
    if progress is True and total > 0:
        try:
            tqdm = import_module("tqdm.auto").tqdm
        except ImportError:
            yield lambda more: None
            return
        with tqdm(total=total, unit=unit) as bar:
            yield lambda more: bar.update(more) and None
    elif callable(progress):
        done = 0

        def tell(more: int) -> None:
            nonlocal done
            done += more
            progress(done, total)

        yield tell
    else:
        yield lambda more: None
