"""The faces of one photograph: cut out, put through a network in batches, given back what is their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.errors import SettingError
from lumiface.face_tasks import FaceTask
from lumiface.faces.align import crop_face, face_matrix, native_side
from lumiface.faces.face import Face
from lumiface.faces.own import face_light, keep_own_colour, keep_own_light, well_lit
from lumiface.faces.sharpness import SIDE, detail_side
from lumiface.light import transfer_light
from lumiface.prior_view import PriorView, look_at_prior
from lumiface.registry import load_model
from lumiface.restore_config import RestoreConfig

BATCH = 16


@dataclass(frozen=True, slots=True)
class FaceReport:
    """What was done to one face.

    Attributes:
        box: x1, y1, x2, y2 in pixels of the photograph.
        score: the detector's certainty, 0 to 1.
        side: of the aligned square in pixels of the photograph.
        detail: side in pixels that would hold all the detail that the square has; 256 at most.
        light: mean luma of the face's middle before, 0 to 1.
        way: "restored" by the network; "lit": a large face, which keeps its own detail.
        own_light: 0 to 1, how much of its own light a well-lit face was left.
    """

    box: tuple[float, float, float, float]
    score: float
    side: float
    detail: float
    light: float
    way: Literal["restored", "lit"]
    own_light: float


@dataclass(frozen=True, slots=True, eq=False)
class DoneFace:
    """A restored face (1, 3, S, S), aligned, what was done to it, and the 3D prior where it was asked for."""

    patch: Tensor
    report: FaceReport
    prior: PriorView | None


class FaceWorker:
    """One task and the network for it.

    Args:
        task: what is done.
        model: name or file of the network.
        config: how.
        device: where it runs.

    Raises:
        InputError: there is no such model.
        SettingError: a setting is for another task.
    """

    def __init__(self, task: FaceTask, model: str, config: RestoreConfig, device: torch.device) -> None:
        self.task, self.model, self.config = task, model, config
        asked = {
            "fidelity": config.fidelity is not None,
            "refine": config.refine > 0,
            "colour": config.colour,
        }
        given = [name for name, is_given in asked.items() if is_given]
        if given and task.name != "blind" and config.task != "auto":
            raise SettingError(f"--{given[0]} is for --task blind, not for {task.name}")
        self.network: Any = load_model(model, device)
        if config.fidelity is not None and task.name == "blind":
            self.network.fidelity = config.fidelity

    def __call__(self, rgb: Tensor, quiet: Tensor, faces: list[Face]) -> list[DoneFace]:
        """Every face restored; all faces of one size go through the network together.

        Args:
            rgb: the photograph (1, 3, H, W).
            quiet: the same without its noise.
        """
        source = quiet if self.task.quiet else rgb
        crops = [crop_face(source, face_matrix(face), self.task.side(native_side(face))) for face in faces]
        if self.config.refine and self.task.name == "blind":
            outputs = {i: self._refined(rgb, face, crops[i]) for i, face in enumerate(faces)}
        else:
            outputs = self._through(crops)
        done: list[DoneFace] = []
        for i, face in enumerate(faces):
            patch, report = self._finish(rgb, quiet, face, crops[i], outputs[i])
            prior = look_at_prior(self.network, crops[i], outputs[i]) if self.config.save_prior else None
            done.append(DoneFace(patch, report, prior))
        return done

    def _through(self, crops: list[Tensor]) -> dict[int, Tensor]:
        outputs: dict[int, Tensor] = {}
        for side in sorted({crop.shape[-1] for crop in crops}):
            members = [i for i, crop in enumerate(crops) if crop.shape[-1] == side]
            for start in range(0, len(members), BATCH):
                chunk = members[start : start + BATCH]
                lit = self.network(torch.cat([crops[i] for i in chunk])).clamp(0.0, 1.0)
                outputs.update((i, lit[k : k + 1]) for k, i in enumerate(chunk))
        return outputs

    def _refined(self, rgb: Tensor, face: Face, crop: Tensor) -> Tensor:
        _, detail = measure_face(rgb, face)
        return self.network.refine(crop, self.config.refine, detail=round(detail)).clamp(0.0, 1.0)

    def _finish(
        self, rgb: Tensor, quiet: Tensor, face: Face, crop: Tensor, output: Tensor
    ) -> tuple[Tensor, FaceReport]:
        light, detail = measure_face(rgb, face)
        own_light = well_lit(light)
        side = native_side(face)
        output = keep_own_light(crop, output, own_light)
        if not self.config.colour:
            output = keep_own_colour(crop, output)
        # Light and size are restored up to a size; blur, up to where a face has more detail than that.
        large = (detail if self.task.name == "blind" else side) > self.task.largest
        if large:
            matrix, size = face_matrix(face), round(side)
            small_lit = F.interpolate(output, size=crop.shape[-2:], mode="area")
            lit = transfer_light(crop_face(quiet, matrix, size), crop, small_lit)
            output = lit.lerp(crop_face(rgb, matrix, size), own_light)
        way = "lit" if large else "restored"
        return output, FaceReport(face.box, face.score, side, detail, light, way, own_light)


def measure_face(rgb: Tensor, face: Face) -> tuple[float, float]:
    """Light (mean luma of its middle, 0 to 1) and detail (pixels, see `detail_side`) of one face."""
    crop = crop_face(rgb, face_matrix(face), SIDE)
    return face_light(crop), min(detail_side(crop.cpu()), max(native_side(face), 1.0))
