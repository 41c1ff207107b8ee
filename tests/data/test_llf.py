from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lumiface.core.errors import InputError, OutputError, SettingError
from lumiface.data.benchmarks.llf import (
    LLFSettings,
    build_pair,
    generator_for,
    llf_pairs,
    pixel_sha256,
)
from lumiface.data.benchmarks.llf_files import build_llf, load_llf
from lumiface.data.sources import open_source
from lumiface.degradations.lowlight import invert_darkening
from lumiface.degradations.resample import resize, resize_exact, round_to_8_bit, to_grid
from lumiface.imaging.color import luma_limited
from lumiface.imaging.quantize import from_uint8, to_uint8

SMALL = LLFSettings(hr_size=64)


def png(picture: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def crops(tmp_path: Path, astronaut_uint8) -> Path:
    folder = tmp_path / "crops"
    (folder / "sub").mkdir(parents=True)
    for name, top, left, height, width in (
        ("a.png", 0, 100, 160, 160),
        ("b.png", 60, 150, 96, 128),
        ("sub/c.png", 200, 200, 64, 64),
    ):
        (folder / name).write_bytes(png(astronaut_uint8[top : top + height, left : left + width]))
    return folder


def test_known_pixels(crops):
    # The promise of the benchmark: these very pixels, on every machine.
    pairs = {pair.name: pair for pair in llf_pairs(open_source(crops), SMALL)}
    assert {name: (pixel_sha256(p.hr)[:24], pixel_sha256(p.lr)[:24]) for name, p in pairs.items()} == {
        "a.png": ("d6cfddea72c05c1cdb8b0f78", "199eb982efc9ed1e272a7ee2"),
        "b.png": ("1921e570addfa68d6072db80", "367beb8c080e98c8cb369c7b"),
        "sub/c.png": ("59f0684ec8cce0f73f027c58", "e9bb5cac202082c34cccc927"),
    }


def test_neither_order_nor_subset_matters(crops):
    whole = {pair.name: pixel_sha256(pair.lr) for pair in llf_pairs(open_source(crops), SMALL)}
    backwards = open_source([crops / "b.png", crops / "a.png"])
    for pair in llf_pairs(backwards, SMALL):
        assert pixel_sha256(pair.lr) == whole[pair.name]


def test_name_and_seed_choose_the_darkening(crops):
    data = (crops / "a.png").read_bytes()
    a, b = build_pair(data, "a.png", SMALL), build_pair(data, "b.png", SMALL)
    c = build_pair(data, "a.png", LLFSettings(hr_size=64, seed=1))
    assert len({a.darkening, b.darkening, c.darkening}) == 3
    assert (a.hr == b.hr).all()
    assert (a.hr == c.hr).all()


def test_generators_are_told_apart():
    def first_value(seed: int, name: str) -> int:
        return generator_for(seed, name).bit_generator.random_raw()

    assert first_value(0, "a") == first_value(0, "a")
    assert first_value(1, "1") != first_value(11, "")


def test_shapes_square_crop_and_native_size(crops):
    data = (crops / "b.png").read_bytes()  # 96 high, 128 wide
    square = build_pair(data, "b", LLFSettings(hr_size=96))
    assert square.hr.shape == (96, 96, 3)
    assert square.lr.shape == (24, 24, 3)
    native = build_pair(data, "b", LLFSettings(hr_size=None, scale=5))
    assert native.hr.shape == (95, 125, 3)
    assert native.lr.shape == (19, 25, 3)
    np.testing.assert_array_equal(square.hr[:95, :, :], native.hr[:, 16 - 1 : 16 - 1 + 96])


def test_too_small_a_picture_is_no_ground_truth(crops):
    data = (crops / "sub/c.png").read_bytes()
    with pytest.raises(InputError, match="64×64, smaller than hr_size 128"):
        build_pair(data, "c", LLFSettings(hr_size=128))
    with pytest.raises(InputError, match="smaller than the scale 65"):
        build_pair(data, "c", LLFSettings(hr_size=None, scale=65))


@pytest.mark.parametrize("wrong", [{"hr_size": 130}, {"scale": 0}, {"hr_size": -4}], ids=str)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(SettingError):
        LLFSettings(**wrong)


def test_build_then_load_gives_the_pairs_in_memory(crops, tmp_path):
    calls: list[tuple[int, int]] = []
    manifest = build_llf(crops, tmp_path / "out", SMALL, lambda done, total: calls.append((done, total)))
    assert calls == [(1, 3), (2, 3), (3, 3)]
    assert manifest == tmp_path / "out" / "manifest.jsonl"
    loaded = list(load_llf(tmp_path / "out"))
    for actual, expected in zip(loaded, llf_pairs(open_source(crops), SMALL), strict=True):
        assert (actual.name, actual.darkening, actual.source_sha256) == (
            expected.name,
            expected.darkening,
            expected.source_sha256,
        )
        np.testing.assert_array_equal(actual.hr, expected.hr)
        np.testing.assert_array_equal(actual.lr, expected.lr)
    assert not list((tmp_path / "out").rglob("*.tmp"))
    assert not list((tmp_path / "out").rglob("*.part"))


def test_a_second_build_changes_nothing(crops, tmp_path):
    manifest = build_llf(crops, tmp_path / "out", SMALL)
    before = {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "out").rglob("*.*")}
    build_llf(open_source(crops), tmp_path / "out", SMALL)
    assert {p: (p.read_bytes(), p.stat().st_mtime_ns) for p in (tmp_path / "out").rglob("*.*")} == before
    (tmp_path / "out" / "lr" / "a.png").unlink()  # a lost file is built again
    build_llf(crops, tmp_path / "out", SMALL)
    assert len(list(load_llf(tmp_path / "out"))) == 3
    assert manifest.read_bytes() == before[manifest][0]


