"""Parts of a pack that are not faces to train on: source, wheels, weights, validation faces."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from gpu.half import to_half
from lumiface.core.errors import InputError
from lumiface.core.files import write_bytes
from lumiface.data.benchmarks.ground_truth import ground_truth
from lumiface.data.sources import open_source
from lumiface.imaging.io import decode_rgb8
from lumiface.registry import find_weights

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = (
    "pydantic", "pydantic_core", "annotated-types", "typing-inspection", "rich", "pooch", "platformdirs",
)  # fmt: skip
"""What the machine lacks."""
PYTHON = "3.12"
"""The machine's."""
PLATFORMS = ("manylinux2014_x86_64", "manylinux_2_17_x86_64", "manylinux_2_28_x86_64")


def commit() -> str:
    """The commit of the checkout, with "+" if files have changed since."""
    head = _git("rev-parse", "--short=12", "HEAD").strip()
    return head + ("+" if _git("status", "--porcelain").strip() else "")


def write_source(path: Path) -> None:
    """A zip of `src` without weights, `configs`, and this folder, with files that are not committed yet."""
    listed = _git("ls-files", "-co", "--exclude-standard", "src", "configs", "training/gpu").splitlines()
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(set(listed)):
            if not name.startswith("src/lumiface/weights/") and (ROOT / name).is_file():
                # Without times, so that equal sources make equal zips.
                archive.writestr(zipfile.ZipInfo(name), (ROOT / name).read_bytes(), zipfile.ZIP_DEFLATED)


def write_wheels(folder: Path, given: Path | None) -> None:
    """Wheels of `PACKAGES` for the machine, at the versions of `constraints.txt`.

    Args:
        given: a folder of wheels to take instead of downloading them.

    Raises:
        InputError: they cannot be downloaded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if given is not None:
        for wheel in given.glob("*.whl"):
            shutil.copy(wheel, folder)
        return
    pinned = [pin for package in PACKAGES for pin in _pins(package)]
    stems = {re.sub("[-_.]+", "_", pin.replace("==", "-", 1).rpartition("-")[0]).lower() for pin in pinned}
    present = {wheel.name.split("-")[0].lower() for wheel in folder.glob("*.whl")}
    if stems <= present:
        return
    platforms = [option for platform in PLATFORMS for option in ("--platform", platform)]
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:"]
    command += ["--python-version", PYTHON, *platforms, "-d", str(folder), *pinned]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode:
        reason = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise InputError(f"wheels cannot be downloaded ({reason}); name a folder of them with --wheels")


def _pins(package: str) -> list[str]:
    """The line of a package in `constraints.txt`, or its bare name."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    plain = re.sub("[-_.]+", "-", package).lower()
    found = [line for line in lines if re.sub("[-_.]+", "-", line.split("==")[0]).lower() == plain]
    return found or [package]


def find_trained(name: str, folders: Sequence[Path]) -> Path:
    """The file of trained weights: in one of the folders, else shipped, else below LUMIFACE_ASSETS.

    Raises:
        InputError: there is none.
    """
    shipped = find_weights(name)
    assets = os.environ.get("LUMIFACE_ASSETS")
    for folder in folders:
        if found := sorted(folder.rglob(f"{name}.safetensors")):
            return found[0]
    if shipped.is_file():
        return shipped
    if assets and (found := sorted(Path(assets).rglob(f"{name}.safetensors"))):
        return found[0]
    raise InputError(f"{name}.safetensors is nowhere; name its folder with --weights")


def write_weights(name: str, folders: Sequence[Path], path: Path) -> None:
    """Trained weights in half precision."""
    to_half(find_trained(name, folders), path)


def write_validation(source: Path, side: int | None, path: Path) -> None:
    """Validation faces reduced exactly as validation would reduce them, without loss, under their names.

    Raises:
        InputError: there is no such file, or a face is smaller.
    """
    pictures = open_source(source)
    path.parent.mkdir(parents=True, exist_ok=True)
    if side is None:
        shutil.copyfile(source, path)
        return
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in pictures.items():
            out = io.BytesIO()
            small = ground_truth(decode_rgb8(data, name), name, side)
            Image.fromarray(small).save(out, format="webp", lossless=True, quality=100, method=6)
            member = tarfile.TarInfo(name)
            member.size = out.tell()
            archive.addfile(member, io.BytesIO(out.getvalue()))
    write_bytes(path, buffer.getvalue())


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout
