from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lumiface.core.errors import SettingError
from lumiface.degradations.lowlight import (
    PAPER_RANGES,
    Darkening,
    DarkeningBatch,
    DarkeningRanges,
    darken,
    darken_exact,
    darken_with,
    invert_darkening,
    sample_darkening,
    sample_darkening_exact,
)
from lumiface.degradations.resample import ONE


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


def test_the_formula_by_hand():
    picture = torch.full((2, 3, 4, 4), 0.5)
    alpha, beta, gamma = torch.tensor([1.0, 0.9]), torch.tensor([0.5, 1.0]), torch.tensor([2.0, 3.0])
    dark = darken(picture, alpha, beta, gamma, 0.0, generator())
    assert dark[0].unique().tolist() == [0.125]  # 0.5 · 0.5²
    assert dark[1].unique().item() == pytest.approx(0.45**3)


def test_draws_fill_the_papers_ranges_and_no_more():
    sampled = sample_darkening(20_000, PAPER_RANGES, generator(), "cpu")
    for values, (low, high) in (
        (sampled.alpha, (0.9, 1.0)),
        (sampled.beta, (0.5, 1.0)),
        (sampled.gamma, (1.0, 5.0)),
    ):
        width = high - low
        assert low <= values.min() < low + 0.01 * width
        assert high - 0.01 * width < values.max() <= high
        assert values.mean().item() == pytest.approx((low + high) / 2, abs=0.01 * width)


def test_noise_has_the_stated_deviation():
    grey = torch.full((1, 3, 200, 200), 0.5)
    one = torch.ones(1)
    noise = darken(grey, one, one, one, 0.002, generator()) - 0.5
    assert noise.std().item() == pytest.approx(0.002, rel=0.01)
    assert abs(noise.mean().item()) < 3e-5


def test_same_generator_same_result_and_no_other_source_of_randomness():
    picture = torch.rand(2, 3, 8, 8, generator=generator(7))

    def run() -> torch.Tensor:
        source = generator(3)
        sampled = sample_darkening(2, PAPER_RANGES, source, "cpu")
        return darken(picture, sampled.alpha, sampled.beta, sampled.gamma, sampled.noise, source)

    torch.manual_seed(0)
    first = run()
    torch.manual_seed(1)
    assert torch.equal(first, run())


def test_the_pure_part_compiles_to_one_graph():
    graphs = torch._dynamo.explain(darken_with)(
        torch.rand(2, 3, 4, 4), torch.ones(2), torch.ones(2), torch.ones(2), torch.zeros(2, 3, 4, 4)
    )
    assert graphs.graph_break_count == 0


def test_inverse_undoes_a_noiseless_batch(astronaut):
    pictures = astronaut[:, :, :64, :64].expand(3, -1, -1, -1)
    sampled = sample_darkening(3, DarkeningRanges(noise=0.0), generator(1), "cpu")
    dark = darken(pictures, sampled.alpha, sampled.beta, sampled.gamma, 0.0, generator())
    assert (invert_darkening(dark, sampled) - pictures).abs().max() < 1e-4


def test_inverse_takes_one_picture_or_a_batch():
    dark = torch.rand(2, 3, 4, 4, generator=generator())
    one = Darkening(0.95, 0.7, 2.5)
    many = DarkeningBatch(torch.full((2,), 0.95), torch.full((2,), 0.7), torch.full((2,), 2.5))
    torch.testing.assert_close(invert_darkening(dark, one), invert_darkening(dark, many))


def test_exact_form_agrees_with_the_torch_form(astronaut, astronaut_uint8):
    d = Darkening(0.93, 0.8, 2.2, noise=0.0)
    exact = darken_exact(astronaut_uint8, d, rng()) / ONE
    parameters = (torch.tensor([value]) for value in (d.alpha, d.beta, d.gamma))
    float_form = darken(astronaut, *parameters, 0.0, generator())[0].permute(1, 2, 0).numpy()
    assert np.abs(exact - float_form).max() < 2e-6


def test_exact_noise_is_standard_normal():
    grey = np.full((400, 400, 3), 128, np.uint8)
    level = 128 / 255
    noise = (darken_exact(grey, Darkening(1.0, 1.0, 1.0), rng()) / ONE - level) / 0.002
    moments = [float((noise**power).mean()) for power in (1, 2, 3, 4)]
    assert moments == pytest.approx([0.0, 1.0, 0.0, 3.0], abs=0.03)


def test_exact_form_has_known_bytes(astronaut_uint8):
    # From the raw stream of PCG64 to the last byte: independent of NumPy's sampling algorithms.
    source = rng(2024)
    d = sample_darkening_exact(source)
    dark = darken_exact(astronaut_uint8[:100, :101], d, source)
    assert (d.alpha, d.beta, d.gamma) == (0.9675831337981282, 0.6071616006191288, 2.237808123526767)
    assert (
        hashlib.sha256(dark.astype("<i8").tobytes()).hexdigest()
        == "47871025478f4d3b984b92b912714f57cf373fc17d6440be90290060508720ee"
    )


@given(st.integers(0, 2**64), st.integers(0, 255))
def test_exact_form_stays_in_range_and_gets_darker(seed, level):
    source = rng(seed)
    d = sample_darkening_exact(source)
    assert 0.9 <= d.alpha <= 1
    assert 0.5 <= d.beta <= 1
    assert 1 <= d.gamma <= 5
    dark = darken_exact(np.full((5, 7, 3), level, np.uint8), d, source)
    assert dark.min() >= 0
    assert dark.max() <= ONE
    assert dark.mean() / ONE <= level / 255 + 0.004


@pytest.mark.parametrize(
    "wrong", [{"gamma": (5.0, 1.0)}, {"alpha": (0.0, 1.0)}, {"noise": -1.0}], ids=["order", "zero", "noise"]
)
def test_contradicting_ranges_are_refused(wrong):
    with pytest.raises(SettingError, match=next(iter(wrong))):
        DarkeningRanges(**wrong)
