"""Random generators from numbers that name what is sampled: no sample depends on those before it."""

from __future__ import annotations

import numpy as np
import torch


def seeded_generator(*numbers: int) -> torch.Generator:
    """A generator on the CPU, well apart from that of any other numbers (0 and above)."""
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]) >> 1)  # a seed has a sign


class StepRandom:
    """The random state of one training step: a pure function of the numbers that name it.

    So a resumed run needs no stored random state, and processes of one run differ by their rank alone.

    Args:
        numbers: (seed, step), or (seed, step, rank) where each process samples for itself.

    Attributes:
        rng: NumPy's generator, of indices and choices; `generator` takes its seeds from it, in order.
    """

    def __init__(self, *numbers: int) -> None:
        self.rng = np.random.default_rng(numbers)

    def generator(self, device: torch.device | str = "cpu", offset: int = 0) -> torch.Generator:
        """A new torch generator on `device`; the next call gives another one.

        Args:
            offset: added to its seed, to tell processes apart that share `rng`.
        """
        return torch.Generator(device).manual_seed(int(self.rng.integers(2**62)) + offset)
