"""Face detection with five landmarks: MTCNN's cascade over a batch of pictures.

Zhang et al. 2016 (see `mtcnn`), section II. P-Net processes all pictures scale by scale; the candidates of
all scales and pictures then share one non-maximum suppression and one batch per network.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lumiface.core.errors import SettingError
from lumiface.faces.detectors.mtcnn import OutputNet, ProposalNet, RefineNet
from lumiface.faces.detectors.nms import batched_nms
from lumiface.faces.detectors.pyramid import ImagePyramid
from lumiface.faces.face import Face, drop_duplicates

_WINDOW = 12  # P-Net's window, pixels
_STRIDE = 2  # between its windows
_VIEWS = (  # shift right, shift down, size, as fractions of the box's side
    (0.0, 0.0, 1.0),
    (0.0, 0.0, 1.15),
    (0.0, 0.0, 0.9),
    (0.04, 0.0, 1.05),
    (-0.04, 0.0, 1.05),
    (0.0, 0.04, 1.05),
    (0.0, -0.04, 1.05),
)
_CHUNK = 1024  # candidates per forward pass of R-Net or O-Net


class FaceDetector(nn.Module):
    """Pictures (B, 3, H, W), RGB in [0, 1] -> a list of faces per picture, best score first.

    Args:
        min_face: smallest face side detected, pixels (time grows with 1 / min_face^2).
        scale_factor: scale between the levels of the image pyramid.
        thresholds: minimum probability at P-, R- and O-Net.
    """

    def __init__(
        self,
        *,
        min_face: float = 20.0,
        scale_factor: float = 0.709,
        thresholds: tuple[float, float, float] = (0.6, 0.7, 0.7),
    ) -> None:
        super().__init__()
        if min_face < _WINDOW:
            raise SettingError(f"min_face={min_face:g}: the detector finds no face below {_WINDOW} pixels")
        if not 0.0 < scale_factor < 1.0:
            raise SettingError(f"scale_factor={scale_factor:g}: must be between 0 and 1, such as 0.709")
        self.min_face, self.scale_factor, self.thresholds = min_face, scale_factor, thresholds
        self.proposal, self.refine, self.output = ProposalNet(), RefineNet(), OutputNet()

    @torch.inference_mode()
    def forward(self, pictures: Tensor) -> list[list[Face]]:
        if pictures.dim() != 4 or pictures.shape[1] != 3:
            raise ValueError(f"pictures must be (B, 3, H, W), got {tuple(pictures.shape)}")
        found: list[list[Face]] = [[] for _ in range(pictures.shape[0])]
        if pictures.numel() == 0:
            return found
        normalised = _normalise(pictures)
        index, boxes = self._propose(normalised)
        pyramid = ImagePyramid(normalised)
        index, boxes = self._refine(pyramid, index, boxes)
        scores, boxes, points, index = self._finish(pyramid, index, boxes)
        rows = zip(index.tolist(), boxes.tolist(), scores.tolist(), points.tolist(), strict=True)
        for picture, (x1, y1, x2, y2), score, face_points in rows:
            found[picture].append(Face((x1, y1, x2, y2), score, tuple((x, y) for x, y in face_points)))
        return [drop_duplicates(faces) for faces in found]

    @torch.inference_mode()
    def rescore_tta(self, pictures: Tensor, index: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """O-Net's mean output for given boxes over 14 views: seven crops, each also mirrored.

        The score of a face is stable when the crop moves slightly, that of a hand or a curtain is not; and
        the mean points scatter 10 % less than those of a single view.

        Args:
            pictures: (B, 3, H, W).
            index: (N,) int64, the picture of each box.
            boxes: (N, 4), x1, y1, x2, y2 in pixel-edge coordinates.

        Returns:
            scores (N,) and points (N, 5, 2) in picture pixels.
        """
        pyramid = ImagePyramid(_normalise(pictures))
        squares = _square(boxes)
        centre, side = (squares[:, :2] + squares[:, 2:]) / 2, squares[:, 2:] - squares[:, :2]
        score, landmarks = boxes.new_zeros(len(boxes)), boxes.new_zeros(len(boxes), 5, 2)
        for x, y, size in _VIEWS:
            middle = centre + side * side.new_tensor([x, y])
            view = torch.cat([middle - side * (size / 2), middle + side * (size / 2)], 1)
            for scores, points in self._both_sides(pyramid, index, view):
                score = score + scores
                landmarks = landmarks + _to_picture(view, points)
        return score / (2 * len(_VIEWS)), landmarks / (2 * len(_VIEWS))

    @torch.inference_mode()
    def place(self, rgb: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """O-Net's scores (N,) and corrected boxes (N, 4) of boxes in one picture (1, 3, H, W)."""
        squares = _square(boxes)
        index = torch.zeros(len(boxes), dtype=torch.long, device=rgb.device)
        scores, corrections, _ = self._output(ImagePyramid(_normalise(rgb)), index, squares)
        return scores, _correct(squares, corrections)

    @torch.inference_mode()
    def score_turns(
        self, pictures: Tensor, index: Tensor, boxes: Tensor, *, quick: bool = False
    ) -> tuple[Tensor, Tensor]:
        """O-Net's mean output for given boxes, seen in each of the four ways up, over six views.

        A face scores most the right way up, and has its landmarks there. Of 4 N crops, all at once: for a few
        boxes at a time.

        Args:
            pictures, index, boxes: as of `rescore_tta`.
            quick: one view, a sixth of the time.

        Returns:
            scores (4, N) and points (4, N, 5, 2) in picture pixels, by counterclockwise quarter turns of the
            crop.
        """
        pyramid = ImagePyramid(_normalise(pictures))
        squares = _square(boxes)
        centre, half = (squares[:, :2] + squares[:, 2:]) / 2, (squares[:, 2:] - squares[:, :2]) / 2
        score, landmarks = boxes.new_zeros(4, len(boxes)), boxes.new_zeros(4, len(boxes), 5, 2)
        sizes = [size for _, _, size in _VIEWS[: 1 if quick else 3]]
        sides = (False,) if quick else (False, True)
        for size in sizes:
            view = torch.cat([centre - half * size, centre + half * size], 1)
            crops = pyramid.crop(index, view, 48)
            turned = torch.cat([torch.rot90(crops, quarters, (2, 3)) for quarters in range(4)])
            for mirrored in sides:
                scores, _, points = self._look(turned, mirrored=mirrored)
                score = score + scores.view(4, -1)
                for quarters, there in enumerate(points.view(4, -1, 5, 2)):
                    for _ in range(quarters):  # (x, y) is at (y, 1 - x) after one turn of the crop
                        there = torch.stack([1.0 - there[..., 1], there[..., 0]], -1)
                    landmarks[quarters] += _to_picture(view, there)
        views = len(sizes) * len(sides)
        return score / views, landmarks / views

    def _propose(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """P-Net on each level of the pyramid -> picture index (N,), square boxes (N, 4)."""
        height, width = pictures.shape[-2:]
        scale, level = _WINDOW / self.min_face, 0
        indices, boxes, scores, groups = [], [], [], []
        while min(height, width) * scale >= _WINDOW:
            size = (round(height * scale), round(width * scale))
            resized = F.interpolate(pictures, size, mode="bilinear", antialias=True, align_corners=False)
            probability, correction = self.proposal(resized)
            picture, row, column = torch.nonzero(probability > self.thresholds[0], as_tuple=True)
            corner = torch.stack([column, row, column, row], 1) * float(_STRIDE)
            window = corner + corner.new_tensor([0, 0, _WINDOW, _WINDOW])
            moved = window + correction[picture, :, row, column] * _WINDOW
            step = moved.new_tensor([width / size[1], height / size[0]] * 2)
            indices.append(picture)
            boxes.append(moved * step)
            scores.append(probability[picture, row, column])
            groups.append(picture + level * pictures.shape[0])
            scale, level = scale * self.scale_factor, level + 1
        if not boxes:
            return torch.zeros(0, dtype=torch.long, device=pictures.device), pictures.new_zeros(0, 4)
        index, box, score, group = (torch.cat(part) for part in (indices, boxes, scores, groups))
        keep = batched_nms(box, score, group, overlap=0.5)  # within a level
        index, box, score = index[keep], box[keep], score[keep]
        keep = batched_nms(box, score, index, overlap=0.7)  # across levels
        return index[keep], _square(box[keep])

    def _refine(self, pyramid: ImagePyramid, index: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        parts = [
            self.refine(pyramid.crop(i, b, 24))
            for i, b in zip(index.split(_CHUNK), boxes.split(_CHUNK), strict=True)
        ]
        score = torch.cat([part[0] for part in parts])
        moved = _correct(boxes, torch.cat([part[1] for part in parts]))
        accepted = score > self.thresholds[1]
        index, moved, score = index[accepted], moved[accepted], score[accepted]
        keep = batched_nms(moved, score, index, overlap=0.7)
        return index[keep], _square(moved[keep])

    def _output(self, pyramid: ImagePyramid, index: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        parts = [
            self._look(pyramid.crop(i, b, 48), mirrored=False)
            for i, b in zip(index.split(_CHUNK), boxes.split(_CHUNK), strict=True)
        ]
        scores, corrections, points = (torch.cat(part) for part in zip(*parts, strict=True))
        return scores, corrections, points

    def _both_sides(self, pyramid: ImagePyramid, index: Tensor, boxes: Tensor) -> list[tuple[Tensor, Tensor]]:
        """O-Net's scores and points of the crops and of their mirror images."""
        sides: list[list[tuple[Tensor, Tensor]]] = [[], []]
        for i, b in zip(index.split(_CHUNK), boxes.split(_CHUNK), strict=True):
            crops = pyramid.crop(i, b, 48)
            for mirrored in (False, True):
                scores, _, points = self._look(crops, mirrored=mirrored)
                sides[mirrored].append((scores, points))
        return [(torch.cat([s for s, _ in side]), torch.cat([p for _, p in side])) for side in sides]

    def _look(self, crops: Tensor, *, mirrored: bool) -> tuple[Tensor, Tensor, Tensor]:
        """O-Net's output for crops (N, 3, 48, 48), or for their mirror images with the points put back."""
        scores, corrections, points = self.output(crops.flip(3) if mirrored else crops)
        if mirrored:  # left and right are swapped
            points = points[:, [1, 0, 2, 4, 3]] * points.new_tensor([-1, 1]) + points.new_tensor([1, 0])
        return scores, corrections, points

    def _finish(
        self, pyramid: ImagePyramid, index: Tensor, boxes: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        scores, corrections, points = self._output(pyramid, index, boxes)
        points = _to_picture(boxes, points)  # relative to the candidate, before its correction
        boxes = _correct(boxes, corrections)
        accepted = scores > self.thresholds[2]
        scores, boxes, points, index = scores[accepted], boxes[accepted], points[accepted], index[accepted]
        return scores, boxes, points, index


def _normalise(pictures: Tensor) -> Tensor:
    """[0, 1] -> (v - 127.5) / 128 of the 8-bit value v, as the networks were trained."""
    return pictures.float() * (255.0 / 128.0) - (127.5 / 128.0)


def _correct(boxes: Tensor, corrections: Tensor) -> Tensor:
    """Boxes moved by corrections in units of their sides."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return boxes + corrections * sides.repeat(1, 2)


def _square(boxes: Tensor) -> Tensor:
    """The square of the longer side around each box's centre."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).amax(1, keepdim=True) / 2
    return torch.cat([centre - half, centre + half], 1)


def _to_picture(boxes: Tensor, points: Tensor) -> Tensor:
    """Points as fractions of their box -> picture pixels."""
    return boxes[:, None, :2] + points * (boxes[:, None, 2:] - boxes[:, None, :2])
