"""Held steady: measures, patches and light; and what really changes is followed."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from helpers import rand
from lumiface.faces.measure import FaceMeasures
from lumiface.faces.warp import warp
from lumiface.restoration.light.tone_curve import ToneCurve
from lumiface.restoration.light.tone_map import ToneMap, uniform_tone
from lumiface.video.restorer import is_cut
from lumiface.video.steady import Steady

DIM = FaceMeasures(side=80.0, light=0.2, detail=40.0, noise=6.0, blocks=1.0)


def test_measures_approach_what_lasts() -> None:
    steady = Steady(rate=25.0)
    assert steady.measures(3, DIM) == DIM
    bright = replace(DIM, light=0.4, detail=70.0)
    one = steady.measures(3, bright)
    assert 0.2 < one.light < 0.22
    for _ in range(75):  # three seconds
        last = steady.measures(3, bright)
    assert last.light == pytest.approx(0.4, rel=0.01)
    assert last.detail == pytest.approx(70.0, rel=0.01)
    assert steady.measures(4, DIM) == DIM  # another face
    steady.keep_only({4})
    assert steady.measures(3, bright) == bright
    steady.restart()
    assert steady.measures(4, bright) == bright


def test_noise_of_a_still_face_falls(astronaut: Tensor) -> None:
    face = astronaut[..., 60:188, 160:288]
    steady, rest = Steady(25.0), Tensor()
    for seed in range(12):
        steady.measures(0, DIM)
        noisy = (face + 0.03 * torch.randn(face.shape, generator=torch.Generator().manual_seed(seed))).clamp(
            0, 1
        )
        rest = steady.patch(0, noisy) - face
    assert float(rest.std()) < 0.75 * 0.03


def test_a_face_that_moves_is_followed(astronaut: Tensor) -> None:
    """No trail is left: the blend is as near to the moved face as it is to itself."""
    steady, now = Steady(25.0), Tensor()
    out = now
    for t in range(6):
        view = torch.tensor([[128.0, 0.0, 160.0 + 1.5 * t], [0.0, 128.0, 60.0]]).double()
        now = warp(astronaut, view, (128, 128)).clamp(0.0, 1.0)
        steady.measures(0, DIM)
        out = steady.patch(0, now)
    assert float((out - now)[..., 8:-8, 8:-8].abs().mean()) < 0.01


def test_a_face_that_changes_at_once_is_taken_at_once() -> None:
    steady = Steady(25.0)
    steady.measures(0, DIM)
    steady.patch(0, torch.full((1, 3, 64, 64), 0.2))
    assert float(steady.patch(0, torch.full((1, 3, 64, 64), 0.8)).min()) > 0.79
    # And another size, as of a face that comes nearer.
    assert steady.patch(0, torch.full((1, 3, 70, 70), 0.8)).shape == (1, 3, 70, 70)
    assert steady.patch(0, torch.full((1, 3, 8, 8), 0.8)).shape == (1, 3, 8, 8)


def test_light_moves_slowly_also_when_faces_come() -> None:
    steady = Steady(25.0)
    first = steady.tone(uniform_tone(ToneCurve()))
    assert first.parameters.shape == (1, 4, 1, 1)
    target = ToneMap(rand(1, 4, 3, 4) + 1.0)
    second = steady.tone(target)
    moved = (second.parameters - first.parameters) / (target.parameters - first.parameters)
    assert float(moved.max()) == pytest.approx(1.0 - steady.share, rel=1e-3)
    for _ in range(100):
        last = steady.tone(target)
    assert torch.allclose(last.parameters, target.parameters, atol=1e-3)


def test_a_cut_is_seen_and_a_pan_is_not() -> None:
    one, two = rand(1, 1, 18, 32, seed=1), rand(1, 1, 18, 32, seed=2)
    assert is_cut(one, two)
    assert not is_cut(one, one + 0.02)
    assert not is_cut(0.1 * one, 0.1 * one.roll(1, 3) * 0.1 + 0.09 * one)
    assert is_cut(0.2 * one, 0.2 * two)
