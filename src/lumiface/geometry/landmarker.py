"""Finding the points of a face in a picture, with MediaPipe's face landmarker.

The `mediapipe` package (extra `landmarks`) brings the code and no model. The model, one file of 4 MB called
face_landmarker.task, is the asset "face_landmarker": its user fetches it from Google; nothing is downloaded
here. It gives 478 points: first the 468 of the face mesh, then ten of the irises, which are left out.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lumiface.core.assets import ASSETS, find_asset
from lumiface.core.errors import AssetMissing, InputError
from lumiface.geometry.mesh import VERTICES


class FoundFace(NamedTuple):
    """`points` (468, 3) float32 in pixels, as in `FaceMeshes`, and `presence` in (0, 1]."""

    points: Tensor
    presence: float


class Landmarker(Protocol):
    """Whatever finds the points of the main face in an upright RGB picture (H, W, 3) uint8; None: no face."""

    def __call__(self, picture: npt.NDArray[np.uint8]) -> FoundFace | None: ...


class MediaPipeLandmarker:
    """MediaPipe's face landmarker on single pictures, on the CPU. A context manager, or close it.

    Its interface says nothing of how sure it is, so that presence is 1 for every face that it reports.

    Args:
        model: the file face_landmarker.task; default: the asset of that name.

    Raises:
        AssetMissing: the package or the model is not on this machine.
        InputError: the file is no model for this package.
    """

    def __init__(self, model: str | Path | None = None) -> None:
        self._mediapipe = _import_mediapipe()
        path = find_asset("face_landmarker", download=False) if model is None else Path(model)
        if not path.is_file():
            raise InputError(f"{path}: there is no such file; get it from {ASSETS['face_landmarker'].source}")
        tasks = self._mediapipe.tasks
        try:
            options = tasks.vision.FaceLandmarkerOptions(
                base_options=tasks.BaseOptions(model_asset_path=str(path)), num_faces=1
            )
            self._network: Any = tasks.vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError, OSError) as fault:
            reason = str(fault).strip().partition("\n")[0]
            raise InputError(
                f"{path} is no face landmarker for this mediapipe ({reason}); get it again from "
                f"{ASSETS['face_landmarker'].source}"
            ) from fault

    def __call__(self, picture: npt.NDArray[np.uint8]) -> FoundFace | None:
        height, width = picture.shape[:2]
        image = self._mediapipe.Image(
            image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(picture)
        )
        faces = self._network.detect(image).face_landmarks
        if not faces:
            return None
        # x and y are shares of the picture's sides; z has x's unit.
        shares = [(point.x, point.y, point.z) for point in faces[0][:VERTICES]]
        return FoundFace(torch.tensor(shares) * torch.tensor([width, height, width]), 1.0)

    def close(self) -> None:
        """Give the network's memory back."""
        self._network.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _import_mediapipe() -> Any:
    try:
        return import_module("mediapipe")
    except ImportError as fault:
        raise AssetMissing(
            f"finding face points needs the package mediapipe ({fault}): pip install 'lumiface[landmarks]'"
        ) from fault
