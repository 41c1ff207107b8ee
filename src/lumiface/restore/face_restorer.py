"""The faces of one photograph: cut out, put through a network in batches, given back what is their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.core.errors import SettingError
from lumiface.faces.align import crop_face, face_matrix
from lumiface.faces.face import Face
from lumiface.faces.measure import FaceMeasures, exposure_weight
from lumiface.registry import load_model, trained_on_camera
from lumiface.restore.config import RestoreConfig
from lumiface.restore.preserve import preserve_chroma, preserve_illumination
from lumiface.restore.prior_view import PriorView, render_prior_views
from lumiface.restore.relight import transfer_light
from lumiface.restore.tasks import FaceTask

BATCH = 16

Told = Callable[[str], None]
"""Hears, in a few words, how far slow work is."""


@dataclass(frozen=True, slots=True)
class FaceReport:
    """What was done to one face.

    Attributes:
        box: x1, y1, x2, y2 in pixels of the photograph.
        score: the detector's certainty, 0 to 1.
        before: size, light and detail of the face in the photograph.
        way: "restored" by the network; "lit": a large face, which keeps its own detail.
        own_light: 0 to 1, how much of its own light a well-lit face was left.
    """

    box: tuple[float, float, float, float]
    score: float
    before: FaceMeasures
    treatment: Literal["restored", "lit"]
    own_light: float


@dataclass(frozen=True, slots=True, eq=False)
class RestoredFace:
    """A restored face (1, 3, S, S), aligned, what was done to it, and the 3D prior where it was asked for."""

    patch: Tensor
    report: FaceReport
    prior: PriorView | None


class FaceRestorer:
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
        if given and not task.generative and config.task != "auto":
            raise SettingError(f"--{given[0]} is for --task blind, not for {task.name}")
        self.network: Any = load_model(model, device)
        if config.fidelity is not None and task.generative:
            self.network.fidelity = config.fidelity
        self.refine = config.refine if task.generative else 0
        self.quiet = task.quiet and not trained_on_camera(model)

    def __call__(
        self,
        rgb: Tensor,
        quiet: Tensor,
        faces: list[Face],
        measures: list[FaceMeasures],
        tell: Told | None = None,
    ) -> list[RestoredFace]:
        """Every face restored; all faces of one size go through the network together.

        Args:
            rgb: the photograph (1, 3, H, W).
            quiet: the same without its noise.
            measures: of each face, as `measure_face` gives them.
            tell: hears how far slow work is.
        """
        source = quiet if self.quiet else rgb
        crops = [
            crop_face(source, face_matrix(face), self.task.side(seen.side))
            for face, seen in zip(faces, measures, strict=True)
        ]
        outputs = self._refined(crops, measures, tell) if self.refine else self._through(crops)
        done: list[RestoredFace] = []
        for i, (face, seen) in enumerate(zip(faces, measures, strict=True)):
            patch, report = self._finish(rgb, quiet, face, seen, crops[i], outputs[i])
            prior = render_prior_views(self.network, crops[i], outputs[i]) if self.config.save_prior else None
            done.append(RestoredFace(patch, report, prior))
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

    def _refined(
        self, crops: list[Tensor], measures: list[FaceMeasures], tell: Told | None
    ) -> dict[int, Tensor]:
        outputs: dict[int, Tensor] = {}
        for i, (crop, seen) in enumerate(zip(crops, measures, strict=True)):

            def told(step: int, steps: int, best: float, face: int = i + 1) -> None:
                if tell is not None:
                    tell(
                        f"face {face} of {len(crops)}: step {step} of {steps}, {best:.4f} from the photograph"
                    )

            refined = self.network.refine(crop, self.refine, detail=round(seen.detail), tell=told)
            outputs[i] = refined.clamp(0.0, 1.0)
        return outputs

    def _finish(
        self, rgb: Tensor, quiet: Tensor, face: Face, seen: FaceMeasures, crop: Tensor, output: Tensor
    ) -> tuple[Tensor, FaceReport]:
        own_light = exposure_weight(seen.light)
        output = preserve_illumination(crop, output, own_light)
        if not self.config.colour:
            output = preserve_chroma(crop, output)
        # Light and size are restored up to a size; blur, up to where a face has more detail than that.
        large = (seen.detail if self.task.generative else seen.side) > self.task.largest
        if large:
            matrix, size = face_matrix(face), round(seen.side)
            small_lit = F.interpolate(output, size=crop.shape[-2:], mode="area")
            lit = transfer_light(crop_face(quiet, matrix, size), crop, small_lit)
            output = lit.lerp(crop_face(rgb, matrix, size), own_light)
        way = "lit" if large else "restored"
        return output, FaceReport(face.box, face.score, seen, way, own_light)
