"""`pack`, `run --dry` and `collect` as they are used: every stage, in processes of their own, on the CPU."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
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


@pytest.mark.slow
def test_a_dry_run_goes_through_every_stage(
    tmp_path: Path, astronaut_uint8: np.ndarray, shared_asset: Find
) -> None:
    shared_asset("lpips_squeeze.pt")
    data, pack, out = tmp_path / "data", tmp_path / "gpu-pack", tmp_path / "out"
    data.mkdir()
    write_faces(data / "faces.tar", astronaut_uint8, 12)
    write_faces(data / "held-out.tar", astronaut_uint8, 4)
    (tmp_path / "queue.yaml").write_text(yaml.safe_dump({"runs": [PAIRED, BROKEN, GENERATOR]}))
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with zipfile.ZipFile(wheels / "carried-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("carried.py", "PRESENT = True\n")
        wheel.writestr(
            "carried-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: carried\nVersion: 1.0\n"
        )
        wheel.writestr(
            "carried-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("carried-1.0.dist-info/RECORD", "")

    options = ["--queue", tmp_path / "queue.yaml", "--data", data, "--wheels", wheels, "--minutes", "14"]
    printed = call(sys.executable, TOOL / "pack", *options, "-o", pack)
    assert "in all, of 60" in printed
    assert "at quality" in call(sys.executable, TOOL / "pack", *options, "-o", pack)  # not encoded again

    work = tmp_path / "work"
    printed = call(
        pack / "run",
        "--dry",
        "--minutes",
        "1.8",
        "--out",
        out,
        LUMIFACE_GPU_WORK=str(work),
        LUMIFACE_ASSETS="",
    )
    assert (work / "site" / "carried.py").is_file()
    report = json.loads((out / "report.json").read_text())
    states = {name: run["state"] for name, run in report["runs"].items()}
    assert states == {"small-pairs": "trained", "broken": "not trained", "small-faces": "trained"}, printed
    assert "absent.safetensors" in report["runs"]["broken"]["error"]
    assert report["runs"]["small-pairs"]["steps"] > report["runs"]["small-faces"]["steps"] > 0
    assert "small-faces" in (out / "report.md").read_text()
    assert len(list(out.iterdir())) <= 8

    printed = call(sys.executable, TOOL / "collect", out)
    assert "verified" in printed
    for name, kind in (("small-pairs", None), ("small-faces", "stylegan2")):
        load_model(out / "results" / name / f"{name}.safetensors", kind=kind)
    with safe_open(out / "results" / "small-faces" / "small-faces-discriminator.safetensors", "pt") as file:
        assert all(file.get_slice(key).get_dtype() in ("F16", "F64") for key in file.keys())  # noqa: SIM118
