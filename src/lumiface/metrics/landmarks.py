"""Landmark error: how far the five points of a face have moved, a measure of its structure."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from lumiface.core.shapes import require_same_pictures
from lumiface.faces.detect import FaceDetector


def landmark_error(output_points: Tensor, target_points: Tensor) -> Tensor:
    r"""Mean distance of the points of a face, :math:`\frac{1}{m} \sum_j ||S^j - H^j||_2`; lower is better.

    Unit: pixels of the pictures, so a number belongs to a picture size.

    Args:
        output_points: (N, m, 2) as x, y in pixels, S.
        target_points: (N, m, 2) as x, y in pixels, H.

    Returns:
        (N,), one a face. The paper's number is the mean over the faces.

    Raises:
        ValueError: the shapes differ or are not those of points.

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
    """Landmark errors of a batch, with the pictures that could not be measured counted, not dropped.

    `errors`: (B,) pixels, NaN where either picture has no face. `no_face_in_target`: how many targets have
    none. `no_face_in_output`: how many outputs have none where the target has one.
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
    """The main face of each picture that has one, found once and compared with many outputs.

    `pictures`: shape of the batch (B, 3, H, W). `index`: (N,) which pictures have a face. `boxes`: (N, 4).
    `points`: (N, 5, 2).
    """

    pictures: torch.Size
    index: Tensor
    boxes: Tensor
    points: Tensor


def find_target_faces(targets: Tensor, detector: FaceDetector) -> TargetFaces:
    """The largest face of each of the pictures (B, 3, H, W), RGB in [0, 1], and its five points."""
    main = [max(faces, key=lambda face: face.area, default=None) for faces in detector(targets)]
    found = [position for position, face in enumerate(main) if face is not None]
    index = torch.tensor(found, dtype=torch.long, device=targets.device)
    boxes = targets.new_tensor([face.box for face in main if face is not None]).reshape(-1, 4)
    points = targets.new_zeros(0, 5, 2)
    if found:
        _, points = detector.rescore_tta(targets, index, boxes)
    return TargetFaces(targets.shape, index, boxes, points)


def measure_landmark_error(
    outputs: Tensor, targets: Tensor | TargetFaces, detector: FaceDetector
) -> LandmarkErrors:
    """Landmark error by MTCNN's five points, in one and the same box for both pictures.

    The box is that of the largest face found in the target. The detector's last network places the points in
    it, on the output as on the target, so that the difference is the picture's and not the box's; both are
    means over 14 views of the box (`FaceDetector.rescore_tta`), which scatter less than a single look. The
    output counts as faceless where the mean score of these views is below the detector's own threshold.

    Args:
        outputs: (B, 3, H, W), RGB in [0, 1].
        targets: (B, 3, H, W), RGB in [0, 1], or what `find_target_faces` found in them.
        detector: finds the faces; on the pictures' device.

    Raises:
        ValueError: the shapes differ.

    Source:
        LFSRNet, section 3.5. The paper leaves open whose box it takes.
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
