"""Both detectors, for what must hold with either."""

from __future__ import annotations

import pytest

from lumiface.faces.detectors.choice import load_detector
from lumiface.faces.detectors.detect import FaceDetector


@pytest.fixture(scope="session", params=["mtcnn", "yunet"])
def detector(request: pytest.FixtureRequest) -> FaceDetector:
    if request.param == "yunet":
        request.getfixturevalue("shared_asset")("yunet_n_dynamic.onnx")  # or the test is skipped
    return load_detector(request.param)
