"""Scores of blind restoration: on synthetic degradation, and on photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from helpers import Find, write_crops
from lumiface.data.sources import open_source
from lumiface.evaluation.studies.blind import INPUT, LIGHT, measure_real, measure_restorers
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.restorer import Restorer


@pytest.fixture
def faces(
    tmp_path: Path, astronaut_uint8: np.ndarray, shared_asset: Find, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.setenv("LUMIFACE_ASSETS", str(shared_asset("lpips_squeeze.pt").parent))
    shared_asset("edgeface_xxs.pt")
    shared_asset("niqe_pris_params.npz")
    write_crops(astronaut_uint8, tmp_path, 2, 256)
    return tmp_path


def test_the_ground_truth_scores_best_and_blur_worse_than_the_input(faces: Path) -> None:
    source = open_source(faces)
    good = [torch.from_numpy(np.array(Image.open(faces / name))) for name in source.names]
    small = [
        torch.nn.functional.interpolate(
            face.permute(2, 0, 1)[None].float() / 255.0, size=(64, 64), mode="area"
        )
        for face in good
    ]
    targets = iter([*small])

    def perfect(_: torch.Tensor) -> torch.Tensor:
        return next(targets)

    def blur(degraded: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(degraded, 5, stride=1, padding=2, count_include_pad=False)

    scores, distances = measure_restorers({"perfect": perfect, "blur": blur}, source, 64)
    assert list(scores) == [INPUT, "perfect", "blur"] == list(distances)
    mean = {
        name: {metric: float(np.mean(values)) for metric, values in found.scores.items()}
        for name, found in scores.items()
    }
    assert mean["perfect"]["psnr_y"] > 30 > mean[INPUT]["psnr_y"]
    assert mean["perfect"]["lpips_squeeze"] < mean[INPUT]["lpips_squeeze"] < mean["blur"]["lpips_squeeze"]
    assert mean["perfect"]["identity_edgeface"] > max(0.9, mean[INPUT]["identity_edgeface"])
    assert mean[INPUT][LIGHT] == pytest.approx(mean["blur"][LIGHT], abs=0.02)
    assert distances["perfect"] < distances[INPUT]


def test_photographs_are_measured_by_their_main_face(faces: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("00.png", "01.png"):
        Image.open(faces / name).filter(ImageFilter.GaussianBlur(3)).save(folder / f"face_soft_{name}")
    Image.fromarray(np.zeros((80, 80, 3), np.uint8)).save(folder / "empty.png")
    unchanged = Restorer("lfsrnet-lite", RestoreConfig(scale=1, strength=0.0))
    sharp = open_source([faces / "00.png", faces / "01.png"])
    scores, distances, faces_of = measure_real({"unchanged": unchanged}, open_source(folder), sharp)
    assert [len(found) for found in faces_of.values()] == [2, 2]  # one photograph has no face
    assert torch.equal(faces_of[INPUT][0], faces_of["unchanged"][0])
    assert scores["unchanged"].scores["identity_edgeface"] == pytest.approx([1.0, 1.0], abs=1e-5)
    assert scores["unchanged"].scores["niqe"] == scores[INPUT].scores["niqe"]
    assert distances[INPUT] == pytest.approx(distances["unchanged"])
