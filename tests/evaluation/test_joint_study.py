"""Scores of networks that relight and enlarge: against the ground truth, with the darkness of each image."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from helpers import Find, write_crops
from lumiface.data.benchmarks.llf import LLFSettings, llf_pairs
from lumiface.data.sources import open_source
from lumiface.degradations.camera_pipeline import CameraConfig
from lumiface.degradations.resample import resize
from lumiface.evaluation.studies.joint import METRICS, measure_joint
from lumiface.imaging.quantize import from_uint8


def test_the_ground_truth_scores_best_and_luma_shift_is_measured(
    tmp_path: Path, astronaut_uint8: np.ndarray, shared_asset: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUMIFACE_ASSETS", str(shared_asset("lpips_squeeze.pt").parent))
    shared_asset("edgeface_xxs.pt")
    write_crops(astronaut_uint8, tmp_path, 2, 160)
    source = open_source(tmp_path)
    pairs = list(llf_pairs(source, LLFSettings(hr_size=128, scale=4, seed=0)))
    targets = [from_uint8(pair.hr.copy()) for pair in pairs]

    def altered_target(change: float) -> Callable[[Tensor], Tensor]:
        remaining = iter(targets)

        def network(low: Tensor) -> Tensor:
            assert low.shape == (1, 3, 32, 32)
            return 0.8 * next(remaining) + change

        return network

    def bicubic(low: Tensor) -> Tensor:
        return resize(low, (128, 128))

    networks = {"bicubic": bicubic}
    dark, _ = measure_joint(networks, source)
    lit, _ = measure_joint(networks, source, camera=CameraConfig(lit=1.0))
    again, _ = measure_joint(networks, source, camera=CameraConfig(lit=1.0))
    assert min(lit["bicubic"].scores["psnr_y"]) > 20 > max(dark["bicubic"].scores["psnr_y"])
    assert lit["bicubic"].scores == again["bicubic"].scores

    scores, gammas = measure_joint({"near": altered_target(0.1), "light": altered_target(0.2)}, source)
    assert gammas == [pair.darkening.gamma for pair in pairs]
    near, light = scores["near"], scores["light"]
    assert set(near.scores) == {*METRICS, "luma_shift"}
    for network in (near, light):
        assert all(len(values) == 2 for values in network.scores.values())
    shifts = np.array(light.scores["luma_shift"]) - np.array(near.scores["luma_shift"])
    np.testing.assert_allclose(shifts, 0.1, atol=0.005)
    assert min(near.scores["psnr_y"]) > max(light.scores["psnr_y"])
    # A copy with less contrast is the same person, at the same position.
    assert min(near.scores["identity_edgeface"]) > 0.9
    assert max(near.scores["landmark_px"]) < 1.0
