"""Which detector finds the faces."""

from __future__ import annotations

from typing import Literal

from lumiface.core.assets import find_asset
from lumiface.core.errors import AssetMissing, InputError, SettingError
from lumiface.faces.detectors.detect import FaceDetector
from lumiface.faces.detectors.yunet import YuNetDetector

DetectorName = Literal["auto", "mtcnn", "yunet"]

YUNET = "yunet"
"""The asset's name."""


def load_detector(name: DetectorName = "auto", *, min_face: float = 20.0) -> FaceDetector:
    """The detector of that name.

    Args:
        name: mtcnn, whose weights a package brings along; yunet, whose file is downloaded if it is not on
            this machine; auto: yunet if its file is there and OpenCV can run it, else mtcnn; nothing is
            downloaded.
        min_face: smallest face side detected, pixels.

    Raises:
        AssetMissing, InputError, SettingError: yunet was asked for, and its file is missing, damaged, or of
            no use to this OpenCV.
    """
    if name == "yunet":
        return YuNetDetector(find_asset(YUNET), min_face=min_face).eval()
    if name == "auto":
        try:
            return YuNetDetector(find_asset(YUNET, download=False), min_face=min_face).eval()
        except (AssetMissing, InputError, SettingError):
            pass
    return FaceDetector(min_face=min_face).eval()
