"""Dense face landmarks with MediaPipe's face landmarker.

The `mediapipe` package (extra `landmarks`) contains the code but no model. The model, a file of 4 MB named
face_landmarker.task, is the asset "face_landmarker": users download it from Google themselves. It predicts
478 landmarks: the 468 of the face mesh, then ten of the irises, which are dropped.
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
    """Detects the landmarks of the main face in an upright RGB image (H, W, 3) uint8; None: no face."""

    def __call__(self, image: npt.NDArray[np.uint8]) -> FoundFace | None: ...


class MediaPipeLandmarker:
    """MediaPipe's face landmarker on single images, on the CPU. A context manager; otherwise call `close`.

    Its interface gives no confidence, so presence is 1 for every detected face.

    Args:
        model: the file face_landmarker.task; default: the asset of that name.

    Raises:
        AssetMissing: the package or the model is not on this machine.
        InputError: the file is not a model of this package.
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
        except (RuntimeError, ValueError, OSError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise InputError(
                f"{path} is no face landmarker for this mediapipe ({reason}); get it again from "
                f"{ASSETS['face_landmarker'].source}"
            ) from error

    def __call__(self, image: npt.NDArray[np.uint8]) -> FoundFace | None:
        height, width = image.shape[:2]
        wrapped = self._mediapipe.Image(
            image_format=self._mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image)
        )
        faces = self._network.detect(wrapped).face_landmarks
        if not faces:
            return None
        # x and y are relative to the image's width and height; z has the unit of x.
        relative = [(point.x, point.y, point.z) for point in faces[0][:VERTICES]]
        return FoundFace(torch.tensor(relative) * torch.tensor([width, height, width]), 1.0)

    def close(self) -> None:
        """Release the network's memory."""
        self._network.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _import_mediapipe() -> Any:
    try:
        return import_module("mediapipe")
    except ImportError as error:
        raise AssetMissing(
            f"landmark detection needs the package mediapipe ({error}): pip install 'lumiface[landmarks]'"
        ) from error