def test_a_stopped_build_goes_on(crops, tmp_path):
    whole = build_llf(crops, tmp_path / "whole", SMALL).read_bytes()

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        build_llf(crops, out, SMALL, stop)
    assert not (out / "manifest.jsonl").exists()
    with pytest.raises(InputError, match="its build was interrupted"):
        next(load_llf(out))
    part = out / "manifest.jsonl.part"
    part.write_bytes(part.read_bytes()[:-10])  # killed in the middle of a line
    kept = (out / "hr" / "a.png").stat().st_mtime_ns
    assert build_llf(crops, out, SMALL).read_bytes() == whole
    assert (out / "hr" / "a.png").stat().st_mtime_ns == kept


@pytest.mark.parametrize("change", ["seed", "scale", "size", "fewer", "more", "content"])
def test_another_set_is_never_overwritten(crops, tmp_path, change, astronaut_uint8):
    out = tmp_path / "out"
    build_llf(crops, out, SMALL)
    before = {p: p.read_bytes() for p in out.rglob("*.*")}
    settings = {
        "seed": LLFSettings(hr_size=64, seed=1),
        "scale": LLFSettings(hr_size=64, scale=2),
        "size": LLFSettings(hr_size=32),
    }.get(change, SMALL)
    if change == "fewer":
        (crops / "b.png").unlink()
    elif change == "more":
        (crops / "d.png").write_bytes(png(astronaut_uint8[:70, :70]))
    elif change == "content":
        (crops / "b.png").write_bytes(png(astronaut_uint8[:70, :70]))
    with pytest.raises(OutputError, match="another set"):
        build_llf(crops, out, settings)
    assert {p: p.read_bytes() for p in out.rglob("*.*")} == before


def test_a_changed_pixel_is_found(crops, tmp_path):
    build_llf(crops, tmp_path / "out", SMALL)
    path = tmp_path / "out" / "hr" / "a.png"
    picture = np.asarray(Image.open(path)).copy()
    picture[0, 0, 0] ^= 1
    path.write_bytes(png(picture))
    with pytest.raises(InputError, match=r"hr/a\.png does not match the manifest"):
        list(load_llf(tmp_path / "out"))


def test_the_manifest_says_how_each_pair_was_made(crops, tmp_path):
    lines = build_llf(crops, tmp_path / "out", SMALL).read_text().splitlines()
    record = json.loads(lines[-1])
    assert record["file"] == record["source"] == "sub/c.png"
    assert (record["seed"], record["scale"], record["hr_size"], record["noise"]) == (0, 4, 64, 0.002)
    assert 1 <= record["gamma"] <= 5
    assert all(len(record[f"{what}_sha256"]) == 64 for what in ("source", "hr", "lr"))


def test_a_damaged_manifest_is_refused(crops, tmp_path):
    manifest = build_llf(crops, tmp_path / "out", SMALL)
    lines = manifest.read_text().splitlines(keepends=True)
    manifest.write_text(lines[0] + "nonsense\n")
    with pytest.raises(InputError, match="line 2 is damaged"):
        list(load_llf(tmp_path / "out"))
    manifest.write_text(lines[0] + lines[1][:20])
    with pytest.raises(InputError, match="is truncated"):
        list(load_llf(tmp_path / "out"))


def test_two_pictures_for_one_file_are_refused(crops, tmp_path):
    (crops / "a.bmp").write_bytes((crops / "a.png").read_bytes())
    with pytest.raises(InputError, match=r"a\.bmp and a\.png would both become a\.png"):
        build_llf(crops, tmp_path / "out", SMALL)


def test_reference_points(shared_data):
    """300 faces at 128 px, PSNR-Y in dB: bicubic, the oracle, and bicubic of the undarkened small picture."""
    source = open_source(shared_data("faces256-test.tar"))
    scores = torch.zeros(3)
    for pair in llf_pairs(source, LLFSettings(hr_size=128, scale=4, seed=0)):
        hr, lr = from_uint8(pair.hr), from_uint8(pair.lr)
        undarkened = from_uint8(round_to_8_bit(resize_exact(to_grid(pair.hr), (32, 32))))
        inputs = (lr, invert_darkening(lr, pair.darkening), undarkened)
        scores += torch.stack([_psnr_y(resize(picture, (128, 128)), hr) for picture in inputs])
    dark, oracle, bright = (scores / len(source)).tolist()
    assert dark == pytest.approx(10.81, abs=0.02)
    assert oracle == pytest.approx(24.60, abs=0.02)
    assert bright == pytest.approx(26.65, abs=0.02)


def _psnr_y(output: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    difference = luma_limited(to_uint8(output).float() / 255) - luma_limited(truth)
    return 10 * torch.log10(255**2 / difference.square().mean())
