"""The command line: exit codes, one line per error, and each command once from end to end."""

from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from typer.testing import CliRunner, Result

import lumiface
from lumiface.cli import app
from lumiface.core.settings import shipped_configs
from lumiface.evaluation.cost import measure_cost
from lumiface.imaging.io import read_picture
from lumiface.registry import (
    METHODS,
    REGISTRY,
    build,
    configure,
    list_models,
    load_model,
    read_metadata,
    shipped_weights,
)
from lumiface.restoration.restorer import RestoreConfig
from lumiface.training.checkpoint import save_weights
from lumiface.training.config import TrainConfig


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


def refusal(result: Result, code: int) -> str:
    """The one line on stderr of a command that ended with `code`."""
    assert result.exit_code == code, result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("lumiface: ")
    return line


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """An untrained SRCNN: fast, and sufficient for every command."""
    torch.manual_seed(0)
    path = tmp_path / "model" / "best.safetensors"
    config, score = configure("srcnn-3-1-5"), {"name": "psnr_y", "value": 12.5}
    save_weights(
        path,
        build("srcnn-3-1-5").state_dict(),
        method="srcnn-3-1-5",
        config=config,
        provenance={"step": 4},
        score=score,
    )
    return path


@pytest.fixture
def faces(tmp_path: Path, astronaut_uint8: np.ndarray) -> Path:
    """Five square crops around one face, 128 pixels and larger."""
    folder = tmp_path / "faces"
    folder.mkdir()
    for number in range(5):
        crop = astronaut_uint8[20 + 4 * number :, 140 + 6 * number :][:160, :160]
        Image.fromarray(crop).resize((128, 128)).save(folder / f"{number}.png")
    return folder


@pytest.fixture
def photo(tmp_path: Path, astronaut_uint8: np.ndarray) -> Path:
    path = tmp_path / "photos" / "dark.jpg"
    path.parent.mkdir()
    Image.fromarray((astronaut_uint8[:200, 100:320] * 0.3).astype(np.uint8)).save(path)
    return path


def test_version_and_help_are_quick_and_load_no_torch() -> None:
    assert run("--version").output == f"lumiface {lumiface.__version__}\n"
    code = "import sys, lumiface.cli; print('torch' in sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert output == "False\n"
    result = run("--help")
    assert result.exit_code == 0
    for command in ("restore", "train", "evaluate", "degrade", "models", "demo"):
        assert f"\n  {command} " in result.output
    assert "..." not in result.output.replace("[ARGS]...", "")  # no command's line is truncated


@pytest.mark.parametrize(("command", "settings"), [("restore", RestoreConfig), ("train", TrainConfig)])
def test_help_says_what_the_settings_say(command: str, settings: type) -> None:
    text = " ".join(run(command, "--help").output.split())
    fields = settings.model_fields
    shared = set(fields) if command == "restore" else {"steps", "precision"}
    for name in shared:
        assert f"--{name.replace('_', '-')} " in text
        assert " ".join(fields[name].description.split()) in text
        if fields[name].default not in (None, False):
            assert f"[default: {fields[name].default}]" in text


@pytest.mark.parametrize("command", ["restore", "train"])
def test_help_prints_no_absent_default(command: str) -> None:
    text = run(command, "--help").output
    assert "default: None" not in text
    assert "default: False" not in text


def test_help_shows_the_choices_of_literals_optional_or_not() -> None:
    text = run("restore", "--help").output
    for option in ("--task [joint|enhance|blind|auto]", "--scale [1|2|4]", "--background [keep|light]"):
        assert option in text
    assert "--strength <float>" in text


def test_every_option_has_a_help_text() -> None:
    for command in ("restore", "train", "evaluate", "degrade", "demo", "models publish"):
        lines = run(*command.split(), "--help").output.split("Options:")[1].splitlines()
        starts = [number for number, line in enumerate(lines) if line.startswith("  -")]
        for number in starts:
            text = lines[number].strip().split("  ", 1)[1:] or [lines[number + 1].strip()]
            assert text[0].strip(), lines[number]
            assert not text[0].strip().startswith(("-", "[default")), lines[number]


