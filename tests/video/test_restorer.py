"""Frames restored: steadier than one by one, and as photographs are where nothing changes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from lumiface.faces.warp import warp
from lumiface.imaging.io import Picture
from lumiface.imaging.quantize import from_uint8, quantize, to_uint8
from lumiface.metrics.temporal import luma_flicker, warping_error
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.restorer import Restorer
from lumiface.video.frames import VideoFrame
from lumiface.video.restorer import VideoRestorer


@pytest.fixture(scope="module")
def restorer() -> Restorer:
    return Restorer(None, RestoreConfig(scale=1, min_face=24))


def frames(clip: Tensor) -> Iterator[VideoFrame]:
    for index, frame in enumerate(clip):
        yield VideoFrame(np.ascontiguousarray(to_uint8(frame).permute(1, 2, 0).numpy()), index, 40 * index)


def restored(restorer: Restorer, clip: Tensor) -> Tensor:
    found = list(VideoRestorer(restorer, 25.0, 1)(frames(clip)))
    assert [(frame.index, frame.pts) for frame in found] == [(i, 40 * i) for i in range(len(clip))]
    return torch.cat([from_uint8(frame.rgb) for frame in found])


def moving(astronaut: Tensor, count: int) -> Tensor:
    views = [torch.tensor([[200.0, 0.0, 120.0 + t], [0.0, 200.0, 30.0]]).double() for t in range(count)]
    return torch.cat([warp(astronaut, view, (96, 96)) for view in views]).clamp(0.0, 1.0)


def test_a_dark_noisy_video_is_steadier_than_its_frames(astronaut: Tensor, restorer: Restorer) -> None:
    truth = moving(astronaut, 9)
    light, draws = 0.1 * truth**2.2, torch.Generator().manual_seed(0)
    noise = torch.randn(light.shape, generator=draws) * (6e-4 * light + 1e-6).sqrt()
    clip = quantize((light + noise).clamp(0.0, 1.0) ** (1 / 2.2))
    alone = torch.cat([quantize(restorer(Picture(frame[None])).picture.rgb) for frame in clip])
    video = restored(restorer, clip)
    assert float(video.mean()) > 1.5 * float(clip.mean())
    assert float(video.mean()) == pytest.approx(float(alone.mean()), rel=0.05)
    assert luma_flicker(video) < 0.5 * luma_flicker(alone)
    assert warping_error(video, truth) < warping_error(alone, truth)


def test_a_cut_begins_anew(astronaut: Tensor, restorer: Restorer) -> None:
    """The frame after a cut does not depend on what was before it."""
    here, there = 0.3 * moving(astronaut, 3), 0.3 * moving(astronaut.flip(2, 3), 3)
    both = restored(restorer, torch.cat([here, there]))
    assert torch.equal(both[:3], restored(restorer, here))
    assert torch.equal(both[3:], restored(restorer, there))


def test_a_lit_sharp_video_keeps_its_frames(astronaut: Tensor, restorer: Restorer) -> None:
    clip = quantize(astronaut[..., 10:210, 120:320].expand(3, -1, -1, -1))
    assert torch.equal(restored(restorer, clip), clip)


def test_at_most_a_few_frames_are_held(astronaut: Tensor, restorer: Restorer) -> None:
    given = 0

    def counted() -> Iterator[VideoFrame]:
        nonlocal given
        for frame in frames(torch.zeros(20, 3, 32, 32)):
            given += 1
            yield frame

    for frame in VideoRestorer(restorer, 25.0, 1)(counted()):
        assert given - frame.index <= 6
