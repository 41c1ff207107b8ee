"""Landmark error: mean displacement of a face's five points, a metric of its structure."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lumiface.core.shapes import require_same_pictures
from lumiface.faces.detectors.detect import FaceDetector


def landmark_error(output_points: Tensor, target_points: Tensor) -> Tensor:
    r"""Mean distance of the points of a face, :math:`\frac{1}{m} \sum_j ||S^j - H^j||_2`; lower is better.

    Unit: pixels of the pictures, so that errors of different picture sizes are not comparable.

    Args:
        output_points: (N, m, 2) as x, y in pixels, S.
        target_points: (N, m, 2) as x, y in pixels, H.

    Returns:
        (N,), one per face. The paper reports the mean over the faces.

    Raises:
        ValueError: the shapes differ or are not (N, m, 2).

    Source:
        LFSRNet, section 3.5, where the mean of the distances is called RMSE.

    Example:
        >>> landmark_error(torch.zeros(1, 5, 2), torch.tensor([3.0, 4.0]).expand(1, 5, 2))
        tensor([5.])
    """
    if output_points.shape != target_points.shape or output_points.ndim != 3 or output_points.shape[2] != 2:
        raise ValueError(
            f"points {tuple(output_points.shape)} and {tuple(target_points.shape)} must both be (N, m, 2)"
        )
    return torch.linalg.vector_norm(output_points - target_points, dim=2).mean(dim=1)


@dataclass(frozen=True, slots=True)
class LandmarkErrors:
    """Landmark errors of a batch, and the number of pictures that could not be measured.

    `errors`: (B,) pixels, NaN where either picture has no face. `no_face_in_target`: number of targets
    without a face. `no_face_in_output`: number of outputs without a face where the target has one.
    """

    errors: Tensor
    no_face_in_target: int
    no_face_in_output: int

    @property
    def mean(self) -> float:
        """Mean error in pixels over the measured pictures; NaN where there are none."""
        return self.errors.nanmean().item()


@dataclass(frozen=True, slots=True)
class TargetFaces:
    """The main face of each picture that has one, detected once and compared with several outputs.

    `pictures`: shape of the batch (B, 3, H, W). `index`: (N,) the pictures that have a face. `boxes`: (N, 4).
    `points`: (N, 5, 2).
    """

    pictures: torch.Size
    index: Tensor
    boxes: Tensor
    points: Tensor


def find_target_faces(targets: Tensor, detector: FaceDetector) -> TargetFaces:
    """The largest face of each of the pictures (B, 3, H, W), RGB in [0, 1], and its five points."""
    main = [max(faces, key=lambda face: face.area, default=None) for faces in detector(targets)]
    indices = [index for index, face in enumerate(main) if face is not None]
    index = torch.tensor(indices, dtype=torch.long, device=targets.device)
    boxes = targets.new_tensor([face.box for face in main if face is not None]).reshape(-1, 4)
    points = targets.new_zeros(0, 5, 2)
    if indices:
        _, points = detector.rescore_tta(targets, index, boxes)
    return TargetFaces(targets.shape, index, boxes, points)


def measure_landmark_error(
    outputs: Tensor, targets: Tensor | TargetFaces, detector: FaceDetector
) -> LandmarkErrors:
    """Landmark error of MTCNN's five points, in the same box for both pictures.

    The box is that of the largest face detected in the target. The detector's last network predicts the
    points in it for both output and target, so that the difference is due to the picture and not to the box;
    both are means over 14 views of the box (`FaceDetector.rescore_tta`), which have a lower variance than a
    single view. The output has no face where the mean score of these views is below the detector's threshold.

    Args:
        outputs: (B, 3, H, W), RGB in [0, 1].
        targets: (B, 3, H, W), RGB in [0, 1], or their `find_target_faces`.
        detector: on the pictures' device.

    Raises:
        ValueError: the shapes differ.

    Source:
        LFSRNet, section 3.5. The paper does not say which box it uses.
    """
    if isinstance(targets, Tensor):
        require_same_pictures(outputs, targets)
        targets = find_target_faces(targets, detector)
    if outputs.shape != targets.pictures:
        raise ValueError(f"outputs {tuple(outputs.shape)} and targets {tuple(targets.pictures)} differ")
    errors = outputs.new_full((len(outputs),), torch.nan)
    missing = len(outputs) - len(targets.index)
    if len(targets.index) == 0:
        return LandmarkErrors(errors, no_face_in_target=missing, no_face_in_output=0)
    scores, points = detector.rescore_tta(outputs, targets.index, targets.boxes)
    has_face = scores > detector.thresholds[2]
    errors[targets.index] = torch.where(has_face, landmark_error(points, targets.points), torch.nan)
    return LandmarkErrors(errors, no_face_in_target=missing, no_face_in_output=int((~has_face).sum()))