# --- restore ------------------------------------------------------------------------------------------------


def test_restore_a_photo_and_again(photo: Path, model: Path, tmp_path: Path) -> None:
    first = run("restore", photo, "--model", model, "--scale", 2, "--device", "cpu")
    assert first.exit_code == 0, first.output
    result = photo.with_name("dark_lumiface.jpg")
    assert first.stdout.startswith(f"{result}\n")
    assert "faces     1" in first.stdout
    assert read_picture(result).rgb.shape == (1, 3, 400, 440)
    again = run("restore", photo.parent, "--model", model)
    assert again.exit_code == 0
    assert "already there" in again.output
    assert "made by lumiface" in again.output
    into = run("restore", photo, "-o", tmp_path / "out", "--model", model, "--box", "60,20,90,110")
    assert into.exit_code == 0, into.output
    assert (tmp_path / "out" / "dark.jpg").is_file()


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 100))


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("cut.jpg", None, "truncated"),
        ("text.jpg", b"once upon a time", "not a picture"),
        ("empty.jpg", b"", "empty (0 bytes)"),
        ("bomb.png", png_header(30_000, 30_000), "900 megapixels"),
    ],
)
def test_a_bad_picture_is_one_line_and_the_others_are_done(
    photo: Path, model: Path, name: str, content: bytes | None, says: str
) -> None:
    bad = photo.with_name(name)
    bad.write_bytes(photo.read_bytes()[:2000] if content is None else content)
    line = refusal(run("restore", bad, "--model", model), 1)
    assert str(bad) in line
    assert says in line
    both = run("restore", photo.parent, "--model", model, "--faces", "none", "--scale", 1)
    assert both.exit_code == 1
    assert photo.with_name("dark_lumiface.jpg").is_file()
    assert str(bad) in both.stderr


def test_a_folder_without_pictures_and_a_file_that_is_not_there(tmp_path: Path, model: Path) -> None:
    (tmp_path / "bare").mkdir()
    assert "no picture in this folder" in refusal(run("restore", tmp_path / "bare", "--model", model), 1)
    assert "gone.jpg" in refusal(run("restore", tmp_path / "gone.jpg", "--model", model), 1)


def test_an_output_that_cannot_be_written(photo: Path, model: Path, tmp_path: Path) -> None:
    wall = tmp_path / "wall"
    wall.write_text("a file, below which there can be no folder")
    assert "cannot be created" in refusal(run("restore", photo, "-o", wall / "x", "--model", model), 2)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "dark.jpg").mkdir()
    command = ("restore", photo, "-o", tmp_path / "out", "--model", model, "--faces", "none", "--overwrite")
    assert "dark.jpg is a folder" in refusal(run(*command), 1)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--scale", "3"], "--scale 3"),
        (["--strength", "1.5"], "--strength 1.5"),
        (["--background", "blue"], "--background blue"),
        (["--faces", "some"], "--faces some"),
        (["--min-face", "3"], "--min-face 3"),
        (["--box", "1,2,3"], "--box 1,2,3"),
        (["--model", "gone"], "gone: no such model"),
        (["--device", "abacus"], "device abacus"),
    ],
)
def test_bad_usage_is_one_line_and_code_2(photo: Path, model: Path, words: list[str], says: str) -> None:
    first = [] if words[0] == "--model" else ["--model", model]
    assert says in refusal(run("restore", photo, *first, *words), 2)


def test_unknown_options_are_bad_usage(photo: Path) -> None:
    result = run("restore", photo, "--brightness", 3)
    assert result.exit_code == 2
    assert "No such option: --brightness" in result.stderr


