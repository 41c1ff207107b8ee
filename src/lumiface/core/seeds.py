"""Random generators from numbers that name what is drawn, so that no draw hangs on those before it."""

from __future__ import annotations

import numpy as np
import torch


def seeded_generator(*numbers: int) -> torch.Generator:
    """A generator on the CPU, well apart from that of any other numbers (0 and above)."""
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]) >> 1)  # a seed has a sign
