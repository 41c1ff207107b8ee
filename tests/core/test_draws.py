"""Random numbers drawn before a function is called are those that it would draw."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lumiface.core.draws import Draws, RandomSource, Recorder, Request, draw_all, rand, randint, randn

CPU = torch.device("cpu")


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(3)


def values(source: RandomSource) -> list[Tensor]:
    return [
        rand((2, 3), source),
        randn((4,), source, torch.float64),
        randint(2, 5, (100,), source),
        rand((5,), source),
    ]


def recorded() -> list[Request]:
    recorder = Recorder(seeded())
    values(recorder)
    return recorder.requests


def test_draws_are_those_of_the_generator() -> None:
    expected = values(seeded())
    handed_out = values(Draws(draw_all(recorded(), seeded()), CPU))
    for value, other in zip(handed_out, expected, strict=True):
        assert value.dtype == other.dtype
        assert torch.equal(value, other)
    assert set(expected[2].tolist()) == {2, 3, 4}


def test_draws_of_one_kind_can_be_one() -> None:
    requests = recorded()
    together = draw_all(requests, seeded(), together=True)
    for value, other in zip(together, values(seeded()), strict=True):
        assert (value.dtype, value.shape) == (other.dtype, other.shape)
    both = torch.rand(11, generator=seeded())
    assert torch.equal(torch.cat([together[0].flatten(), together[3]]), both)


def test_more_draws_than_recorded_are_an_error() -> None:
    source = Draws([torch.zeros(2)], CPU)
    rand((2,), source)
    with pytest.raises(IndexError):
        rand((2,), source)
