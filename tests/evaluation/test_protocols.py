"""Benchmarks beside LLF: the same bytes as `lumiface degrade` builds, reference rows, metrics by size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lumiface.core.errors import InputError, SettingError
from lumiface.data.benchmarks.damaged import DamageSettings, build_damaged, damaged_pairs
from lumiface.data.benchmarks.llf_files import build_llf
from lumiface.data.faults import Faults
from lumiface.data.sources import open_source
from lumiface.evaluation.benchmark import evaluate
from lumiface.evaluation.protocols import BENCHMARKS, clean_pictures, open_benchmark
from lumiface.imaging.quantize import from_uint8
from lumiface.metrics import psnr_y, quantize


@pytest.fixture
def faces(tmp_path: Path, astronaut_uint8: np.ndarray) -> Path:
    folder = tmp_path / "faces"
    folder.mkdir()
    for name, top, left in (("a.png", 30, 150), ("b.png", 40, 140)):
        Image.fromarray(astronaut_uint8[top : top + 144, left : left + 144]).save(folder / name)
    return folder


def cases(protocol: str, source: Path, hr_size: int | None = 128) -> list:
    opened = open_benchmark(
        protocol, source, hr_size=hr_size, scale=None, seed=None, limit=None, faults=Faults()
    )
    return list(opened.cases)


@pytest.mark.parametrize("protocol", ["frr", "blind", "dark-blind"])
def test_cases_are_the_pairs_of_the_set_in_memory_and_on_disk(faces, tmp_path, protocol) -> None:
    settings = DamageSettings(protocol, 128)
    pairs = list(damaged_pairs(open_source(faces), settings))
    built = build_damaged(faces, tmp_path / "set", settings).parent
    for found in (cases(protocol, faces), cases(protocol, built, None)):
        for case, pair in zip(found, pairs, strict=True):
            assert case.name == pair.name
            assert np.array_equal(case.input, pair.degraded)
            assert case.target is not None
            assert np.array_equal(case.target, pair.clean)
    clean = clean_pictures(built)
    assert clean is not None
    assert sorted(path.name for path in clean.iterdir()) == ["a.png", "b.png"]


def test_the_clean_side_of_an_llf_set_and_of_a_plain_folder(faces: Path, tmp_path: Path) -> None:
    from lumiface.data.benchmarks.llf import LLFSettings

    build_llf(faces, tmp_path / "llf", LLFSettings())
    assert clean_pictures(tmp_path / "llf") == tmp_path / "llf" / "hr"
    assert clean_pictures(faces) is None


def test_frr_scores_by_hand_and_its_oracle_has_the_light_of_the_truth(faces: Path) -> None:
    result = evaluate([], faces, protocol="frr", hr_size=128)
    rows = {row.method: row for row in result.rows}
    assert list(rows) == ["input", "mean-gamma", "oracle"]
    assert result.metrics == BENCHMARKS["frr"].metrics
    pairs = list(damaged_pairs(open_source(faces), DamageSettings("frr", 128)))
    by_hand = [psnr_y(quantize(from_uint8(pair.degraded)), from_uint8(pair.clean)).item() for pair in pairs]
    assert rows["input"].scores["psnr_y"] == pytest.approx(np.mean(by_hand), abs=1e-6)
    oracle, dark = rows["oracle"].scores["psnr_y"], rows["input"].scores["psnr_y"]
    assert oracle is not None
    assert dark is not None
    assert oracle > dark + 5
    assert rows["input"].scores["brisque"] is not None
    # Below 192 pixels NIQE is that of the enlarged picture.
    assert rows["input"].scores["niqe"] is not None
    assert set(result.as_dict()["rows"][0]) >= {"psnr_y_ci", "ssim_y_ci", "niqe_ci", "images"}


def test_the_distance_of_sets_is_that_of_outputs_to_targets(
    faces, astronaut_uint8, shared_asset, monkeypatch
):
    monkeypatch.setenv("LUMIFACE_ASSETS", str(shared_asset("lpips_squeeze.pt").parent))
    from lumiface.metrics.frechet import FrechetDistance, frechet_distance

    result = evaluate([], faces, protocol="blind", hr_size=64)
    (row,) = result.rows
    pairs = list(damaged_pairs(open_source(faces), DamageSettings("blind", 64)))
    distance = FrechetDistance("squeezenet")
    features = [
        torch.cat([distance.features(from_uint8(getattr(pair, side))) for pair in pairs])
        for side in ("degraded", "clean")
    ]
    assert row.scores["fd_squeezenet"] == pytest.approx(float(frechet_distance(*features)), rel=1e-5)


def test_real_pictures_have_no_reference_and_no_pair_metric(faces: Path, tmp_path: Path) -> None:
    result = evaluate([], faces, protocol="real", hr_size=128, pictures=tmp_path / "out")
    assert result.metrics == ("niqe", "brisque")
    assert [row.method for row in result.rows] == ["input", "mean-gamma"]
    assert all(row.scores["niqe"] is not None for row in result.rows)
    assert (tmp_path / "out" / "grid.png").is_file()


def test_real_faces_are_the_aligned_faces_of_photographs(tmp_path: Path, astronaut_uint8: np.ndarray) -> None:
    folder = tmp_path / "photographs"
    folder.mkdir()
    Image.fromarray(astronaut_uint8).save(folder / "face.png")
    Image.fromarray(astronaut_uint8[330:500, 20:190]).save(folder / "suit.png")
    (only,) = cases("real-faces", folder, 64)
    assert only.name == "face.png"
    assert only.input.shape == (64, 64, 3)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"protocol": "fr"}, "protocol fr: choose llf, frr"),
        ({"protocol": "frr", "scale": 4}, "keeps the size"),
        ({"protocol": "frr", "hr_size": 400}, "smaller than hr_size 400"),
    ],
)
def test_errors_name_the_mend(faces: Path, options: dict, line: str) -> None:
    with pytest.raises((InputError, SettingError), match=line):
        evaluate([], faces, **options)


def test_a_built_set_of_another_protocol_is_refused(faces: Path, tmp_path: Path) -> None:
    built = build_damaged(faces, tmp_path / "set", DamageSettings("frr", 64)).parent
    with pytest.raises(InputError, match="--protocol frr"):
        evaluate([], built, protocol="blind")
    with pytest.raises(SettingError, match="was built with size 64, not 128"):
        evaluate([], built, protocol="frr", hr_size=128)
