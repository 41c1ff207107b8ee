"""Blurred faces that are not large: light from the joint network, detail from it and from the blind one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from lumiface.degradations.resample import resize
from lumiface.faces.align import crop_face, face_matrix
from lumiface.faces.face import Face
from lumiface.faces.measure import FaceMeasures
from lumiface.restoration.face_restorer import FaceRestorer, Log
from lumiface.restoration.light.transfer import transfer_light
from lumiface.restoration.restored import RestoredFace


class DamagedRestorer:
    """Blurred faces that are not large: light from the joint network, detail from it and from the blind one.

    The joint network sees the face at two sizes: reduced to a quarter, where blur, noise and compression are
    gone and it draws what is missing, and larger, where more of the person is left. The second result and
    the relit photograph, half and half, are what the blind network restores. The mean of its result and the
    first is nearer to the person than either, since their errors differ (`benchmarks/restore.py joint`).

    Args:
        joint: lights and enlarges.
        blind: removes blur, noise and compression.
    """

    def __init__(self, joint: FaceRestorer, blind: FaceRestorer) -> None:
        self.joint, self.blind = joint, blind

    def __call__(
        self,
        rgb: Tensor,
        denoised: Callable[[], Tensor],
        faces: list[Face],
        measures: list[FaceMeasures],
        log: Log | None = None,
    ) -> list[RestoredFace]:
        """Every face restored; arguments as of `FaceRestorer`."""
        reduced = self.joint(rgb, denoised, faces, measures, log)
        larger = self.joint(rgb, denoised, faces, measures, log, input_side=self.joint.sizes.largest)
        return [
            replace(first, patch=self._combine(rgb, face, first.patch, second.patch))
            for face, first, second in zip(faces, reduced, larger, strict=True)
        ]

    def _combine(self, rgb: Tensor, face: Face, reduced: Tensor, larger: Tensor) -> Tensor:
        """The mean of the joint network's result and of what the blind one makes of its second one."""
        matrix, side, small = face_matrix(face), self.blind.sizes.largest, self.joint.sizes.largest
        reduced, light = (resize(patch, (side, side)) for patch in (reduced, larger))
        relit = transfer_light(crop_face(rgb, matrix, side), crop_face(rgb, matrix, small), larger)
        redrawn = self.blind.network((light + relit) / 2.0).clamp(0.0, 1.0)
        return (reduced + redrawn) / 2.0
