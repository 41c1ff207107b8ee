"""Many small pieces of one photograph, tiles or faces, by several threads, each with one thread of torch.

A piece is small: threads within its steps wait for one another more than they work. Whole pieces are
independent, and one thread makes the same piece bit for bit, however many work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

import torch

from lumiface.core.parallel import ordered_map

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def in_threads(
    function: Callable[[Piece], Result], pieces: Iterable[Piece], device: torch.device
) -> list[Result]:
    """`function` of every piece, in their order, by as many threads as torch may use.

    Args:
        function: must not read what it writes for another piece.
        device: of the work; on a GPU one thread does it.

    Raises:
        Exception: that of the first piece, in order, for which the function raises one.
    """
    threads = torch.get_num_threads() if device.type == "cpu" else 1
    if threads == 1:
        return [function(piece) for piece in pieces]
    inference = torch.is_inference_mode_enabled()  # like the number of threads, a thread's own

    def work(piece: Piece) -> Result:
        torch.set_num_threads(1)  # of this thread, and of those that begin later
        with torch.inference_mode(inference):
            return function(piece)

    try:
        return list(ordered_map(work, pieces, threads))
    finally:
        torch.set_num_threads(threads)