# --- train --------------------------------------------------------------------------------------------------


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(
        "lumiface.data.training.cache.user_cache_path", lambda name: tmp_path / "cache" / name
    )
    settings = {
        "name": "trial",
        "method": "srcnn-3-1-5",
        "train": ["{data}"],
        "validate_on": "{data}",
        "hr_size": 64,
        "sizes": [{"side": 16, "weight": 1.0}],
        "batch": 2,
        "steps": 6,
        "warmup": 1,
        "validate_every": 3,
        "save_every": 3,
    }
    path = tmp_path / "trial.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


def test_train_resume_and_start_again(config: Path, faces: Path, tmp_path: Path) -> None:
    out = tmp_path / "runs" / "trial"
    command = ("train", config, "--data-root", faces, "--out", out, "--accelerator", "cpu", "--threads", 1)
    first = run(*command, "--max-steps", 3)
    assert first.exit_code == 0, first.output
    assert "step 3 of 6" in first.output
    assert read_metadata(out / "best.safetensors")["provenance"]["step"] == 3
    second = run(*command)
    assert "resuming from step 3 of 6" in second.output
    assert re.search(r"step 6 of 6: best psnr_y \d+\.\d{3}, weights in ", second.output.replace("\n", " "))
    assert f"weights in {out / 'best.safetensors'}" in second.output.replace("\n", " ")
    fresh = run(*command, "--fresh", "--max-steps", 1)
    assert "was moved to" in fresh.output
    assert f"step 1 of 6: weights in {out / 'last.safetensors'}" in fresh.output.replace("\n", " ")
    assert (tmp_path / "runs" / "trial.1" / "best.safetensors").is_file()
    assert read_metadata(out / "last.safetensors")["provenance"]["step"] == 1


def test_dry_run_reads_no_data(config: Path, tmp_path: Path) -> None:
    result = run("train", config, "--dry-run", "--steps", 50, "--data-root", tmp_path / "gone")
    assert result.exit_code == 0, result.output
    resolved = yaml.safe_load(result.output)
    assert resolved["steps"] == 50
    assert resolved["network"] == {"variant": "3-1-5", "scale": 4}
    assert resolved["recipe"] == {}
    assert "# parameters: 6275" in result.output
    # Two operations per multiply-add, 64 x 64 positions: 3·64·3², 64·32·1², 32·3·5².
    assert f"picture: {2 * 64 * 64 * (3 * 64 * 9 + 64 * 32 + 32 * 3 * 25)} " in result.output
    assert not list(tmp_path.glob("runs*"))


@pytest.mark.parametrize("name", sorted(shipped_configs()))
def test_the_configurations_that_ship_are_sound(name: str) -> None:
    result = run("train", name, "--dry-run")
    assert result.exit_code == 0, result.output
    resolved = yaml.safe_load(result.output)
    assert resolved.get("method", resolved.get("component")) in [
        preset for spec in REGISTRY.values() for preset in spec.presets
    ]


def test_dry_run_shows_the_recipe_with_its_defaults() -> None:
    recipe = yaml.safe_load(run("train", "lfsrnet-lite", "--dry-run").output)["recipe"]
    assert recipe["l1"] == 1.0
    assert recipe["mask_ratio"] == 0.5  # not in the configuration


def test_mistakes_in_training_are_one_line(config: Path, faces: Path, tmp_path: Path) -> None:
    assert "no such configuration" in refusal(run("train", "gone", "--dry-run"), 1)
    assert "precision" in refusal(run("train", config, "--dry-run", "--precision", "7-bit"), 2)
    command = ("train", config, "--out", tmp_path / "run", "--accelerator", "cpu")
    assert "gone" in refusal(run(*command, "--data-root", tmp_path / "gone"), 1)
    assert "training cannot start" in refusal(run(*command[:-1], "abacus"), 2)
    config.write_text(config.read_text() + "speed: high\n")
    assert "speed" in refusal(run("train", config, "--dry-run"), 2)


# --- evaluate, degrade --------------------------------------------------------------------------------------


