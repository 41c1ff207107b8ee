from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from lumiface.cli import app
from lumiface.core.errors import InputError, OutputError, SettingError
from lumiface.data.benchmarks.damaged import (
    PROTOCOLS,
    DamageSettings,
    build_damaged,
    built_damage,
    damaged_pairs,
    load_damaged,
)
from lumiface.data.benchmarks.ground_truth import pixel_sha256
from lumiface.data.benchmarks.llf import LLFSettings
from lumiface.data.benchmarks.llf_files import build_llf, built_settings, load_llf
from lumiface.data.sources import open_source
from lumiface.degradations.blind_config import PRESETS
from lumiface.degradations.frr import FRRConfig

SMALL = DamageSettings("frr", size=64)


@pytest.fixture
def crops(tmp_path: Path, astronaut_uint8: np.ndarray) -> Path:
    folder = tmp_path / "crops"
    (folder / "sub").mkdir(parents=True)
    for name, top, left, height, width in (("a.png", 0, 100, 96, 96), ("sub/b.png", 60, 150, 64, 70)):
        file = io.BytesIO()
        Image.fromarray(astronaut_uint8[top : top + height, left : left + width]).save(file, "PNG")
        (folder / name).write_bytes(file.getvalue())
    return folder


KNOWN = {
    "frr": {
        "a.png": ("2d66f38e0d160ae1", "92f1c17f398def23"),
        "sub/b.png": ("6d4725849243d174", "7ff86b761a90cb49"),
    },
    "blind": {
        "a.png": ("2d66f38e0d160ae1", "3adb0497e0b929c3"),
        "sub/b.png": ("6d4725849243d174", "a2c56557ce1654e0"),
    },
    "dark-blind": {
        "a.png": ("2d66f38e0d160ae1", "0181e8b0445f2858"),
        "sub/b.png": ("6d4725849243d174", "2776de7abaef7f3e"),
    },
}


@pytest.mark.parametrize("protocol", list(PROTOCOLS))
def test_known_pixels(crops, protocol):
    pairs = damaged_pairs(open_source(crops), DamageSettings(protocol, size=64))
    hashes = {p.name: (pixel_sha256(p.clean)[:16], pixel_sha256(p.degraded)[:16]) for p in pairs}
    assert hashes == KNOWN[protocol]


@pytest.mark.parametrize("protocol", list(PROTOCOLS))
def test_what_is_built_is_what_is_loaded_and_named_as_the_protocol_names_it(crops, tmp_path, protocol):
    settings = DamageSettings(protocol, size=64, seed=3)
    build_damaged(crops, tmp_path, settings)
    assert {path.name for path in tmp_path.iterdir() if path.is_dir()} >= set(PROTOCOLS[protocol].sides)
    for actual, expected in zip(
        load_damaged(tmp_path, protocol), damaged_pairs(open_source(crops), settings), strict=True
    ):
        assert actual.parameters == expected.parameters
        assert set(actual.parameters) == set(PROTOCOLS[protocol].parameters)
        np.testing.assert_array_equal(actual.degraded, expected.degraded)


@pytest.mark.parametrize("protocol", ["blind", "dark-blind"])
@pytest.mark.parametrize("preset", list(PRESETS))
def test_a_preset_is_built_loaded_and_read_again(crops, tmp_path, protocol, preset):
    out = tmp_path / "set"
    command = ["degrade", str(crops), "--protocol", protocol, "--hr-size", "64", "--preset"]
    result = CliRunner().invoke(app, [*command, preset, "-o", str(out)])
    assert result.exit_code == 0, result.output
    config = PROTOCOLS[protocol].config.model_validate({"preset": preset})
    settings = DamageSettings(protocol, size=64, config=config)
    assert built_damage(out, protocol) == (settings, 2)
    expected = list(damaged_pairs(open_source(crops), settings))
    loaded = list(load_damaged(out, protocol))
    assert [pair.parameters for pair in loaded] == [pair.parameters for pair in expected]
    for pair, default in zip(
        loaded, damaged_pairs(open_source(crops), DamageSettings(protocol, 64)), strict=True
    ):
        assert (pair.degraded != default.degraded).any()
    refused = CliRunner().invoke(app, [*command, "foggy", "-o", str(tmp_path / "other")])
    assert "--preset foggy: choose from gfpgan, dfdnet" in str(refused.exception) + refused.output


def test_the_manifest_of_a_default_set_names_no_part_that_is_off(crops, tmp_path):
    build_damaged(crops, tmp_path, DamageSettings("blind", size=64))
    first = json.loads((tmp_path / "manifest.jsonl").read_text().splitlines()[0])
    assert not [name for name in str(first).split("'") if name.startswith(("motion", "jitter"))]


def test_neither_order_nor_subset_matters_but_seed_and_name_do(crops):
    whole = {pair.name: pair for pair in damaged_pairs(open_source(crops), SMALL)}
    alone = next(iter(damaged_pairs(open_source(crops / "a.png"), SMALL)))
    assert np.array_equal(alone.degraded, whole["a.png"].degraded)
    assert alone.parameters == whole["a.png"].parameters
    assert alone.parameters["gamma"] != whole["sub/b.png"].parameters["gamma"]
    other = next(iter(damaged_pairs(open_source(crops / "a.png"), DamageSettings("frr", size=64, seed=1))))
    assert other.parameters["gamma"] != alone.parameters["gamma"]
    assert np.array_equal(other.clean, alone.clean)
    assert alone.degraded.mean() < 0.6 * alone.clean.mean()


def test_build_then_load_gives_the_pairs_in_memory_and_again_changes_nothing(crops, tmp_path):
    manifest = build_damaged(crops, tmp_path / "out", SMALL)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.*")}
    assert len(before) == 5
    for actual, expected in zip(
        load_damaged(tmp_path / "out", "frr"), damaged_pairs(open_source(crops), SMALL), strict=True
    ):
        assert (actual.name, actual.parameters) == (expected.name, expected.parameters)
        np.testing.assert_array_equal(actual.clean, expected.clean)
        np.testing.assert_array_equal(actual.degraded, expected.degraded)
    record = json.loads(manifest.read_text().splitlines()[0])
    assert (record["protocol"], record["size"], record["ranges"]["factor"]) == ("frr", 64, [1.0, 3.0])
    build_damaged(crops, tmp_path / "out", SMALL)
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.*")} == before


def test_another_set_is_refused(crops, tmp_path):
    build_damaged(crops, tmp_path / "out", SMALL)
    other = DamageSettings("frr", size=64, config=FRRConfig(gamma=(2.0, 2.0)))
    with pytest.raises(OutputError, match="another set"):
        build_damaged(crops, tmp_path / "out", other)
    with pytest.raises(InputError, match="built with --protocol frr"):
        built_settings(tmp_path / "out")
    with pytest.raises(InputError, match="lists no hr pictures"):
        next(load_llf(tmp_path / "out"))
    build_llf(crops, tmp_path / "llf", LLFSettings(hr_size=32))
    with pytest.raises(InputError, match="lists no light pictures"):
        next(load_damaged(tmp_path / "llf", "frr"))
    with pytest.raises(SettingError, match="size"):
        DamageSettings("frr", size=0)
    with pytest.raises(SettingError, match="BlindConfig"):
        DamageSettings("blind", config=FRRConfig())
