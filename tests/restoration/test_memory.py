"""Very large photographs: one line on the memory they need, before the work, and what needs less."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from lumiface.cli import app
from lumiface.core import memory as core_memory
from lumiface.core.memory import GB, free_memory
from lumiface.imaging.io import ImageInfo, Picture
from lumiface.restoration import memory, restorer
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.memory import memory_line, needed_memory
from lumiface.restoration.restorer import Restorer


def picture(megapixels: float) -> Picture:
    """Of this size, without holding it in memory."""
    height = round((megapixels * 1e6 / 2) ** 0.5)
    return Picture(torch.zeros(1, 1, 1, 1).expand(1, 3, height, 2 * height))


@pytest.mark.parametrize("megapixels", [0.1, 12, 48])
def test_nothing_is_said_of_usual_photographs(megapixels: float) -> None:
    for free in (16 * GB, None):
        assert memory_line(picture(megapixels), 1, free) is None


@pytest.mark.parametrize("megapixels", [100, 200])
def test_a_very_large_one_has_one_line_with_the_need_and_the_mends(megapixels: float) -> None:
    line = memory_line(picture(megapixels), 1, 64 * GB)
    assert line is not None
    assert "\n" not in line
    need = float(re.findall(r"need about ([\d.]+) GB", line)[0])
    assert need == pytest.approx(needed_memory(round(megapixels * 1e6), 1) / GB, rel=0.02)
    assert "64.0 GB are free" in line
    assert "--scale" not in line


def test_little_free_memory_makes_a_usual_one_large_and_names_the_size_that_fits() -> None:
    line = memory_line(picture(12), 2, 1.3 * GB)
    assert line is not None
    assert "--scale 1" in line
    most = float(re.findall(r"at most ([\d.]+) megapixels", line)[0])
    need = needed_memory(round(most * 1e6), 2)
    assert 0.8 * 1.3 * GB < need - needed_memory(0, 2) <= 1.3 * GB
    assert memory_line(picture(0.99 * most), 2, None) is None


def test_a_smaller_scale_is_named_where_it_helps() -> None:
    line = memory_line(picture(12), 4, 64 * GB)
    assert line is not None
    need, less = (float(number) for number in re.findall(r"about ([\d.]+) GB", line))
    assert less < need
    assert "less with --scale 2 (about" in line


def test_the_need_grows_with_pixels_and_scale() -> None:
    needs = [needed_memory(pixels, 1) for pixels in (10**6, 10**7, 10**8)]
    assert needs == sorted(needs)
    assert needed_memory(10**7, 4) > needed_memory(10**7, 1)


def test_a_limit_of_a_container_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "max").write_text("3000000000\n")
    (tmp_path / "current").write_text("1000000000\n")
    monkeypatch.setattr(core_memory, "_CGROUPS", ((str(tmp_path / "max"), str(tmp_path / "current")),))
    monkeypatch.setattr(core_memory, "_available", lambda: 8e9)
    assert free_memory(torch.device("cpu")) == 2e9
    (tmp_path / "max").write_text("max\n")
    assert free_memory(torch.device("cpu")) == 8e9
    monkeypatch.setattr(core_memory, "_available", lambda: None)
    assert free_memory(torch.device("cpu")) is None


def test_python_warns_before_the_work_and_the_command_line_names_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(memory, "LARGE", 0.0)
    order: list[str] = []
    enlarge = restorer.Background.__call__
    monkeypatch.setattr(restorer.Background, "__call__", lambda *args: order.append("work") or enlarge(*args))
    dark = np.full((20, 30, 3), 40, np.uint8)
    run = Restorer(config=RestoreConfig(task="joint", scale=1))
    with pytest.warns(UserWarning, match="this photograph: 30×20 pixels at scale 1 need about"):
        run(dark)
    run.warn = order.append
    run(Picture(torch.rand(1, 3, 20, 30), None, ImageInfo(source=Path("a.tif"))))
    run(Picture(torch.rand(1, 3, 20, 30), None, ImageInfo(source=Path("a.tif"))))  # its second page
    assert [line.split(":")[0] for line in order] == ["work", "a.tif", "work", "work"]
    Image.fromarray(dark).save(tmp_path / "large.png")
    done = CliRunner().invoke(
        app, ["restore", str(tmp_path / "large.png"), "--scale", "1", "--device", "cpu"]
    )
    assert done.exit_code == 0
    (line,) = [line for line in done.stderr.splitlines() if "need about" in line]
    assert "large.png: 30×20 pixels" in line


def test_usual_photographs_give_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Restorer(config=RestoreConfig(task="joint", scale=1))(np.full((20, 30, 3), 40, np.uint8))


MEASURED = """
import resource, sys, numpy as np, torch, lumiface
from lumiface.restoration.config import RestoreConfig
torch.set_num_threads(1)
rng = np.random.default_rng(0)
dark = (40 + 8 * rng.standard_normal((3000, 2000, 3))).clip(0, 255).astype(np.uint8)
config = RestoreConfig(task="joint", scale=1, background=sys.argv[1])
lumiface.Restorer(config=config)(dark)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is counted in other units")
@pytest.mark.parametrize("background", ["light", "keep"])
def test_the_estimate_is_near_what_is_measured(background: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", MEASURED, background], capture_output=True, text=True, check=True
    )
    need = needed_memory(6_000_000, 1)
    assert 0.6 * need < float(done.stdout) < 1.25 * need


LARGE_FILE = """
import resource, sys, numpy as np
from pathlib import Path
from PIL import Image
Image.MAX_IMAGE_PIXELS = None
side = int(sys.argv[2])
if sys.argv[3] == "write":
    level = np.linspace(20, 45, side).astype(np.uint8)
    dark = np.broadcast_to(level[None, :, None], (side, side, 3)).copy()
    rng = np.random.default_rng(0)
    for top in range(0, side, 500):
        strip = dark[top : top + 500]
        strip += rng.integers(0, 16, strip.shape, np.uint8)
    Image.fromarray(dark).save(sys.argv[1], quality=90)
else:
    from lumiface.cli import app
    try:
        app(["restore", sys.argv[1], "-o", sys.argv[1] + ".out.jpg", "--faces", "none"])
    finally:
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is counted in other units")
def test_a_file_of_64_megapixels_is_held_once(tmp_path: Path) -> None:
    """Its floats alone take 732 MiB."""
    arguments = [sys.executable, "-c", LARGE_FILE, str(tmp_path / "large.jpg"), "8000"]
    subprocess.run([*arguments, "write"], check=True)
    done = subprocess.run([*arguments, "restore"], capture_output=True, text=True, check=True)
    assert float(done.stdout.split()[-1]) < 2200
