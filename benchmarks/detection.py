"""What finding faces costs, and what it finds, as one line of JSON; `speed.py` runs this for several states.

    python benchmarks/detection.py photographs yunet DATA

photographs: CPU-seconds, megapixels, and the boxes found by name. dark: of 300 darkened faces, those found,
by exponent (the table of `faces/find.py`). faceless: faces found where there are none. Photographs and
faceless pictures are searched as `restore` does by default. Besides `load_detector`, this must call nothing
that commit 594deba has not.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import skimage.data
import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.data.sources import open_source
from lumiface.faces.find import find_faces
from lumiface.faces.upright import find_upright
from lumiface.imaging.io import decode_rgb8
from lumiface.imaging.quantize import from_uint8

if TYPE_CHECKING:
    from lumiface.faces.detectors.detect import FaceDetector

MIN_FACE, MIN_FACE_DARK = 16.0, 20.0
EXPONENTS = (1, 2, 3, 4, 5)
SIDE = 128
PEOPLE = {"astronaut", "camera"}
"""Pictures of scikit-image that show people; its films (GIF) and volumes (TIFF) are left out, too."""


def photographs(detector: FaceDetector, data: Path) -> dict[str, Any]:
    """All are decoded before the clock starts, and one is searched."""
    source = open_source(data / "real-degraded.tar")
    pictures = {
        name: _decoded(source.read(index), name)
        for index, name in enumerate(source.names)
        if Path(name).name.startswith("photo_")
    }
    find_upright(next(iter(pictures.values())), detector, min_face=MIN_FACE)
    start = time.process_time()
    found = {name: find_upright(rgb, detector, min_face=MIN_FACE) for name, rgb in pictures.items()}
    seconds = time.process_time() - start
    return {
        "seconds": seconds,
        "megapixels": sum(rgb.shape[-2] * rgb.shape[-1] for rgb in pictures.values()) / 1e6,
        "faces": {name: [face.box for face in there.faces] for name, there in found.items()},
    }


def dark(detector: FaceDetector, data: Path) -> dict[str, Any]:
    source = open_source(data / "faces256-test.tar")
    faces = torch.cat([_decoded(source.read(index), name) for index, name in enumerate(source.names)])
    faces = F.interpolate(faces, (SIDE, SIDE), mode="area")
    detector.min_face = MIN_FACE_DARK
    counts: list[int] = []
    for exponent in EXPONENTS:
        darkened = (0.7 * (0.95 * faces) ** float(exponent) * 255).round() / 255
        found = [find_faces(rgb[None], detector, which="largest") for rgb in darkened]
        counts.append(sum(any(face.side > 40 for face in there) for there in found))
    return {"dark_of": len(faces), "dark_found": dict(zip(map(str, EXPONENTS), counts, strict=True))}


def faceless(detector: FaceDetector, data: Path) -> dict[str, Any]:
    del data
    folder = Path(skimage.data.__file__).parent
    files = [path for path in sorted(folder.iterdir()) if path.suffix in (".png", ".jpg")]
    files = [path for path in files if path.stem not in PEOPLE]
    false = 0
    for path in files:
        found = find_upright(_decoded(path.read_bytes(), path.name), detector, min_face=MIN_FACE)
        false += len(found.faces) + len(found.rotated)
    return {"faceless_pictures": len(files), "false_faces": false}


def _decoded(data: bytes, name: str) -> Tensor:
    return from_uint8(decode_rgb8(data, name))


def _detector(name: str) -> FaceDetector:
    if name == "mtcnn":
        from lumiface.faces.find import FaceDetector  # its own place was another at that commit

        return FaceDetector(min_face=MIN_FACE).eval()
    from lumiface.faces.detectors.choice import load_detector

    return load_detector("yunet", min_face=MIN_FACE)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    measures = {"photographs": photographs, "dark": dark, "faceless": faceless}
    parser.add_argument("measure", choices=list(measures))
    parser.add_argument("detector", choices=["mtcnn", "yunet"])
    parser.add_argument("data", type=Path, help="folder of the test sets")
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    print(json.dumps(measures[args.measure](_detector(args.detector), args.data)))
