"""Work on many items by threads, with results in the items' order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_AHEAD = 4
"""Items per thread that are in work before their results are needed: bounds the memory."""


def cpu_cores() -> int:
    """The processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None
) -> Iterator[Result]:
    """`function` of each item, in order, whatever the number of threads.

    Threads instead of processes: Pillow's decoders and encoders release the interpreter lock, and the results
    need not be copied from process to process.

    Args:
        items: read as far as needed; stopping the iteration early stops the work.
        workers: number of threads; default: one for each core.

    Raises:
        Exception: that of the first item, in order, for which the function raises one.
    """
    workers = cpu_cores() if workers is None else workers
    if workers <= 1:
        yield from map(function, items)
        return
    with ThreadPoolExecutor(workers) as pool:
        pending: deque[Future[Result]] = deque()
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) >= _AHEAD * workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
