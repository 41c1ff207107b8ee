"""Faces followed: smoothed without lag, found again after a gap, and not confused with one another."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from lumiface.faces.detectors.detect import FaceDetector
from lumiface.faces.face import Face
from lumiface.faces.find import find_faces
from lumiface.faces.warp import warp
from lumiface.video import tracks
from lumiface.video.tracks import Track, Tracker


def face(x: float, score: float = 0.99, side: float = 40.0) -> Face:
    points = [(0.3, 0.4), (0.7, 0.4), (0.5, 0.6), (0.35, 0.8), (0.65, 0.8)]
    return Face(
        (x, 10.0, x + side, 10.0 + side), score, tuple((x + a * side, 10 + b * side) for a, b in points)
    )


def test_a_moving_face_does_not_lag() -> None:
    """A line through the frames meets a steady motion exactly, also where the track begins and ends."""
    track = Track(0, {frame: face(3.0 * frame) for frame in range(10)})
    for frame in range(10):
        found = track.at(frame)
        assert found is not None
        assert found.box == pytest.approx(face(3.0 * frame).box, abs=1e-9)


def test_jitter_is_smoothed() -> None:
    draws = torch.Generator().manual_seed(0)
    jitter = torch.randn(60, generator=draws).tolist()
    track = Track(0, {frame: face(50.0 + jitter[frame]) for frame in range(60)})
    rest = torch.tensor([track.at(frame).box[0] - 50.0 for frame in range(4, 56)])  # type: ignore[union-attr]
    assert float(rest.std()) < 0.6 * float(torch.tensor(jitter).std())
    assert float(rest.diff().std()) < 0.3 * float(torch.tensor(jitter).diff().std())


def test_a_gap_is_bridged_and_a_single_sight_is_none() -> None:
    track = Track(0, {0: face(0.0), 1: face(2.0), 4: face(8.0), 5: face(10.0)})
    middle = track.at(2)
    assert middle is not None
    assert middle.box[0] == pytest.approx(4.0)
    assert track.at(6) is None
    assert Track(0, {3: face(0.0, score=0.9)}).at(3) is None
    assert Track(0, {3: face(0.0, score=0.99)}).at(3) is not None


class Script:
    """In place of `find_faces`: faces by the frame that is searched."""

    def __init__(self, *frames: list[Face]) -> None:
        self.frames: Iterator[list[Face]] = iter(frames)

    def __call__(self, *_: Any, **__: Any) -> list[Face]:
        return next(self.frames)


def test_two_faces_keep_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracks, "_SEARCH_EVERY", 1)
    steps = [[face(4.0 * t), face(200.0 - 4.0 * t)] for t in range(12)]
    monkeypatch.setattr(tracks, "find_faces", Script(*(step[:: (-1) ** t] for t, step in enumerate(steps))))
    tracker, seen = Tracker(FaceDetector(), "all", None), dict[int, list[float]]()
    for t in range(12):
        tracker.observe(t, torch.zeros(1, 3, 100, 300))
    for t in range(2, 8):
        for number, found in tracker.faces(t):
            seen.setdefault(number, []).append(found.box[0])
    assert sorted(seen) == [0, 1]
    for boxes in seen.values():
        assert [abs(b - a) for a, b in pairwise(boxes)] == pytest.approx([4.0] * 5)
    tracker.forget(40)
    assert tracker.tracks == []


def test_a_face_is_found_near_its_last_place(astronaut: Tensor) -> None:
    """As good as by a search of the whole frame, in frames that a moving camera sees."""
    detector = FaceDetector()
    tracker = Tracker(detector, "all", 16.0)
    for t in range(5):
        view = torch.tensor([[420.0, 0.0, 4.0 * t], [0.0, 420.0, 2.0 * t]]).double()
        rgb = warp(astronaut, view, (420, 420)).clamp(0.0, 1.0)
        tracker.observe(t, rgb)
        (track,) = tracker.tracks
        (whole,) = find_faces(rgb, detector)
        near, real = torch.tensor(track.seen[t].landmarks), torch.tensor(whole.landmarks)
        assert float((near - real).norm(dim=1).mean()) < 0.03 * whole.side
