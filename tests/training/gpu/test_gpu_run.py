"""`pack`, `run --dry` and `collect` as they are used: every stage, in processes of their own, on the CPU."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image
from safetensors import safe_open

from helpers import Find
from lumiface.registry import load_model

ROOT = Path(__file__).resolve().parents[3]
TOOL = ROOT / "training" / "gpu"

PAIRED = {
    "name": "small-pairs",
    "config": "tiny",
    "minutes": 2,
    "data": ["faces"],
    "validate_on": "held-out",
    "validate_side": 64,
    "batches": [4, 8],
    "gain": "none",
}
GENERATOR = {
    "name": "small-faces",
    "config": "stylegan2-128",
    "minutes": 1,
    "data": ["faces"],
    "validate_on": "held-out",
    "validate_side": 32,
    "assets": ["lpips_squeeze"],
    "overrides": {
        "network": {"resolution": 32, "latent": 16, "mapping": 1, "channel_base": 256, "max_channels": 16},
    },
    "gain": "none",
}
BROKEN = PAIRED | {"name": "broken", "overrides": {"teacher": "{data}/absent.safetensors"}}


def write_faces(path: Path, picture: np.ndarray, count: int) -> None:
    with tarfile.open(path, "w") as archive:
        for number in range(count):
            crop = Image.fromarray(picture[20 + number :, 140 + number :][:160, :160]).resize((64, 64))
            out = io.BytesIO()
            crop.save(out, format="png")
            member = tarfile.TarInfo(f"{number}.png")
            member.size = out.tell()
            archive.addfile(member, io.BytesIO(out.getvalue()))


def call(*command: str | Path, **environment: str) -> str:
    paths = {"PYTHONPATH": str(ROOT / "src"), "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(part) for part in command],
        env=os.environ | paths | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory, astronaut_uint8: np.ndarray, shared_asset: Find) -> Path:
    """A pack of three small runs, one of which cannot be trained, and a wheel that fits every Python."""
    shared_asset("lpips_squeeze.pt")
    root = tmp_path_factory.mktemp("gpu")
    (data := root / "data").mkdir()
    (wheels := root / "wheels").mkdir()
    write_faces(data / "faces.tar", astronaut_uint8, 12)
    write_faces(data / "held-out.tar", astronaut_uint8, 4)
    (root / "queue.yaml").write_text(yaml.safe_dump({"runs": [PAIRED, BROKEN, GENERATOR]}))
    with zipfile.ZipFile(wheels / "carried-1.0-py3-none-any.whl", "w") as wheel:
        info = "carried-1.0.dist-info"
        wheel.writestr("carried.py", "PRESENT = True\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: carried\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
    options = ["--queue", root / "queue.yaml", "--data", data, "--wheels", wheels, "-o", root / "gpu-pack"]
    assert "in all, of 60" in call(sys.executable, TOOL / "pack", *options)
    assert "as before, 12 faces" in call(sys.executable, TOOL / "pack", *options)
    return root / "gpu-pack"


@pytest.mark.slow
def test_a_dry_run_goes_through_every_stage(pack: Path, tmp_path: Path) -> None:
    work, out = tmp_path / "work", tmp_path / "out"
    command = (pack / "run", "--dry", "--minutes", "1.8", "--out", out)
    printed = call(*command, LUMIFACE_GPU_WORK=str(work), LUMIFACE_ASSETS="")
    assert (work / "site" / "carried.py").is_file()
    report = json.loads((out / "report.json").read_text())
    states = {name: run["state"] for name, run in report["runs"].items()}
    assert states == {"small-pairs": "trained", "broken": "not trained", "small-faces": "trained"}, printed
    assert "absent.safetensors" in report["runs"]["broken"]["error"]
    assert report["runs"]["small-pairs"]["steps"] > report["runs"]["small-faces"]["steps"] > 0
    assert "small-faces" in (out / "report.md").read_text()
    assert len(list(out.iterdir())) <= 8

    assert "verified" in call(sys.executable, TOOL / "collect", out)
    for name, kind in (("small-pairs", None), ("small-faces", "stylegan2")):
        load_model(out / "results" / name / f"{name}.safetensors", kind=kind)
    with safe_open(out / "results" / "small-faces" / "small-faces-discriminator.safetensors", "pt") as file:
        dtypes = {file.get_slice(key).get_dtype() for key in file.keys()}  # noqa: SIM118 (not a dict)
    assert dtypes <= {"F16", "F64"}  # the probability of augmentation keeps its precision

    command = (pack / "run", "--dry", "--minutes", "1", "--out", out, "--resume", "--runs", "small-pairs")
    call(*command, LUMIFACE_GPU_WORK=str(work), LUMIFACE_ASSETS="")
    later = json.loads((out / "report.json").read_text())["runs"]
    assert later["small-pairs"]["steps"] > report["runs"]["small-pairs"]["steps"]
    assert later["small-faces"]["steps"] == report["runs"]["small-faces"]["steps"]


def test_a_second_pack_uses_the_faces_of_the_first(pack: Path, tmp_path: Path) -> None:
    root, out = pack.parent, tmp_path / "second"
    options = ["--queue", root / "queue.yaml", "--data", root / "data", "--wheels", root / "wheels"]
    call(sys.executable, TOOL / "pack", *options, "--after", pack, "-o", out)
    assert not (out / "faces").exists()
    first, second = (json.loads((folder / "plan.json").read_text()) for folder in (pack, out))
    assert second["groups"] == first["groups"]  # the machine decodes nothing again
    assert second["runs"] == first["runs"]
    first["groups"] = []
    (other := tmp_path / "other").mkdir()
    (other / "plan.json").write_text(json.dumps(first))
    command = [sys.executable, TOOL / "pack", *options, "--after", other, "-o", tmp_path / "third"]
    refused = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert f"small-pairs needs faces.tar, which {other} does not hold" in refused.stderr


@pytest.mark.slow
def test_a_run_that_is_ended_writes_what_there_is(pack: Path, tmp_path: Path) -> None:
    work, out = tmp_path / "work", tmp_path / "out"
    environment = {
        "PYTHONPATH": str(ROOT / "src"), "PYTHON": sys.executable, "LUMIFACE_GPU_WORK": str(work),
    }  # fmt: skip
    command = [str(pack / "run"), "--dry", "--minutes", "5", "--out", str(out)]
    process = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.DEVNULL)
    log, end = work / "runs" / "small-pairs" / "log.jsonl", time.monotonic() + 120
    while "psnr_y" not in (log.read_text() if log.is_file() else "") and time.monotonic() < end:
        time.sleep(0.2)
    process.terminate()
    assert process.wait(30) == 143
    report = json.loads((out / "report.json").read_text())
    assert report["runs"]["small-pairs"]["state"] == "cut off"
    call(sys.executable, TOOL / "collect", out)
    load_model(out / "results" / "small-pairs" / "small-pairs.safetensors")
