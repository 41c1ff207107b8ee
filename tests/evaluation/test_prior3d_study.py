"""Scores of prior and enhancer: equal to those of other libraries, for all variants on the same images."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from helpers import Find, rand
from lumiface.core.errors import InputError
from lumiface.data.sources import open_source
from lumiface.data.training.face_tensor import load_face_tensor
from lumiface.data.training.view_set import ViewSet
from lumiface.evaluation.studies.prior3d import (
    frr_pictures,
    measure_enhancers,
    measure_priors,
)
from lumiface.geometry.camera import orbit_camera, project
from lumiface.geometry.mesh import canonical_face
from lumiface.imaging.quantize import quantize
from lumiface.methods.prior3d.lifter import Lifter, LifterConfig
from lumiface.methods.prior3d.model import Prior3D, Prior3DConfig
from lumiface.methods.prior3d.prior import Prior, PriorConfig

PLANES = {"channels": 4, "side": 16, "hidden": 8}
RENDER = {"coarse": 4, "fine": 4}
PRIOR: dict[str, Any] = {
    "planes": PLANES,
    "denoiser": {"components": 6, "side": 16, "widths": (16, 16, 16), "condition": 8, "embedding": 16},
    "render": RENDER,
    "sampling_steps": 2,
}


def network(fusion: str) -> Prior3D:
    torch.manual_seed(0)
    settings = {"prior": PRIOR, "enhancer": {"widths": (8, 8, 16), "fusion": fusion}, "prior_size": 16}
    return Prior3D(Prior3DConfig.model_validate(settings)).eval()


@pytest.fixture
def photos(tmp_path: Path, astronaut_uint8: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two faces of 256 pixels in good light."""
    for number in range(2):
        crop = astronaut_uint8[8 * number :, 100 + 9 * number :][:256, :256]
        Image.fromarray(crop).save(tmp_path / f"{number}.png")
    return tmp_path


@pytest.fixture(autouse=True)
def assets(shared_asset: Find, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("lpips_squeeze.pt", "edgeface_xxs.pt", "niqe_pris_params.npz", "canonical_face_model.obj"):
        monkeypatch.setenv("LUMIFACE_ASSETS", str(shared_asset(name).parent))


def test_variants_are_measured_on_the_same_pictures(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from skimage.metrics import peak_signal_noise_ratio

    pictures = list(frr_pictures(open_source(photos)))
    assert all(dark.mean() < 0.5 * bright.mean() for dark, bright in pictures)
    variants = {"module": network("module"), "concat": network("concat")}
    priors = [variants["module"].predict_prior(dark) for dark, _ in pictures]
    expected: list[float] = []
    with torch.no_grad():
        for (dark, bright), prior in zip(pictures, priors, strict=True):
            output = quantize(variants["concat"].enhancer(dark, prior.rendering, prior.depth))
            expected.append(peak_signal_noise_ratio(bright.numpy(), output.numpy(), data_range=1.0))
    monkeypatch.setattr(variants["concat"], "predict_prior", None)  # equal priors: predicted only once
    scores = measure_enhancers(variants, pictures)
    assert scores["concat"].scores["psnr_rgb"] == pytest.approx(expected, abs=1e-4)
    assert set(scores["module"].scores) == {
        "psnr_y", "psnr_rgb", "ssim_y", "ssim_rgb", "lpips_squeeze", "identity_edgeface"
    }  # fmt: skip
    row = scores["concat"].as_dict(scores["module"])
    difference = np.array(expected) - np.array(scores["module"].scores["psnr_rgb"])
    assert row["psnr_rgb_minus_first"] == pytest.approx(difference.mean(), abs=1e-4)
    low, high = row["psnr_rgb_minus_first_ci"]
    assert low <= difference.mean() <= high
    alone = measure_enhancers(variants, [(dark, None) for dark, _ in pictures])
    assert set(alone["module"].scores) == {"niqe", "brisque"}


def test_priors_are_compared_with_the_lifter(photos: Path) -> None:
    torch.manual_seed(0)
    lifter = Lifter(
        LifterConfig.model_validate({"planes": PLANES, "widths": (8, 16), "render": RENDER})
    ).eval()
    prior = Prior(PriorConfig.model_validate(PRIOR)).eval()
    cameras = orbit_camera(torch.tensor([[5.0, 0.0, 0.0], [-9.0, 3.0, 0.0]]))
    points = project(canonical_face().vertices.expand(2, -1, -1), cameras, 256, 256)
    views = ViewSet(["0.png", "1.png"], load_face_tensor([photos]), points, cameras)
    prior.normalizer.calibrate(lifter(views.batch([0, 1], None).pictures, cameras).detach(), cameras)
    # A sampled camera that is the mean of both is 7 degrees of yaw and 1.5 of pitch from each.
    torch.nn.init.zeros_(prior.denoiser.out.weight)
    torch.nn.init.zeros_(prior.denoiser.out.bias)  # type: ignore[arg-type]
    scores = measure_priors({"untrained": prior}, lifter, views, open_source(photos), 32)["untrained"]
    assert set(scores.scores) == {"psnr_rgb", "lpips_squeeze", "identity_edgeface", "depth", "yaw", "pitch"}
    assert scores.scores["yaw"] == pytest.approx([7.0, 7.0], abs=0.2)
    assert scores.scores["pitch"] == pytest.approx([1.5, 1.5], abs=0.2)
    assert all(math.isfinite(value) for value in scores.scores["psnr_rgb"])


def test_faces_are_stacked_and_must_have_one_size(photos: Path) -> None:
    assert load_face_tensor([photos]).shape == (2, 3, 256, 256)
    assert load_face_tensor([photos], 1).shape == (1, 3, 256, 256)
    Image.fromarray((255 * rand(64, 64, 3)).to(torch.uint8).numpy()).save(photos / "2.png")
    with pytest.raises(InputError, match=r"2\.png is 64x64; the set needs faces of 256x256"):
        load_face_tensor([photos])
