"""Find faces and their five points: MTCNN's cascade over a batch of pictures.

Zhang et al. 2016 (see `mtcnn`), section II. All pictures go through P-Net scale by scale; the candidates
of all scales and pictures then share one non-maximum suppression and one batch per network.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lumiface.errors import SettingError
from lumiface.faces.mtcnn import OutputNet, ProposalNet, RefineNet
from lumiface.faces.suppress import keep_best

_WINDOW = 12  # P-Net's window, pixels
_STRIDE = 2  # between its windows
_CHUNK = 1024  # candidates that go through R-Net or O-Net at once


@dataclass(frozen=True, slots=True)
class Face:
    """One face. Coordinates are pixel-edge coordinates of the picture: the left upper pixel covers
    [0, 1) x [0, 1), its centre is (0.5, 0.5), and the whole picture is the box (0, 0, W, H). Boxes and
    points may lie partly outside the picture.

    `box`: x1, y1, x2, y2. `score`: O-Net's probability in [0, 1]. `landmarks`: five (x, y): left eye, right
    eye, nose, left and right mouth corner, left and right as seen in the picture.
    """

    box: tuple[float, float, float, float]
    score: float
    landmarks: tuple[tuple[float, float], ...]


class FaceDetector(nn.Module):
    """Pictures (B, 3, H, W), RGB in [0, 1] -> a list of faces per picture, best score first.

    `min_face`: smallest face side looked for, pixels (time grows with 1 / min_face^2); `scale_factor`: step
    of the picture pyramid; `thresholds`: least probability at P-, R- and O-Net.
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
            raise SettingError(f"min_face={min_face:g}: the detector sees no face below {_WINDOW} pixels")
        if not 0.0 < scale_factor < 1.0:
            raise SettingError(f"scale_factor={scale_factor:g}: give a number between 0 and 1, such as 0.709")
        self.min_face, self.scale_factor, self.thresholds = min_face, scale_factor, thresholds
        self.proposal, self.refine, self.output = ProposalNet(), RefineNet(), OutputNet()

    @torch.inference_mode()
    def forward(self, pictures: Tensor) -> list[list[Face]]:
        if pictures.dim() != 4 or pictures.shape[1] != 3:
            raise ValueError(f"pictures must be (B, 3, H, W), got {tuple(pictures.shape)}")
        found: list[list[Face]] = [[] for _ in range(pictures.shape[0])]
        if pictures.numel() == 0:
            return found
        normal = pictures.float() * (255.0 / 128.0) - (127.5 / 128.0)
        index, boxes = self._propose(normal)
        atlas = _Atlas(normal)
        index, boxes = self._refine(atlas, index, boxes)
        scores, boxes, points, index = self._finish(atlas, index, boxes)
        rows = zip(index.tolist(), boxes.tolist(), scores.tolist(), points.tolist(), strict=True)
        for picture, (x1, y1, x2, y2), score, face_points in rows:
            found[picture].append(Face((x1, y1, x2, y2), score, tuple((x, y) for x, y in face_points)))
        return found

    @torch.inference_mode()
    def points_in(self, pictures: Tensor, index: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """O-Net alone on given boxes: scores (N,) and points (N, 5, 2) in picture pixels.

        `index` (N,) int64 names the picture of each box, `boxes` (N, 4) is x1, y1, x2, y2 in pixel-edge
        coordinates; boxes are made square first, as the network expects.
        """
        atlas = _Atlas(pictures.float() * (255.0 / 128.0) - (127.5 / 128.0))
        squares = _square(boxes)
        scores, _, points = self._output(atlas, index, squares)
        return scores, _place_points(squares, points)

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
        keep = keep_best(box, score, group, overlap=0.5)  # within a level
        index, box, score = index[keep], box[keep], score[keep]
        keep = keep_best(box, score, index, overlap=0.7)  # across levels
        return index[keep], _square(box[keep])

    def _refine(self, atlas: _Atlas, index: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        parts = [
            self.refine(atlas.crop(i, b, 24))
            for i, b in zip(index.split(_CHUNK), boxes.split(_CHUNK), strict=True)
        ]
        score = torch.cat([part[0] for part in parts])
        moved = _correct(boxes, torch.cat([part[1] for part in parts]))
        sure = score > self.thresholds[1]
        index, moved, score = index[sure], moved[sure], score[sure]
        keep = keep_best(moved, score, index, overlap=0.7)
        return index[keep], _square(moved[keep])

    def _output(self, atlas: _Atlas, index: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        parts = [
            self.output(atlas.crop(i, b, 48))
            for i, b in zip(index.split(_CHUNK), boxes.split(_CHUNK), strict=True)
        ]
        scores, corrections, points = (torch.cat(part) for part in zip(*parts, strict=True))
        return scores, corrections, points

    def _finish(self, atlas: _Atlas, index: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        scores, corrections, points = self._output(atlas, index, boxes)
        points = _place_points(boxes, points)  # relative to the candidate, before its correction
        boxes = _correct(boxes, corrections)
        sure = scores > self.thresholds[2]
        scores, boxes, points, index = scores[sure], boxes[sure], points[sure], index[sure]
        # A face inside a face is the same face: overlap is measured against the smaller box here.
        keep = keep_best(boxes, scores, index, overlap=0.7, of_smaller=True)
        return scores[keep], boxes[keep], points[keep], index[keep]


class _Atlas:
    """All pictures and their halvings in one flat list of pixels, so that crops of any size from any
    picture are one gather: bilinear from the level whose pixels are nearest below the crop's own."""

    def __init__(self, pictures: Tensor) -> None:
        levels = [pictures]
        while max(levels[-1].shape[-2:]) > 48:
            levels.append(F.avg_pool2d(levels[-1], 2, ceil_mode=True))
        self.pixels = torch.cat([level.permute(0, 2, 3, 1).reshape(-1, 3) for level in levels])
        sizes = [(level.shape[-2], level.shape[-1]) for level in levels]
        counts = [pictures.shape[0] * height * width for height, width in sizes]
        self.start = torch.tensor([sum(counts[:i]) for i in range(len(counts))], device=pictures.device)
        self.sizes = torch.tensor(sizes, device=pictures.device)

    def crop(self, index: Tensor, boxes: Tensor, side: int) -> Tensor:
        """Square boxes (N, 4) of pictures `index` (N,) -> (N, 3, side, side); mid-grey beyond the rim."""
        shrink = ((boxes[:, 2] - boxes[:, 0]) / side).clamp(min=1.0)
        level = shrink.log2().add(0.25).floor().long().clamp(max=len(self.start) - 1)
        at_level = boxes / (2.0**level)[:, None]
        height, width = self.sizes[level].unbind(1)
        step = (torch.arange(side, device=boxes.device) + 0.5) / side
        x = at_level[:, 0:1] + step * (at_level[:, 2:3] - at_level[:, 0:1]) - 0.5  # (N, side)
        y = at_level[:, 1:2] + step * (at_level[:, 3:4] - at_level[:, 1:2]) - 0.5
        base = self.start[level] + index * height * width
        left, right, right_share, x_in = _neighbours(x, width)
        upper, lower, lower_share, y_in = _neighbours(y, height)
        upper, lower = upper * width[:, None], lower * width[:, None]

        def row(vertical: Tensor) -> Tensor:
            start = (base[:, None] + vertical)[:, :, None]
            first, second = (self.pixels[start + column[:, None, :]] for column in (left, right))
            return first.lerp(second, right_share[:, None, :, None])  # (N, side, side, 3)

        crops = row(upper).lerp(row(lower), lower_share[:, :, None, None])
        inside = (y_in[:, :, None] & x_in[:, None, :])[..., None]
        return (crops * inside).permute(0, 3, 1, 2)


def _neighbours(position: Tensor, size: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sample positions (N, S) in pixel centres -> the two pixels, the second's share, and "is inside"."""
    last = (size - 1)[:, None].to(position.dtype)
    inside = (position >= -0.5) & (position <= last + 0.5)
    position = position.clamp(min=0.0).minimum(last)
    first = position.floor()
    return first.long(), (first + 1.0).minimum(last).long(), position - first, inside


def _correct(boxes: Tensor, corrections: Tensor) -> Tensor:
    sides = boxes[:, 2:] - boxes[:, :2]
    return boxes + corrections * sides.repeat(1, 2)


def _square(boxes: Tensor) -> Tensor:
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = (boxes[:, 2:] - boxes[:, :2]).amax(1, keepdim=True) / 2
    return torch.cat([centre - half, centre + half], 1)


def _place_points(boxes: Tensor, points: Tensor) -> Tensor:
    return boxes[:, None, :2] + points * (boxes[:, None, 2:] - boxes[:, None, :2])
