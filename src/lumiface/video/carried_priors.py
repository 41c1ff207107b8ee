"""The 3D prior of each face of a video, carried from frame to frame, so that it does not flicker."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from lumiface.registry import HasPrior
from lumiface.restoration.auto_restorer import AutoRestorer
from lumiface.restoration.face_restorer import FaceRestorer

SECONDS = 0.2
"""Time constant of the exponential mean over the priors."""


class CarriedPriors:
    """Remembers the tri-plane of each followed face.

    Args:
        network: guided by a 3D prior, as `prior3d`.
        rate: frames per second.
    """

    def __init__(self, network: HasPrior, rate: float) -> None:
        self.network = network
        self.carried = math.exp(-1.0 / max(rate * SECONDS, 1e-6))
        self._before: dict[int, Any] = {}

    def restart(self) -> None:
        """Forget everything, at a cut."""
        self._before.clear()

    def __call__(self, numbers: Sequence[int], crops: Mapping[int, Tensor]) -> dict[int, Tensor]:
        """The faces of one frame through the network.

        Args:
            numbers: of the tracks of all faces of the frame.
            crops: place of a face among them -> its aligned crop (1, 3, S, S).

        Returns:
            The same places -> the restored crops, clipped to [0, 1].
        """
        outputs: dict[int, Tensor] = {}
        known: dict[int, Any] = {}
        for place, crop in crops.items():
            before = self._before.get(numbers[place])
            output, known[numbers[place]] = self.network.enhance_frame(crop, before, self.carried)
            outputs[place] = output.clamp(0.0, 1.0)
        self._before = known
        return outputs


def carried_priors(restorer: FaceRestorer | AutoRestorer, rate: float) -> CarriedPriors | None:
    """For a restorer whose network has a 3D prior; None for any other."""
    network = restorer.network if isinstance(restorer, FaceRestorer) else None
    if isinstance(network, HasPrior) and network.prior is not None:
        return CarriedPriors(network, rate)
    return None
