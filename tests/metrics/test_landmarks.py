from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lumiface.faces.detectors.detect import FaceDetector
from lumiface.metrics import landmark_error, measure_landmark_error


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(scope="module")
def portrait() -> Tensor:
    """scikit-image's astronaut (NASA, public domain), 160x160 around the face."""
    from skimage.data import astronaut

    return torch.from_numpy(astronaut()[30:190, 140:300].copy()).permute(2, 0, 1)[None].float() / 255


def test_known_distances() -> None:
    target = torch.rand(3, 5, 2) * 100
    moved = target.clone()
    moved[1] += torch.tensor([3.0, -4.0])  # every point by 5 pixels
    moved[2, 0] += torch.tensor([0.0, 10.0])  # one of five by 10
    torch.testing.assert_close(landmark_error(moved, target), torch.tensor([0.0, 5.0, 2.0]))


def test_points_of_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="points"):
        landmark_error(torch.zeros(2, 5, 2), torch.zeros(1, 5, 2))
    with pytest.raises(ValueError, match="points"):
        landmark_error(torch.zeros(2, 10), torch.zeros(2, 10))


def test_a_face_against_itself_and_shifted(portrait: Tensor, detector: FaceDetector) -> None:
    shifted = portrait.roll((2, 3), dims=(2, 3))  # by sqrt(13) pixels; the box stays where it was
    result = measure_landmark_error(torch.cat([portrait, shifted]), portrait.repeat(2, 1, 1, 1), detector)
    assert (result.no_face_in_target, result.no_face_in_output) == (0, 0)
    assert result.errors[0].item() == 0
    assert result.errors[1].item() == pytest.approx(13**0.5, abs=1.0)
    assert result.mean == pytest.approx(result.errors.mean().item())


def test_a_blurred_face_is_worse_than_a_sharp_one(portrait: Tensor, detector: FaceDetector) -> None:
    small = [torch.nn.functional.avg_pool2d(portrait, factor) for factor in (2, 8)]
    blurred = [torch.nn.functional.interpolate(picture, (160, 160), mode="bilinear") for picture in small]
    result = measure_landmark_error(torch.cat(blurred), portrait.repeat(2, 1, 1, 1), detector)
    assert 0 < result.errors[0] < result.errors[1]


def test_pictures_without_a_face_are_counted(portrait: Tensor, detector: FaceDetector) -> None:
    grey = torch.full_like(portrait, 0.5)
    outputs = torch.cat([portrait, grey, portrait])
    targets = torch.cat([portrait, portrait, grey])
    result = measure_landmark_error(outputs, targets, detector)
    assert (result.no_face_in_target, result.no_face_in_output) == (1, 1)
    assert result.errors.isnan().tolist() == [False, True, True]
    assert result.mean == 0
    none = measure_landmark_error(portrait, grey, detector)
    assert none.no_face_in_target == 1
    assert torch.tensor(none.mean).isnan()
