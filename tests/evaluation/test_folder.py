"""`lumiface score`: pairing by name, scores equal to those of the metrics, and one line per error."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner, Result

from lumiface.cli import app
from lumiface.core import assets
from lumiface.core.errors import AssetMissing, InputError
from lumiface.evaluation.bootstrap import bootstrap_interval
from lumiface.evaluation.folder import score_folder
from lumiface.evaluation.metric_suite import METRICS
from lumiface.evaluation.pairing import first_few, pair_by_name
from lumiface.faces.detectors.detect import FaceDetector
from lumiface.imaging.quantize import from_uint8
from lumiface.metrics import (
    LPIPS,
    NIQE,
    FrechetDistance,
    Identity,
    identity_similarity,
    measure_landmark_error,
    psnr_rgb,
    psnr_y,
    ssim_rgb,
    ssim_y,
)
from lumiface.metrics.landmarks import find_target_faces

SIDE = 196


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


@pytest.fixture
def folders(tmp_path: Path, astronaut_uint8: np.ndarray) -> tuple[Path, Path]:
    """Three originals, and as results their blurred copies as JPEG; one original has no face."""
    results, originals = tmp_path / "results", tmp_path / "originals"
    for name, top, left in (("a", 10, 130), ("b", 20, 120), ("deep/c", 310, 10)):
        picture = Image.fromarray(astronaut_uint8[top : top + SIDE, left : left + SIDE])
        small = picture.resize((SIDE // 3, SIDE // 3), Image.Resampling.BICUBIC)
        for folder, content, ending in (
            (originals, picture, "png"),
            (results, small.resize((SIDE, SIDE)), "jpg"),
        ):
            path = folder / f"{name}.{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            content.save(path)
    return results, originals


@pytest.fixture
def no_assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any pretrained weights and without internet access."""

    def offline(asset: assets.Asset, url: str) -> Path:
        raise AssetMissing(f"{asset.file} is missing: put it somewhere")

    monkeypatch.setenv("LUMIFACE_ASSETS", str(tmp_path / "none"))
    monkeypatch.setattr(assets, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(assets, "_download", offline)


# --- pairing ------------------------------------------------------------------------------------------------


def pairs(results: list[str], references: list[str]) -> set[tuple[str, str]]:
    found = pair_by_name(results, references).pairs
    return {(results[i], references[j]) for i, j in found if j is not None}


def test_names_pair_whatever_their_suffixes_and_folders() -> None:
    results = ["b.jpg", "a.png", "x/1.png", "y/1.png", "deep/only.webp"]
    references = ["x/1.jpg", "y/1.jpg", "a.jpg", "only.png", "b.png"]
    assert pairs(results, references) == {
        ("b.jpg", "b.png"),
        ("a.png", "a.jpg"),
        ("x/1.png", "x/1.jpg"),
        ("y/1.png", "y/1.jpg"),
        ("deep/only.webp", "only.png"),
    }
    assert [pair[0] for pair in pair_by_name(results, references).pairs] == [0, 1, 2, 3, 4]
    assert pairs(["restored.png"], ["original.jpg"]) == {("restored.png", "original.jpg")}


def test_ambiguous_names_are_reported() -> None:
    found = pair_by_name(
        ["a.png", "b.png", "b.jpg", "z/n.png"], ["a.png", "b.webp", "x/n.png", "y/n.png", "c.png"]
    )
    assert found.pairs == [(0, 0)]
    assert found.without_reference == ["z/n.png"]  # two n.png elsewhere: ambiguous
    assert found.without_result == ["x/n.png", "y/n.png", "c.png"]
    (line,) = found.ambiguous
    assert "b.png, b.jpg, b.webp" in line
    exact = pair_by_name(["b.png", "b.jpg"], ["b.png"])  # the very same name is clear
    assert (exact.pairs, exact.without_reference) == ([(0, 0)], ["b.jpg"])


def test_long_lists_are_shortened() -> None:
    assert first_few(["a", "b", "c"]) == "a, b, c"
    assert first_few(list("abcde")) == "a, b, c and 2 more"


# --- numbers ------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_scores_are_those_of_the_metrics(
    folders: tuple[Path, Path], shared_asset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUMIFACE_ASSETS", str(shared_asset("edgeface_xxs.pt").parent))
    pytest.importorskip("timm")
    results, originals = folders
    found = score_folder(results, originals, batch=2)
    assert found.names == ["a.jpg", "b.jpg", "deep/c.jpg"]
    assert found.is_complete
    outputs, targets = (
        torch.cat([from_uint8(np.asarray(Image.open(folder / name))) for name in names])
        for folder, names in (
            (results, found.names),
            (originals, ["a.png", "b.png", "deep/c.png"]),
        )
    )
    detector = FaceDetector(min_face=0.3 * SIDE)
    faces = find_target_faces(targets, detector)
    expected = {
        "psnr_y": psnr_y(outputs, targets),
        "psnr_rgb": psnr_rgb(outputs, targets),
        "ssim_y": ssim_y(outputs, targets),
        "ssim_rgb": ssim_rgb(outputs, targets),
        "lpips_squeeze": LPIPS()(outputs, targets),
        "landmark_px": measure_landmark_error(outputs, faces, detector).errors,
        "identity_edgeface": identity_similarity(outputs, targets, faces, Identity("edgeface")),
        "identity_mobilefacenet": identity_similarity(outputs, targets, faces, Identity("mobilefacenet")),
        "niqe": NIQE()(outputs),
    }
    for name, numbers in expected.items():
        scores = np.array(found.per_image[name])
        np.testing.assert_allclose(scores, numbers.double().numpy(), rtol=1e-3, err_msg=name)
        measured = scores[~np.isnan(scores)]
        score = found.scores[name]
        assert (
            score.images
            == len(measured)
            == (2 if METRICS[name].may_be_nan_because == "without a face" else 3)
        )
        assert score.value == pytest.approx(measured.mean())
        assert score.interval == bootstrap_interval(measured, seed=0)
    distance = FrechetDistance("squeezenet")(outputs, targets).item()
    assert found.scores["fd_squeezenet"].value == pytest.approx(distance, rel=1e-3)
    assert found.scores["fd_squeezenet"].interval is None
    assert found.protocol["no_face_in_target"] == 1
    assert "landmark_px: not measured of 1 of 3" in "\n".join(found.notes)
    assert [name for name in METRICS if name in found.scores] == list(found.scores)


def test_without_weights_all_other_metrics_are_measured_and_the_missing_ones_named(
    folders: tuple[Path, Path], no_assets: None, tmp_path: Path
) -> None:
    table, lines = tmp_path / "table.json", tmp_path / "lines.csv"
    result = run(
        "score", folders[0], "--reference", folders[1], "--json", table, "--csv", lines, "--device", "cpu"
    )
    assert result.exit_code == 0, result.output
    facts = json.loads(table.read_text())
    measured = ["psnr_y", "psnr_rgb", "ssim_y", "ssim_rgb", "landmark_px", "brisque"]
    assert list(facts["scores"]) == measured
    missing = [name for name in METRICS if name not in measured]
    assert [note.split()[0] for note in facts["notes"][: len(missing)]] == missing
    for file in ("edgeface_xxs.pt", "mobilefacenet.pt", "niqe_pris_params.npz"):
        assert file in result.stdout
    assert facts["protocol"]["conventions"]["psnr_y"] == METRICS["psnr_y"].convention
    assert facts["protocol"]["images"] == 3
    assert len(facts["protocol"]["pairs_sha256"]) == 64
    for name in measured:
        digits = METRICS[name].digits
        assert f"{facts['scores'][name]['value']:.{digits}f}" in result.stdout
    low, high = facts["scores"]["psnr_y"]["ci"]
    assert low <= facts["scores"]["psnr_y"]["value"] <= high
    rows = list(csv.DictReader(io.StringIO(lines.read_text())))
    assert [row["name"] for row in rows] == ["a.jpg", "b.jpg", "deep/c.jpg"]
    values = [float(row["psnr_y"]) for row in rows]
    assert np.mean(values) == pytest.approx(facts["scores"]["psnr_y"]["value"])
    assert rows[2]["landmark_px"] == ""


def test_without_a_reference(
    folders: tuple[Path, Path], shared_asset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUMIFACE_ASSETS", str(shared_asset("niqe_pris_params.npz").parent))
    found = score_folder(folders[0])
    assert set(found.scores) == {"niqe", "brisque"}
    assert found.scores["niqe"].images == 3
    assert found.protocol["reference"] is None
    # Blurred pictures are less natural than their originals.
    original = score_folder(folders[1]).scores["niqe"].value
    assert original is not None
    assert found.scores["niqe"].value > original
    Image.new("RGB", (64, 64)).save(folders[0] / "small.png")
    small = score_folder(folders[0])
    assert small.scores["niqe"].images == 3
    assert math.isnan(small.per_image["niqe"][small.names.index("small.png")])
    assert "smaller than 192 pixels" in "\n".join(small.notes)


def test_distances_to_an_unpaired_set(
    folders: tuple[Path, Path], shared_asset, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LUMIFACE_ASSETS", str(shared_asset("lpips_squeeze.pt").parent))
    results, originals = folders
    others = tmp_path / "others"
    others.mkdir()
    for name, angle in (("x", 90), ("y", 180), ("z", 270), ("w", 0)):
        Image.open(originals / "a.png").rotate(angle).save(others / f"{name}.png")
    stacks = [
        torch.cat([from_uint8(np.asarray(Image.open(path))) for path in sorted(folder.rglob("*.*"))])
        for folder in (results, others)
    ]
    expected = FrechetDistance("squeezenet")(*stacks).item()
    alone = score_folder(results, distance_to=others)
    assert alone.scores["fd_squeezenet"].value == pytest.approx(expected, rel=1e-3)
    assert "psnr_y" not in alone.scores
    both = score_folder(results, originals, distance_to=others)
    assert both.scores["fd_squeezenet"].value == alone.scores["fd_squeezenet"].value
    assert both.scores["psnr_y"].images == 3
    assert both.protocol["distance_to"] == "others"
    result = run("score", results, "--distance-to", others)
    assert result.exit_code == 0, result.output
    assert "fd_squeezenet" in result.output


def test_without_reference_and_weights(folders: tuple[Path, Path], no_assets: None) -> None:
    found = score_folder(folders[0])
    assert set(found.scores) == {"brisque"}  # its model is bundled
    assert "niqe is not measured" in "\n".join(found.notes)


def test_equal_pictures_and_a_single_one(folders: tuple[Path, Path], no_assets: None, tmp_path: Path) -> None:
    found = score_folder(folders[1], folders[1])
    assert found.scores["psnr_y"].value is None
    assert found.scores["ssim_rgb"].value == pytest.approx(1.0)
    assert "psnr_y: 3 of 3 pictures equal their reference" in "\n".join(found.notes)
    assert "a.png,inf,inf," in found.as_csv()
    json.dumps(found.as_dict(), allow_nan=False)
    one = score_folder(folders[0] / "a.jpg", folders[1] / "b.png")
    assert one.names == ["a.jpg"]
    assert one.protocol["images"] == 1


# --- mistakes -----------------------------------------------------------------------------------------------


def test_every_error_is_a_line_and_the_exit_code_is_1(
    folders: tuple[Path, Path], no_assets: None, tmp_path: Path
) -> None:
    results, originals = folders
    Image.new("RGB", (SIDE, 50)).save(results / "b.jpg")
    (results / "bad.png").write_bytes(b"not a picture")
    Image.new("RGB", (9, 9)).save(originals / "bad.png")
    Image.new("RGB", (9, 9)).save(originals / "tiny.png")
    Image.new("RGB", (9, 9)).save(results / "tiny.png")
    for number in range(12):
        Image.new("RGB", (9, 9)).save(results / f"extra{number:02}.png")
    Image.new("RGB", (9, 9)).save(originals / "lonely.png")
    table = tmp_path / "table.json"
    result = run("score", results, "--reference", originals, "--json", table, "--device", "cpu")
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert all(line.startswith("lumiface: ") for line in lines)
    assert f"b.jpg is {SIDE}x50 and its reference {SIDE}x{SIDE}" in lines[0]
    assert "bad.png" in lines[1]
    assert sum("no reference for extra" in line for line in lines) == 10
    assert "12 in all" in result.stderr
    assert lines[-1] == "lumiface: no result for lonely.png"
    facts = json.loads(table.read_text())
    assert facts["protocol"]["images"] == 3
    assert facts["scores"]["psnr_y"]["images"] == 3
    assert facts["scores"]["ssim_y"]["images"] == 2  # no window fits into 9x9
    assert (len(facts["failed"]), len(facts["without_reference"])) == (2, 12)
    assert facts["without_result"] == ["lonely.png"]


def test_folders_that_have_nothing_in_common(folders: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for name in ("p", "q"):
        Image.new("RGB", (20, 20)).save(other / f"{name}.png")
    result = run("score", other, "--reference", folders[1])
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert "p.png, q.png" in line
    assert "a.png, b.png, deep/c.png" in line
    with pytest.raises(InputError, match="gone"):
        score_folder(tmp_path / "gone", other)
    (other / "p.png").write_bytes(b"x")
    with pytest.raises(InputError, match="no picture could be scored"):
        score_folder(other / "p.png", folders[1] / "a.png")
