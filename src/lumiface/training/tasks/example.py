"""An example input of a network, on which the cost of a forward pass is counted."""

from __future__ import annotations

from typing import Any, NamedTuple


class Example(NamedTuple):
    """Arguments of the forward pass, and in a few words what it does with them."""

    inputs: tuple[Any, ...]
    description: str
