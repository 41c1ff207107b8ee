"""The score accumulator: means, bootstrap intervals, paired differences, and batches of one size."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from lumiface.evaluation.accumulate import ScoreAccumulator
from lumiface.evaluation.batches import batches_of_one_size, stack_images
from lumiface.evaluation.bootstrap import RESAMPLES, bootstrap_interval
from lumiface.metrics.frechet import frechet_distance

# --- bootstrap ----------------------------------------------------------------------------------------------


def test_the_interval_is_that_of_the_mean() -> None:
    scores = np.random.default_rng(0).normal(25.0, 3.0, 400)
    low, high = bootstrap_interval(scores, seed=0) or (0.0, 0.0)
    assert (low, high) == bootstrap_interval(scores, seed=0)
    assert (low, high) != bootstrap_interval(scores, seed=1)
    assert high - low == pytest.approx(2 * 1.96 * scores.std() / 20, rel=0.1)  # the normal theory's width
    assert low < scores.mean() < high


def test_the_bootstrap_agrees_with_scipy() -> None:
    from scipy import stats

    values = np.random.default_rng(0).gamma(2.0, 1.0, 150)
    expected = stats.bootstrap((values,), np.mean, method="percentile", rng=1, n_resamples=9999)
    ends = expected.confidence_interval
    assert bootstrap_interval(values, seed=0) == pytest.approx((ends.low, ends.high), abs=0.03)


@pytest.mark.parametrize("count", [1, 2, 12, 1001, 3000])
def test_resampling_in_blocks_equals_one_resample_at_a_time(count: int) -> None:
    """Stored intervals were computed one resample at a time; they must stay reproducible to the bit."""
    values = np.random.default_rng(count).normal(25.0, 3.0, count)
    rng = np.random.default_rng(7)
    means = [values[rng.integers(count, size=count)].mean() for _ in range(RESAMPLES)]
    assert bootstrap_interval(values, seed=7) == tuple(np.percentile(means, [2.5, 97.5]))


def test_no_interval_without_finite_values() -> None:
    assert bootstrap_interval([], seed=0) is None
    assert bootstrap_interval([1.0, math.inf], seed=0) is None
    assert bootstrap_interval([1.0, math.nan], seed=0) is None
    assert bootstrap_interval([3.0], seed=0) == (3.0, 3.0)


# --- accumulator --------------------------------------------------------------------------------------------


def test_batches_add_up() -> None:
    scores = ScoreAccumulator(seed=3)
    scores.add({"psnr_y": Tensor([20.0, 22.0])}, ["a", "b"], {"seconds": 0.5, "no_face_in_output": 1})
    scores.add({"psnr_y": Tensor([24.0])}, ["c"], {"seconds": 0.25, "no_face_in_output": 0})
    score = scores.score("psnr_y")
    assert (score.value, score.images) == (22.0, 3)
    assert score.interval == bootstrap_interval([20.0, 22.0, 24.0], seed=3)
    assert scores.names == ["a", "b", "c"]
    assert scores.sums == {"seconds": 0.75, "no_face_in_output": 1}
    assert scores.score("ssim_y").images == 0
    assert scores.score("ssim_y").value is None


def test_images_that_cannot_be_measured_are_left_out_of_the_mean() -> None:
    scores, first = ScoreAccumulator(), ScoreAccumulator()
    scores.add({"niqe": Tensor([3.0, math.nan, 5.0])})
    first.add({"niqe": Tensor([2.0, 1.0, 2.0])})
    row = scores.as_dict(first)
    assert (row["niqe"], row["niqe_images"], row["niqe_minus_first"]) == (4.0, 2, 2.0)
    assert row["niqe_minus_first_ci"] == list(bootstrap_interval([1.0, 3.0], seed=0) or ())


def test_an_infinite_score_has_no_mean_and_json_has_no_infinity() -> None:
    scores = ScoreAccumulator()
    scores.add({"psnr_y": Tensor([20.0, math.inf, math.nan])})
    assert (scores.score("psnr_y").value, scores.score("psnr_y").interval) == (None, None)
    assert scores.as_lists() == {"psnr_y": [20.0, None, None]}
    json.dumps([scores.as_dict(), scores.as_lists()], allow_nan=False)


def test_lists_are_read_back() -> None:
    scores = ScoreAccumulator.from_lists({"names": ["a", "b"], "psnr_y": [20.0, None], "lpips": None}, seed=4)
    assert (scores.names, scores.seed, list(scores.scores)) == (["a", "b"], 4, ["psnr_y"])
    np.testing.assert_equal(scores.values("psnr_y"), [20.0, math.nan])
    assert len(ScoreAccumulator.from_lists(None).values("psnr_y")) == 0


def test_paired_differences_remove_the_common_variance() -> None:
    rng = np.random.default_rng(0)
    common, noise = rng.normal(0, 5, 100), rng.normal(0, 0.1, 100)
    names = [str(number) for number in range(100)]
    one = ScoreAccumulator({"psnr_y": (common + 0.1 + noise).tolist()}, names)
    other = ScoreAccumulator({"psnr_y": common.tolist()}, names)
    difference = one.difference("psnr_y", other)
    assert difference is not None
    low, high = difference.interval or (0.0, 0.0)
    assert 0.05 < low < noise.mean() + 0.1 < high < 0.15
    assert one.difference("psnr_y", ScoreAccumulator(other.scores, names[::-1])) is None  # other images
    assert one.difference("psnr_y", ScoreAccumulator(names=names)) is None


def test_a_subset_has_the_scores_and_names_of_the_chosen_images() -> None:
    scores = ScoreAccumulator()
    scores.add({"psnr_y": Tensor([20.0, 22.0, 27.0])}, ["a", "b", "c"], {"seconds": 0.5})
    part = scores.subset(scores.values("psnr_y") > 21.0)
    assert part.names == ["b", "c"]
    assert part.values("psnr_y").tolist() == [22.0, 27.0]
    assert part.score("psnr_y").value == 24.5
    assert not part.sums
    assert scores.subset(np.zeros(3, bool)).as_dict()["psnr_y"] is None


def test_distances_of_sets() -> None:
    first, second = torch.rand(7, 3), torch.rand(5, 3)
    results, reference = ScoreAccumulator(), ScoreAccumulator()
    for part in first.split(3):
        results.add_features({"fd": part})
    reference.add_features({"fd": second[:1]})
    assert results.set_distance("fd", reference).images == 0  # a single image is no set
    reference.add_features({"fd": second[1:]})
    score = results.set_distance("fd", reference)
    assert score.value == pytest.approx(frechet_distance(first, second).item())
    assert (score.interval, score.images) == (None, 7)


# --- batches ------------------------------------------------------------------------------------------------


def test_batches_have_one_size_and_a_limit() -> None:
    sizes = [(4, 4)] * 5 + [(4, 6)] * 2 + [(4, 4)]
    images = [np.full((*size, 3), index, np.uint8) for index, size in enumerate(sizes)]

    def lengths(batch: int, max_pixels: int | None = None) -> list[int]:
        return [len(chunk) for chunk in batches_of_one_size(images, lambda image: image, batch, max_pixels)]

    assert lengths(3) == [3, 2, 2, 1]
    assert lengths(16) == [5, 2, 1]
    assert lengths(16, max_pixels=32) == [2, 2, 1, 1, 1, 1]
    assert lengths(16, max_pixels=1) == [1] * 8
    stacked = stack_images(images[:2], torch.device("cpu"))
    assert stacked.shape == (2, 3, 4, 4)
    assert stacked[1, 0, 0, 0].item() == pytest.approx(1 / 255)
