"""What would flicker, held steady from frame to frame: the measures of a face, its patch, the light."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor

from lumiface.faces.measure import FaceMeasures
from lumiface.imaging.color import luma
from lumiface.imaging.filters import box_mean
from lumiface.imaging.flow import move_back, optical_flow
from lumiface.restoration.light.tone_map import ToneMap

SECONDS = 0.5
"""Time constant of the exponential means over measures and light."""

CARRIED = 0.5
"""Share of the last frame's patch in the next one where both agree: noise falls to 58 %."""

_AGREES = 0.05
"""Mean difference of luma at which that share has fallen to a third: the face moved otherwise than the flow
says, or its light changed."""


@dataclass(slots=True)
class _Known:
    """What is remembered of one face."""

    measures: FaceMeasures
    patch: Tensor | None = None


class Steady:
    """Remembers faces and light of the frames before.

    Args:
        rate: frames per second.
    """

    def __init__(self, rate: float) -> None:
        self.share = math.exp(-1.0 / max(rate * SECONDS, 1e-6))
        self._faces: dict[int, _Known] = {}
        self._tone: Tensor | None = None

    def restart(self) -> None:
        """Forget everything, at a cut."""
        self._faces.clear()
        self._tone = None

    def keep_only(self, numbers: set[int]) -> None:
        """Forget the faces of other tracks."""
        self._faces = {number: known for number, known in self._faces.items() if number in numbers}

    def measures(self, number: int, now: FaceMeasures) -> FaceMeasures:
        """The means over the frames so far: what is done to a face does not change with its noise.

        Light is averaged by its logarithm. The size is that of the frame.
        """
        known = self._faces.get(number)
        if known is None:
            self._faces[number] = _Known(now)
            return now
        before, share = known.measures, self.share
        light = math.exp(_mean(math.log(max(before.light, 1e-4)), math.log(max(now.light, 1e-4)), share))
        known.measures = replace(
            now,
            light=light,
            detail=min(_mean(before.detail, now.detail, share), max(now.side, 1.0)),
            noise=_mean(before.noise, now.noise, share),
            blocks=_mean(before.blocks, now.blocks, share),
            highlights=_mean(before.highlights, now.highlights, share),
        )
        return known.measures

    def patch(self, number: int, now: Tensor) -> Tensor:
        """The restored face (1, 3, S, S), blended with that of the frame before, moved to fit.

        Both are aligned by their landmarks, so that what still moves is the face's expression; optical flow
        (DIS, as OpenCV has it) follows that.
        """
        known = self._faces[number]
        if known.patch is not None:
            before = known.patch
            if before.shape != now.shape:
                before = F.interpolate(before, now.shape[-2:], mode="bicubic", align_corners=False)
            moved = _follow(before, now)
            apart = box_mean((luma(moved) - luma(now)).abs(), 3)
            now = now.lerp(moved, CARRIED * (-apart / _AGREES).exp())
        known.patch = now
        return now

    def tone(self, now: ToneMap) -> ToneMap:
        """The light of the surroundings, averaged over the frames so far."""
        parameters = now.parameters
        if self._tone is not None:
            size = [max(one, other) for one, other in zip(parameters.shape, self._tone.shape, strict=True)]
            parameters = self.share * self._tone.expand(size) + (1.0 - self.share) * parameters.expand(size)
        self._tone = parameters
        return ToneMap(parameters)


def _mean(before: float, now: float, share: float) -> float:
    return share * before + (1.0 - share) * now


def _follow(before: Tensor, now: Tensor) -> Tensor:
    """`before` (1, 3, S, S) warped to where its parts are in `now`."""
    if now.shape[-1] < 12:  # the flow has no patches of its own on a face that small
        return before
    return move_back(before, optical_flow(now, before), mode="bicubic").clamp(0.0, 1.0)
