"""Tiles of a large picture by several threads, each with one thread of torch.

A tile is small: threads within its steps wait for one another more than they work. Whole tiles are
independent, and one thread makes the same tile bit for bit, however many work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from lumiface.core.parallel import ordered_map
from lumiface.imaging.strips import Tile


def each_tile(function: Callable[[Tile], None], tiles: Iterable[Tile], like: Tensor) -> None:
    """Call `function` with every tile, by as many threads as torch may use; no order is kept.

    Args:
        function: writes the result of a tile to its place; it must not read what another tile writes.
        like: on the device of the work; on a GPU one thread does it.

    Raises:
        Exception: that of the first tile, in order, for which the function raises one.
    """
    threads = torch.get_num_threads() if like.device.type == "cpu" else 1
    inference = torch.is_inference_mode_enabled()

    def work(tile: Tile) -> None:
        torch.set_num_threads(1)  # of this thread alone, and of those that begin later
        with torch.inference_mode(inference):
            function(tile)

    if threads == 1:
        for tile in tiles:
            function(tile)
        return
    try:
        for _ in ordered_map(work, tiles, threads):
            pass
    finally:
        torch.set_num_threads(threads)
