"""How blind restoration is measured: against damage that is known, and on photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter

from helpers import Find, write_crops
from lumiface.data.sources import open_source
from lumiface.evaluation.studies.blind import INPUT, measure_real, measure_restorers
from lumiface.restore.config import RestoreConfig
from lumiface.restore.restorer import Restorer


@pytest.fixture
def faces(
    tmp_path: Path, astronaut_uint8: np.ndarray, shared_asset: Find, monkeypatch: pytest.MonkeyPatch
) -> Path:
    monkeypatch.setenv("LUMIFACE_ASSETS", str(shared_asset("lpips_squeeze.pt").parent))
    shared_asset("edgeface_xxs.pt")
    shared_asset("niqe_pris_params.npz")
    write_crops(astronaut_uint8, tmp_path, 2, 256)
    return tmp_path


def test_truth_is_best_and_blur_is_worse_than_nothing(faces: Path) -> None:
    source = open_source(faces)
    good = [torch.from_numpy(np.array(Image.open(faces / name))) for name in source.names]
    small = [
        torch.nn.functional.interpolate(
            face.permute(2, 0, 1)[None].float() / 255.0, size=(64, 64), mode="area"
        )
        for face in good
    ]
    asked = iter([*small])

    def knows(_: torch.Tensor) -> torch.Tensor:
        return next(asked)

    def blurs(bad: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(bad, 5, stride=1, padding=2, count_include_pad=False)

    columns, distances = measure_restorers({"knows": knows, "blurs": blurs}, source, 64)
    assert list(columns) == [INPUT, "knows", "blurs"] == list(distances)
    mean = {
        name: {score: float(np.mean(values)) for score, values in column.scores.items()}
        for name, column in columns.items()
    }
    assert mean["knows"]["psnr_y"] > 30 > mean[INPUT]["psnr_y"]
    assert mean["knows"]["lpips_squeeze"] < mean[INPUT]["lpips_squeeze"] < mean["blurs"]["lpips_squeeze"]
    assert mean["knows"]["identity_edgeface"] > max(0.9, mean[INPUT]["identity_edgeface"])
    assert distances["knows"] < distances[INPUT]


def test_photographs_are_measured_by_their_main_face(faces: Path, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("00.png", "01.png"):
        Image.open(faces / name).filter(ImageFilter.GaussianBlur(3)).save(folder / f"face_soft_{name}")
    Image.fromarray(np.zeros((80, 80, 3), np.uint8)).save(folder / "nobody.png")
    as_it_is = Restorer("lfsrnet-lite", RestoreConfig(scale=1, strength=0.0))
    sharp = open_source([faces / "00.png", faces / "01.png"])
    columns, distances, seen = measure_real({"as it is": as_it_is}, open_source(folder), sharp)
    assert [len(found) for found in seen.values()] == [2, 2]  # nobody has no face
    assert torch.equal(seen[INPUT][0], seen["as it is"][0])
    assert columns["as it is"].scores["identity_edgeface"] == pytest.approx([1.0, 1.0], abs=1e-5)
    assert columns["as it is"].scores["niqe"] == columns[INPUT].scores["niqe"]
    assert distances[INPUT] == pytest.approx(distances["as it is"])
