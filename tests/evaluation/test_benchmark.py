"""The evaluation on three crops: references against their definitions, and the contents of rows."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from lumiface.core.errors import AssetMissing, InputError, SettingError
from lumiface.data.benchmarks.llf import LLFSettings, llf_pairs
from lumiface.data.benchmarks.llf_files import build_llf, built_settings
from lumiface.data.sources import open_source
from lumiface.degradations.lowlight import DarkeningBatch, DarkeningRanges, darken_with
from lumiface.degradations.resample import resize
from lumiface.evaluation.benchmark import evaluate
from lumiface.evaluation.metric_suite import METRICS
from lumiface.evaluation.output_writer import folder_name
from lumiface.evaluation.provenance import commit
from lumiface.evaluation.reference_rows import REFERENCES, mean_gamma
from lumiface.figures.console_tables import amount, score_table
from lumiface.imaging.io import read_picture
from lumiface.imaging.quantize import from_uint8
from lumiface.metrics import psnr_y, quantize
from lumiface.registry import build, find_spec
from lumiface.training.checkpoint import save_weights


@pytest.fixture
def faces(tmp_path: Path, astronaut_uint8: np.ndarray) -> Path:
    """Three pictures: the face twice, and the shoulder of the suit, which has none."""
    folder = tmp_path / "faces"
    (folder / "more").mkdir(parents=True)
    for name, top, left in (("a.png", 30, 150), ("more/b.png", 40, 140), ("c.png", 330, 20)):
        Image.fromarray(astronaut_uint8[top : top + 144, left : left + 144]).save(folder / name)
    return folder


@pytest.fixture
def no_lpips(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(net: str) -> None:
        raise AssetMissing(f"lpips_{net}.pt is missing: put it somewhere")

    monkeypatch.setattr("lumiface.evaluation.metric_suite.LPIPS", missing)


@pytest.fixture(autouse=True)
def nothing_ships(monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """The weights that ship, as far as evaluation sees: none, or what a test puts here."""
    shipped: dict[str, Path] = {}
    monkeypatch.setattr("lumiface.evaluation.benchmark.shipped_weights", lambda: shipped)
    monkeypatch.setattr("lumiface.registry.shipped_weights", lambda: shipped)
    return shipped


def network(path: Path, **settings: object) -> Path:
    torch.manual_seed(0)
    built = build("srcnn", {"variant": "3-1-5", **settings})
    method = find_spec("srcnn")[0]
    config = method.config(**({"variant": "3-1-5"} | settings))
    save_weights(path, built.state_dict(), method="srcnn", config=config, provenance={"best_psnr_y": 1.0})
    return path


def test_mean_gamma_makes_the_mean_one_half() -> None:
    pictures = torch.rand(3, 3, 16, 16) ** torch.tensor([1.0, 3.0, 0.2])[:, None, None, None]
    raised = pictures ** mean_gamma(pictures)[:, None, None, None]
    torch.testing.assert_close(raised.mean(dim=(1, 2, 3)), torch.full((3,), 0.5), atol=1e-5, rtol=0)
    uniform = torch.linspace(0, 1, 100_000).reshape(1, 1, -1, 1).expand(1, 3, -1, 1)
    assert mean_gamma(uniform).item() == pytest.approx(1.0, abs=1e-4)  # its mean is 0.5 already
    flat = torch.full((1, 3, 4, 4), 0.1)
    assert mean_gamma(flat).item() == pytest.approx(math.log(0.5) / math.log(0.1), rel=1e-5)
    assert mean_gamma(torch.zeros(1, 3, 4, 4)).isfinite().all()  # no power lights what is black


def test_the_oracle_undoes_the_darkening() -> None:
    high = 0.2 + 0.6 * torch.rand(2, 3, 8, 8)
    darkening = DarkeningBatch(torch.tensor([0.9, 1.0]), torch.tensor([0.6, 0.9]), torch.tensor([1.5, 4.0]))
    dark = darken_with(high, darkening.alpha, darkening.beta, darkening.gamma, torch.zeros(()))
    parameters = [
        {"alpha": 0.9, "beta": 0.6, "gamma": 1.5, "noise": 0.0},
        {"alpha": 1.0, "beta": 0.9, "gamma": 4.0, "noise": 0.0},
    ]
    torch.testing.assert_close(REFERENCES["llf"]["oracle"](dark, parameters, (8, 8)), high, atol=1e-5, rtol=0)


def test_rows_json_and_table(faces: Path, tmp_path: Path, no_lpips: None) -> None:
    model = network(tmp_path / "run" / "best.safetensors")
    calls: list[tuple[int, int | None]] = []
    result = evaluate(
        [model],
        faces,
        batch=2,
        pictures=tmp_path / "out",
        progress=lambda done, total: calls.append((done, total)),
    )
    assert [row.method for row in result.rows] == [
        "bicubic",
        "mean-gamma + bicubic",
        str(model),
        "oracle",
    ]
    assert calls == [(2, 3), (3, 3)]
    # The plain enlargement against the same numbers, made by hand.
    pairs = list(llf_pairs(open_source(faces), LLFSettings()))
    by_hand = [
        psnr_y(quantize(resize(from_uint8(pair.lr), (128, 128))), from_uint8(pair.hr)).item()
        for pair in pairs
    ]
    plain = result.rows[0]
    assert plain.scores["psnr_y"] == pytest.approx(np.mean(by_hand), abs=1e-3)
    assert plain.intervals["psnr_y"] is not None
    assert (
        min(by_hand)
        <= plain.intervals["psnr_y"][0]
        <= plain.scores["psnr_y"]
        <= plain.intervals["psnr_y"][1]
        <= max(by_hand)
    )
    oracle = result.rows[-1]
    assert oracle.scores["psnr_y"] is not None
    assert oracle.scores["psnr_y"] > plain.scores["psnr_y"] + 3
    for row in result.rows:
        assert row.images == 3
        assert row.sums["no_face_in_target"] == 1
        assert (
            row.measured["landmark_px"] + row.sums["no_face_in_target"] + row.sums["no_face_in_output"] == 3
        )
        assert row.scores["lpips_squeeze"] is None
        assert row.ms_per_face > 0
    assert oracle.scores["landmark_px"] is not None
    assert 0 < oracle.scores["landmark_px"] < 10
    assert result.rows[2].params == 3 * 64 * 9 + 64 + 64 * 32 + 32 + 32 * 3 * 25 + 3

    text = json.dumps(result.as_dict(), allow_nan=False)
    loaded = json.loads(text)
    assert set(loaded) == {"protocol", "rows"}
    keys = {"method", "psnr_y", "ssim_y", "lpips_squeeze", "landmark_px", "images"}
    assert keys <= set(loaded["rows"][0])
    assert loaded["protocol"]["data"] == "faces"
    assert (loaded["protocol"]["hr_size"], loaded["protocol"]["scale"], loaded["protocol"]["seed"]) == (
        128,
        4,
        0,
    )
    assert "lpips_squeeze.pt is missing" in loaded["protocol"]["notes"][0]
    conventions = loaded["protocol"]["conventions"]
    assert conventions["ssim_y"] == METRICS["ssim_y"].convention

    console = Console(width=80, record=True, quiet=False, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(score_table(loaded["rows"], "LLF"))
    text = console.export_text()
    assert f"{oracle.scores['psnr_y']:.2f}" in text
    assert "8 bits" in text
    assert "mean-gamma + bicubic" in text  # nothing is cut off on a terminal of 80 columns
    assert amount(result.rows[2].params) in text

    written = sorted(p.relative_to(tmp_path / "out").as_posix() for p in (tmp_path / "out").rglob("*.png"))
    assert written == ["grid.png", "run-best/a.png", "run-best/c.png", "run-best/more/b.png"]
    assert read_picture(tmp_path / "out" / "grid.png").rgb.shape[-2:] == (3 * 132 + 4, 3 * 132 + 4)


def test_a_folder_that_was_built_gives_the_same_scores(faces: Path, tmp_path: Path, no_lpips: None) -> None:
    settings = LLFSettings(hr_size=96, scale=2, seed=7, ranges=DarkeningRanges(gamma=(2.0, 3.0)))
    build_llf(faces, tmp_path / "built", settings)
    assert built_settings(tmp_path / "built") == (settings, 3)
    built = evaluate([], tmp_path / "built", seed=7)
    assert (built.protocol["hr_size"], built.protocol["scale"], built.protocol["seed"]) == (96, 2, 7)
    build_llf(faces, tmp_path / "plain", LLFSettings(hr_size=96, scale=2))
    from_files = evaluate([], tmp_path / "plain")
    direct = evaluate([], faces, hr_size=96, scale=2)
    assert from_files.protocol["pairs_sha256"] == direct.protocol["pairs_sha256"]
    assert built.protocol["pairs_sha256"] != direct.protocol["pairs_sha256"]
    for row, other in zip(from_files.rows, direct.rows, strict=True):
        assert (row.scores["psnr_y"], row.scores["ssim_y"], row.intervals["psnr_y"]) == (
            other.scores["psnr_y"],
            other.scores["ssim_y"],
            other.intervals["psnr_y"],
        )
    with pytest.raises(SettingError, match="was built with scale 2, not 4"):
        evaluate([], tmp_path / "built", scale=4)


def test_srcnn_is_a_reference_where_it_ships(faces, tmp_path, no_lpips, nothing_ships) -> None:
    nothing_ships["srcnn"] = network(tmp_path / "srcnn.safetensors")

    def methods(*names: str, **settings: int) -> list[str]:
        return [row.method for row in evaluate(names, faces, limit=1, hr_size=64, **settings).rows]

    assert methods() == ["bicubic", "mean-gamma + bicubic", "srcnn", "oracle"]
    assert methods("srcnn") == ["bicubic", "mean-gamma + bicubic", "srcnn", "oracle"]
    assert methods(scale=2) == ["bicubic", "mean-gamma + bicubic", "oracle"]  # it enlarges 4 times


def test_mixed_sizes_and_limits(faces: Path, tmp_path: Path, no_lpips: None, astronaut_uint8) -> None:
    Image.fromarray(astronaut_uint8[30:130, 150:280]).save(faces / "b.png")
    native = evaluate([], faces, hr_size=0, limit=3, pictures=tmp_path / "out")
    assert native.protocol["hr_size"] is None
    assert native.rows[0].images == 3
    assert evaluate([], faces, limit=1, hr_size=64).protocol["images"] == 1


@pytest.mark.parametrize(
    ("methods", "settings", "line"),
    [
        (["gone"], {}, "no such model"),
        ([], {"references": False}, "nothing to evaluate"),
        ([], {"limit": 0}, "no picture to evaluate on"),
        ([], {"scale": 3}, "multiple of the scale"),
    ],
)
def test_errors_are_one_line(faces: Path, no_lpips: None, methods, settings, line) -> None:
    with pytest.raises((InputError, SettingError), match=line):
        evaluate(methods, faces, **settings)


def test_a_network_of_another_scale_is_refused(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="enlarges 2 times, not 4"):
        evaluate([network(tmp_path / "x2.safetensors", scale=2)], faces)


def test_names_of_folders_amounts_and_the_commit() -> None:
    assert folder_name("runs/lite/best.safetensors") == "lite-best"
    assert folder_name("mean-gamma + bicubic") == "mean-gamma-bicubic"
    assert [amount(n) for n in (0, 310_987, 2_400_000_000)] == ["0", "311 k", "2.4 G"]
    assert commit() is None or len(commit().rstrip("+")) == 40


def test_lpips_is_measured_where_its_weights_are_available(faces: Path, shared_asset, monkeypatch) -> None:
    monkeypatch.setenv("LUMIFACE_ASSETS", str(shared_asset("lpips_squeeze.pt").parent))
    plain, *_, oracle = evaluate([], faces).rows
    assert 0 < oracle.scores["lpips_squeeze"] < plain.scores["lpips_squeeze"] < 1
