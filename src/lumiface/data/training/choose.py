"""The faces of one training step."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lumiface.core.errors import InputError


def choose_faces(rng: np.random.Generator, total: int, count: int) -> NDArray[np.int64]:
    """`count` different faces of `total`, by their index.

    Raises:
        InputError: there are not as many.
    """
    require_faces(total, count)
    return rng.choice(total, count, replace=False)


def require_faces(total: int, count: int, side: int = 0) -> None:
    """Refuse a set of `total` faces, of at least `side` pixels, where a step takes `count` different ones.

    Raises:
        InputError: there are not as many.
    """
    if total < count:
        of_size = f" of {side} pixels or more" if side else ""
        raise InputError(
            f"train: {total} faces{of_size}, and a step takes {count} different ones; name more faces, or "
            "lower `batch`"
        )
