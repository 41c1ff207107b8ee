"""Frames in, restored frames out: as a photograph each, but with faces followed and light held steady."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache, partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.faces.face import Face
from lumiface.faces.measure import measure_face
from lumiface.imaging.color import luma
from lumiface.imaging.denoise import denoise_shadows
from lumiface.imaging.quantize import from_uint8, to_samples
from lumiface.restoration.face_restorer import FaceRestorer
from lumiface.restoration.light.surroundings import tone_of_surroundings
from lumiface.restoration.restorer import Restorer
from lumiface.video.carried_priors import carried_priors
from lumiface.video.frames import VideoFrame
from lumiface.video.steady import Steady
from lumiface.video.tracks import REACH, Tracker

_THUMBNAIL = (18, 32)
_CUT = 0.35
"""Mean change of a thumbnail, in the square root of luma and relative to it, that is a cut."""


class VideoRestorer:
    """Restores the frames of one video, in their order.

    Args:
        restorer: for photographs; its networks and settings are used.
        rate: frames per second.
        scale: enlargement, 1, 2 or 4, of all frames.
        steady: False restores each frame by itself but for the tracks, to compare with.
    """

    def __init__(self, restorer: Restorer, rate: float, scale: int, *, steady: bool = True) -> None:
        self.restorer, self.scale = restorer, scale
        config = restorer.config
        self.steady = Steady(rate) if steady else None
        self.priors = carried_priors(restorer.face_restorer, rate) if steady else None
        self.tracker = Tracker(restorer.detector, config.faces, config.min_face)

    def __call__(self, frames: Iterable[VideoFrame]) -> Iterator[VideoFrame]:
        """Restored frames with the numbers and times of the given ones, `REACH` frames later.

        At most 2 `REACH` frames are held in memory.
        """
        waiting: deque[VideoFrame] = deque()
        last: Tensor | None = None
        for frame in frames:
            rgb = self._tensor(frame)
            thumbnail = F.interpolate(luma(rgb), _THUMBNAIL, mode="area").sqrt()
            if last is not None and is_cut(last, thumbnail):
                yield from self._restore_all(waiting)
                self._restart()
            last = thumbnail
            self.tracker.observe(frame.index, rgb)
            waiting.append(frame)
            if len(waiting) > REACH:
                yield self._restore(waiting.popleft())
        yield from self._restore_all(waiting)

    def _restore_all(self, waiting: deque[VideoFrame]) -> Iterator[VideoFrame]:
        while waiting:
            yield self._restore(waiting.popleft())

    def _restart(self) -> None:
        self.tracker.restart()
        if self.steady is not None:
            self.steady.restart()
        if self.priors is not None:
            self.priors.restart()

    def _tensor(self, frame: VideoFrame) -> Tensor:
        return from_uint8(frame.rgb).to(self.restorer.device)

    @torch.inference_mode()
    def _restore(self, frame: VideoFrame) -> VideoFrame:
        rgb = self._tensor(frame)
        tracked = self.tracker.faces(frame.index)
        self.tracker.forget(frame.index)
        canvas = self._restore_frame(rgb, tracked)
        samples = to_samples(canvas[0], np.uint8)
        return replace(frame, rgb=samples.astype(np.uint8, copy=False))

    def _restore_frame(self, rgb: Tensor, tracked: list[tuple[int, Face]]) -> Tensor:
        """As `Restorer` restores a photograph, with steady measures, patches and light."""
        restorer, steady = self.restorer, self.steady
        numbers, faces = [number for number, _ in tracked], [face for _, face in tracked]
        measures = [measure_face(rgb, face) for face in faces]
        if steady is not None:
            steady.keep_only(set(numbers))
            measures = [steady.measures(*pair) for pair in zip(numbers, measures, strict=True)]
        denoised = cache(lambda: denoise_shadows(rgb))
        if self.priors is None or not isinstance(restorer.face_restorer, FaceRestorer):
            restored = restorer.face_restorer(rgb, denoised, faces, measures, restorer.log)
        else:
            run = partial(self.priors, numbers)
            restored = restorer.face_restorer(rgb, denoised, faces, measures, restorer.log, run=run)
        tone = None
        if steady is not None:
            restored = [
                replace(face, patch=steady.patch(number, face.patch))
                for number, face in zip(numbers, restored, strict=True)
            ]
            patches, kept = [face.patch for face in restored], [face.report.own_light for face in restored]
            tone = steady.tone(tone_of_surroundings(rgb, denoised(), faces, patches, kept))
        return restorer.paint(rgb, denoised, faces, restored, self.scale, tone)


def is_cut(before: Tensor, now: Tensor) -> bool:
    """Whether another shot begins, from thumbnails (1, 1, h, w) of the square root of luma."""
    level = 0.5 * float(before.mean() + now.mean())
    return float((now - before).abs().mean()) > _CUT * max(level, 0.02)
