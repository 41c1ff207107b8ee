"""How the cost of `restore` grows, and what it costs beside a plain loop over the faces.

    python benchmarks/curves.py curves --data-root DATA --json benchmarks/results/speed.json
    python benchmarks/curves.py loop --data-root DATA --json benchmarks/results/speed.json

Dark, noisy photographs composed by `composed.py`, JPEG. curves: whole runs of `lumiface restore`, start
included, over the pixels of one photograph (4 faces), over its faces (3 megapixels), and over the number of
files (a face of 256 pixels each). loop: one photograph of 3 megapixels with 5 faces within one process that
has its networks loaded: `restore`, and what a script does that finds faces by one MTCNN search and takes them
one by one: cropped, through the network in plain torch, pasted with a soft rim. With GFPGAN's architecture
the weights are random: its time alone counts. All ways in turn, medians of the rounds.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from big_pictures import run_restore
from composed import compose
from sections import current_provenance, first_pictures, run_section

from lumiface.faces.align import crop_face, face_matrix
from lumiface.faces.detectors.choice import load_detector
from lumiface.faces.find import find_faces
from lumiface.faces.paste import paste_face
from lumiface.imaging.codec.encode import encode
from lumiface.imaging.codec.raster import Raster
from lumiface.imaging.io import decode_rgb8, read_picture
from lumiface.imaging.quantize import from_uint8, to_uint8
from lumiface.registry import load_model
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.restorer import Restorer
from runtimes import REFERENCE, others

ROUNDS = 5
MEGAPIXELS = (1, 2, 4, 8, 16)
FACES = (1, 2, 5, 10, 20)
FILES = (1, 4, 16, 64)
LIGHT = 0.25  # factor on the faces of the small files


def curves(args: argparse.Namespace) -> dict[str, Any]:
    """Seconds, CPU-seconds and peak of memory over each of the three."""
    found: dict[str, list[dict[str, float]]] = {"pixels": [], "faces": [], "files": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def measure(curve: str, count: int, path: Path) -> None:
            found[curve].append({"count": count, **run_restore(path)})
            print(curve, found[curve][-1], flush=True)

        for megapixels in MEGAPIXELS:
            measure("pixels", megapixels, _photograph(args, folder / f"p{megapixels}.jpg", megapixels, 4))
        for faces in FACES:
            measure("faces", faces, _photograph(args, folder / f"f{faces}.jpg", 3, faces))
        for files in FILES:
            measure("files", files, _small_files(args, folder / f"n{files}", files))
    return {**found, "origin": current_provenance()}


def loop(args: argparse.Namespace) -> dict[str, Any]:
    """CPU-seconds and seconds of each way."""
    with tempfile.TemporaryDirectory() as name:
        path = _photograph(args, Path(name) / "p.jpg", 3, 5)
        ways = _ways(path)
        taken: dict[str, list[tuple[float, float]]] = {way: [] for way in ways}
        for round_ in range(ROUNDS + 1):
            for way, run in ways.items():
                before = (time.perf_counter(), time.process_time())
                run()
                if round_:  # the first loads and prepares
                    taken[way].append((time.perf_counter() - before[0], time.process_time() - before[1]))
            print(f"round {round_} of {ROUNDS}", flush=True)
    rows = [
        {"way": way, "s": median(s for s, _ in times), "cpu_s": median(cpu for _, cpu in times)}
        for way, times in taken.items()
    ]
    print(json.dumps(rows, indent=1))
    return {"megapixels": 3, "faces": 5, "rows": rows, "origin": current_provenance()}


def _ways(path: Path) -> dict[str, Callable[[], object]]:
    """What is timed: a file read, its faces found and restored."""
    detector = load_detector("mtcnn")
    gfpgan, side = others()[REFERENCE]
    return {
        f"loop, {REFERENCE}'s architecture": partial(_plain_loop, path, detector, gfpgan, side),
        "loop, lumiface-x4-real": partial(_plain_loop, path, detector, load_model("lumiface-x4-real"), 128),
        "restore, torch": partial(Restorer(config=RestoreConfig(runtime="torch", scale=1)), path),
        "restore, auto": partial(Restorer(config=RestoreConfig(scale=1)), path),
    }


@torch.inference_mode()
def _plain_loop(path: Path, detector: Any, network: Any, side: int) -> torch.Tensor:
    """Every face of a photograph by itself."""
    canvas = read_picture(path).rgb
    faces = find_faces(canvas, detector)
    for face in faces:
        matrix = face_matrix(face)
        output = network(crop_face(canvas, matrix, side))
        output = output[0] if isinstance(output, tuple) else output
        canvas = paste_face(canvas, output.clamp(0.0, 1.0), matrix, match=False).canvas
    return canvas


def _photograph(args: argparse.Namespace, path: Path, megapixels: float, faces: int) -> Path:
    path.write_bytes(encode(Raster(compose(args, megapixels, faces), "JPEG"), 92))
    return path


def _small_files(args: argparse.Namespace, folder: Path, count: int) -> Path:
    folder.mkdir()
    source = first_pictures(args, "faces256-test")
    for number in range(count):
        index = number % len(source)
        rgb = from_uint8(decode_rgb8(source.read(index), source.names[index])) * LIGHT
        samples = to_uint8(rgb)[0].permute(1, 2, 0).numpy()
        (folder / f"{number:04}.jpg").write_bytes(encode(Raster(samples, "JPEG"), 92))
    return folder


if __name__ == "__main__":
    run_section(__doc__, {"curves": curves, "loop": loop}, {"curves": [], "loop": []})