def test_evaluate_writes_the_table(faces: Path, model: Path, tmp_path: Path) -> None:
    out = tmp_path / "table.json"
    command = ("evaluate", model, "--data", faces, "--limit", 2, "--hr-size", 64, "--json", out)
    result = run(*command, "--pictures", tmp_path / "pictures", "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert "8 bits" in result.output
    table = json.loads(out.read_text())
    assert set(table) == {"protocol", "rows"}
    methods = [row["method"] for row in table["rows"]]
    assert methods[0] == "bicubic"
    assert methods[-1] == "oracle"
    assert str(model) in methods
    for row in table["rows"]:
        assert {"method", "psnr_y", "ssim_y", "lpips_squeeze", "landmark_px", "images"} <= set(row)
        assert row["images"] == 2
    assert (tmp_path / "pictures" / "grid.png").is_file()
    run("evaluate", model, "--data", faces, "--limit", 2, "--hr-size", 64, "--no-references", "--json", out)
    assert [row["method"] for row in json.loads(out.read_text())["rows"]] == [str(model)]


def test_degrade_twice_gives_the_same_hashes(faces: Path, tmp_path: Path) -> None:
    settings = ("--scale", 4, "--seed", 3, "--hr-size", 64)
    first = run("degrade", faces, *settings, "-o", tmp_path / "one")
    second = run("degrade", faces, *settings, "-o", tmp_path / "two")
    assert first.exit_code == second.exit_code == 0
    assert first.output.split()[-2] == second.output.split()[-2]
    manifests = [(tmp_path / name / "manifest.jsonl").read_text() for name in ("one", "two")]
    assert manifests[0] == manifests[1]
    assert len(manifests[0].splitlines()) == 5
    again = run("degrade", faces, *settings, "-o", tmp_path / "one")  # complete: nothing to do
    assert again.output == first.output
    assert run("evaluate", "--data", tmp_path / "one", "--device", "cpu").exit_code == 0
    assert "another set" in refusal(run("degrade", faces, "--seed", 4, "-o", tmp_path / "one"), 1)


def test_mistakes_with_the_benchmark_are_named(faces: Path, model: Path, tmp_path: Path) -> None:
    assert "--protocol foggy" in refusal(run("evaluate", "--data", faces, "--protocol", "foggy"), 2)
    assert "no such file or folder" in refusal(run("evaluate", "--data", tmp_path / "gone"), 1)
    assert "enlarges 4 times" in refusal(run("evaluate", model, "--data", faces, "--scale", 2), 2)
    small = run("degrade", faces, "--hr-size", 256, "-o", tmp_path / "x")
    assert small.exit_code == 1
    summary, *lines = small.stderr.splitlines()
    assert f"{len(lines)} of {len(lines)} pictures cannot be used" in summary
    assert all("smaller than hr_size" in line for line in lines)


# --- models, demo -------------------------------------------------------------------------------------------


def test_models_are_listed_shown_and_published(model: Path, tmp_path: Path) -> None:
    listed = run("models")
    assert listed.exit_code == 0
    for name in [*(p for m in METHODS.values() for p in m.presets), *list_models()]:
        assert f" {name} " in listed.output
    shown = yaml.safe_load(run("models", "show", model).output)
    assert shown["config"] == {"variant": "3-1-5", "scale": 4}
    assert shown["provenance"] == {"step": 4}
    assert shown["score"] == {"name": "psnr_y", "value": 12.5}
    assert shown["parameters"] == 6275

    published = run("models", "publish", model, "small-1", "--to", tmp_path / "weights")
    assert published.exit_code == 0
    assert "card is missing" in published.output
    target = tmp_path / "weights" / "small-1.safetensors"
    assert target.stat().st_size < 0.7 * model.stat().st_size
    assert read_metadata(target) == read_metadata(model)
    log = '{"step": 1, "loss": 0.1, "lr": 0.1}\n{"step": 2, "psnr_y": 9.5}\n{"step": 4, "psnr_y": 12.5}\n'
    model.with_name("log.jsonl").write_text(log)
    assert run("models", "publish", model, "small-1", "--to", tmp_path / "weights").exit_code == 0
    assert read_metadata(target)["provenance"] == {"step": 4, "curve": [[2, 9.5], [4, 12.5]]}
    picture = torch.rand(1, 3, 16, 16)
    torch.testing.assert_close(load_model(target)(picture), load_model(model)(picture), atol=1e-3, rtol=0)
    assert "made of a-z" in refusal(run("models", "publish", model, "../x", "--to", tmp_path), 2)
    assert "no such model" in refusal(run("models", "show", "gone"), 1)


@pytest.mark.parametrize(
    ("name", "prior_size"),
    [("prior3d-small", 64), pytest.param("prior3d-paper-ddim", 128, marks=pytest.mark.slow)],
)
def test_a_method_is_shown_with_its_cost(name: str, prior_size: int) -> None:
    metadata, _, card = run("models", "show", name).output.partition("\n\n#")
    shown = yaml.safe_load(metadata)
    shown = shown.get(name, shown)  # of a shipped model the file is shown, and its card
    assert ("Licence: non-commercial" in card) == (name in shipped_weights())
    # What ships is within the paper's figures for its own pipeline at 256x256: 9.29 M, 411.86 GFLOPs, 225 MB.
    assert shown["cost"]["side"] == 256
    assert shown["cost"]["settings"]["prior_size"] == prior_size
    assert 1e6 < shown["parameters"] < 9.29e6
    assert name != "prior3d-small" or 5 < shown["cost"]["gflops"] < 411.86
    assert name != "prior3d-small" or 5 < shown["cost"]["peak_mib"] < 225
    measured = measure_cost(build("prior3d", shown["cost"]["settings"]), 256, repeats=1)
    assert shown["cost"]["gflops"] == pytest.approx(measured.gflops, abs=0.01)
    assert shown["cost"]["peak_mib"] == pytest.approx(measured.peak_mib, rel=0.1)


def test_methods_without_weights_are_shown() -> None:
    shown = yaml.safe_load(run("models", "show", "zero-dce").output)
    assert shown["zero-dce"]["parameters"] == sum(p.numel() for p in build("zero-dce").parameters())
    assert yaml.safe_load(run("models", "show", "srcnn-3-1-5").output)["srcnn-3-1-5"]["parameters"] == 6275
    # A generator's constant is a parameter that is a layer's input: torch's counter needs its gradient.
    shown = yaml.safe_load(run("models", "show", "fusion-bfr-256").output)
    assert shown["fusion-bfr-256"]["cost"]["gflops"] > 1


def test_demo(model: Path, tmp_path: Path) -> None:
    result = run("demo", "-o", tmp_path / "demo", "--model", model, "--device", "cpu")
    assert result.exit_code == 0, result.output
    comparison, second = map(Path, result.stdout.splitlines()[-2:])
    assert comparison == tmp_path / "demo" / "before-after.png"
    assert second == tmp_path / "demo" / "damaged-before-after.png"
    damaged, repaired = (
        read_picture(tmp_path / "demo" / f"{name}.png").rgb for name in ("damaged", "repaired")
    )
    assert damaged.shape == repaired.shape == (1, 3, 256, 256)
    assert read_picture(second).rgb.shape[-1] > 3 * 256
    dark = read_picture(tmp_path / "demo" / "dark.png").rgb
    restored = read_picture(tmp_path / "demo" / "restored.png").rgb
    assert float(dark.mean()) < 0.2
    assert restored.shape[-1] == 4 * dark.shape[-1]
    sheet = read_picture(comparison).rgb
    assert sheet.shape[-1] > 3 * restored.shape[-1]
    labels = sheet[..., -20:, :]  # black letters on white
    assert float(labels.min()) < 0.1
    assert float(labels.max()) == 1.0
