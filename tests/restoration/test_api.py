"""The functions of Python: every kind of picture, every name of a device, and processes that fork."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import lumiface
from lumiface.core import forks
from lumiface.core.device import choose_device
from lumiface.core.errors import InputError, SettingError
from lumiface.imaging.io import read_picture
from lumiface.restoration.config import RestoreConfig

QUICK = RestoreConfig(task="joint", scale=1)


@pytest.fixture(scope="module")
def restorer() -> lumiface.Restorer:
    return lumiface.Restorer(config=QUICK)


@pytest.fixture(scope="module")
def dark() -> np.ndarray:
    """(120, 120, 3) uint8: a small, dark face."""
    from skimage.data import astronaut

    face = np.asarray(Image.fromarray(astronaut()[:320, 60:380]).resize((120, 120), Image.Resampling.BOX))
    return (0.7 * (0.95 * face / 255.0) ** 3 * 255.0 + 0.5).astype(np.uint8)


@pytest.fixture(scope="module")
def expected(restorer: lumiface.Restorer, dark: np.ndarray) -> np.ndarray:
    """The result as an array; the reference of all other kinds."""
    result = restorer(dark)
    assert [face.treatment for face in result.faces] == ["restored"]
    assert result.picture.mean() > 1.5 * dark.mean()
    return result.picture


def png_of(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def test_every_kind_gives_the_same_result_as_its_own_kind(
    restorer: lumiface.Restorer, dark: np.ndarray, expected: np.ndarray, tmp_path: Path
) -> None:
    assert (expected.dtype, expected.shape) == (np.uint8, dark.shape)
    (tmp_path / "a.png").write_bytes(png_of(dark))
    image = restorer(Image.fromarray(dark)).picture
    assert isinstance(image, Image.Image)
    np.testing.assert_array_equal(np.asarray(image), expected)
    data = restorer(png_of(dark)).picture
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(data))), expected)
    stream = restorer(io.BytesIO(png_of(dark))).picture
    np.testing.assert_array_equal(np.asarray(Image.open(stream)), expected)
    floats = restorer(dark.astype(np.float64) / 255).picture
    assert floats.dtype == np.float64
    assert np.abs(floats * 255 - expected).max() <= 0.501
    wide = restorer(dark.astype(np.uint16) * 257).picture
    assert np.abs(wide / 257 - expected).max() <= 0.51
    for path in (tmp_path / "a.png", str(tmp_path / "a.png")):
        rgb = restorer(path).picture.rgb
        assert np.abs(rgb[0].permute(1, 2, 0).numpy() * 255 - expected).max() <= 0.501


def test_a_picture_with_alpha_and_a_grey_one_keep_their_channels(
    restorer: lumiface.Restorer, dark: np.ndarray
) -> None:
    alpha = np.full((120, 120, 1), 255, np.uint8)
    alpha[:8] = 0
    assert restorer(np.concatenate((dark, alpha), axis=2)).picture.shape == (120, 120, 4)
    grey = restorer(dark[..., 1])
    assert grey.picture.shape == (120, 120)
    assert grey.picture.mean() > 1.5 * dark[..., 1].mean()


def test_restore_takes_and_gives_the_same(dark: np.ndarray, expected: np.ndarray, tmp_path: Path) -> None:
    result = lumiface.restore(dark, tmp_path / "out.png", config=QUICK, device="auto")
    if not torch.cuda.is_available():
        np.testing.assert_array_equal(result.picture, expected)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "out.png")), result.picture)


def test_what_a_kind_cannot_carry_is_said_in_the_notes(restorer: lumiface.Restorer, dark: np.ndarray) -> None:
    out, frame = io.BytesIO(), Image.fromarray(dark)
    frame.save(out, "WEBP", save_all=True, append_images=[Image.fromarray(dark[::-1])], duration=100)
    picture, config = out.getvalue(), restorer.config
    try:
        restorer.config = config.model_copy(update={"strength": 0.0})
        assert "first of 2 frames kept" in restorer(picture).notes
    finally:
        restorer.config = config


def test_a_refusal_comes_before_the_networks_are_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lumiface.restoration.restore.Restorer", pytest.fail)
    with pytest.raises(InputError, match="floats must lie from 0 to 1"):
        lumiface.restore(np.full((8, 8, 3), 128.0))


def test_every_name_of_a_device(restorer: lumiface.Restorer) -> None:
    assert choose_device("auto").type in ("cpu", "cuda")
    assert choose_device(torch.device("cpu")) == torch.device("cpu")
    for name in ("cuda:99", "gpu", ""):
        for make in (lambda name=name: lumiface.Restorer(device=name), lambda name=name: load(name)):
            with pytest.raises(SettingError, match="is not available"):
                make()
    assert next(load("auto").parameters()).device.type == choose_device("auto").type


def load(device: str) -> torch.nn.Module:
    return lumiface.load_model("lfsrnet-lite", device)


FORKING = """
import sys, multiprocessing, numpy as np, torch, lumiface
torch.set_num_threads(2)
torch.ones(2000, 2000).mul(2).add(1).sum()  # starts the threads of the parent
restorer = lumiface.Restorer(config=lumiface.restoration.config.RestoreConfig(task="joint", scale=1))
dark = np.load(sys.argv[1])
here = restorer(dark).picture
def work(_):
    return torch.get_num_threads(), restorer(dark).picture
pool = multiprocessing.get_context("fork").Pool(1)
[(threads, there)] = pool.map_async(work, range(1)).get(60)
pool.terminate()
assert threads == 1 and torch.get_num_threads() == 2
assert np.abs(there.astype(int) - here).max() <= 1
print("works")
"""


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="no fork on this system")
def test_a_child_forked_after_the_first_use_works_with_one_thread(dark: np.ndarray, tmp_path: Path) -> None:
    np.save(tmp_path / "dark.npy", dark)
    done = subprocess.run(
        [sys.executable, "-c", FORKING, tmp_path / "dark.npy"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "works" in done.stdout, done.stderr


def test_a_gpu_that_the_parent_used_is_refused_in_one_line(
    restorer: lumiface.Restorer, dark: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forks, "_forked", True)
    monkeypatch.setattr(forks, "_gpu_in_use", True)
    monkeypatch.setattr(restorer, "device", torch.device("cuda"))
    with pytest.raises(SettingError, match="use the spawn start method"):
        restorer(dark)
    with pytest.raises(SettingError, match="use the spawn start method"):
        choose_device("auto")
    assert choose_device("cpu").type == "cpu"


def test_the_handed_pictures_mean_the_same_as_bytes_and_images(cases: Path) -> None:
    from lumiface.imaging.exchange import open_any

    for name in ("srgb.png", "p3.jpg", "prophoto.png", "gama_linear16.png", "meta.jpg", "opaque_rgba.jpg"):
        file = read_picture(cases / name)
        given, _ = open_any((cases / name).read_bytes())
        assert torch.equal(given.rgb, file.rgb), name
        if file.info.bits == 8:
            opened, _ = open_any(Image.open(cases / name))
            assert torch.equal(opened.rgb, file.rgb), name
