"""Whole photographs: detect faces, restore them in batches, relight the background, paste the faces back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.core.errors import SettingError
from lumiface.faces.align import face_matrix
from lumiface.faces.detect import FaceDetector
from lumiface.faces.face import Face
from lumiface.faces.find import find_faces
from lumiface.faces.measure import FaceMeasures, measure_face
from lumiface.faces.paste import paste_face
from lumiface.imaging.color import luma
from lumiface.imaging.denoise import denoise_shadows
from lumiface.imaging.io import Picture, read_picture, write_picture
from lumiface.registry import default_model
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.face_restorer import FaceReport as FaceReport
from lumiface.restoration.face_restorer import FaceRestorer, Log
from lumiface.restoration.face_restorer import RestoredFace as RestoredFace
from lumiface.restoration.prior_view import PriorView
from lumiface.restoration.relight import relight
from lumiface.restoration.tasks import FACE_TASKS, FaceTaskName, available_tasks, resolve_task, select_task
from lumiface.restoration.tone_curve import fallback_curve
from lumiface.restoration.tone_map import tone_of_faces, uniform_tone


@dataclass(frozen=True, slots=True, eq=False)
class Restored:
    """A restored photograph.

    Attributes:
        picture: the result.
        scale: size of the result over size of the input.
        task: the task that was performed.
        faces: one report per face.
        notes: remarks for the user, such as "no face found".
        priors: the 3D prior of each face, if `save_prior` is set and the model has one.
    """

    picture: Picture
    scale: int
    task: FaceTaskName
    faces: list[FaceReport] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    priors: list[PriorView] = field(default_factory=list)


class Restorer:
    """Restores photographs; loads its networks once.

    Args:
        model: a name of `list_models()`, or a file written by `lumiface train`; None takes the best shipped
            model for the task.
        config: options; see `RestoreConfig`.
        device: where the networks run, e.g. "cpu" or "cuda".

    Attributes:
        face_restorer: the task and its network; None if the task is chosen per photograph (`task="auto"`).
        log: takes one line of text on the progress of slow work (`refine`); None (default): none is sent.

    Raises:
        InputError: there is no such model.
        SettingError: the model was trained for another task, or a model is named together with `task="auto"`.
    """

    def __init__(
        self, model: str | None = None, config: RestoreConfig | None = None, device: str = "cpu"
    ) -> None:
        self.config = config or RestoreConfig()
        self.device = torch.device(device)
        self.log: Log | None = None
        self.face_restorer: FaceRestorer | None = None
        if self.config.task != "auto":
            self.face_restorer = FaceRestorer(
                *resolve_task(self.config.task, model), self.config, self.device
            )
        elif model is not None:
            raise SettingError(f"--task auto chooses the model itself; leave out {model}, or name a task")
        # For `task="auto"`: the tasks to choose from, and the networks loaded so far.
        self._available_tasks = available_tasks() if self.face_restorer is None else {}
        self._loaded: dict[FaceTaskName, FaceRestorer] = {}
        self.detector = FaceDetector(min_face=self.config.min_face).eval().to(self.device)

    @torch.inference_mode()
    def __call__(self, picture: Picture, boxes: Sequence[tuple[float, float, float, float]] = ()) -> Restored:
        """Restore one photograph: brighter, sharper and, by the scale, larger.

        Args:
            picture: as returned by `read_picture`.
            boxes: manually specified faces, x, y, width, height in pixels; they replace detection.
        """
        config = self.config
        notes: list[str] = []
        rgb = picture.rgb.to(self.device)
        faces: list[Face] = []
        if config.strength > 0.0 or self.face_restorer is None:
            faces = find_faces(
                rgb, self.detector, which=config.faces, min_face=config.min_face, boxes=list(boxes) or None
            )
        measures = [measure_face(rgb, face) for face in faces]
        face_restorer = self.face_restorer or self._select(measures, notes)
        scale = self._limit_scale(picture, face_restorer, notes)
        grey = picture.info.grey or bool((rgb.amax(dim=1) - rgb.amin(dim=1)).max() == 0.0)
        enlarged = _enlarge(rgb, scale)
        task = face_restorer.task.name
        if config.strength == 0.0:
            return Restored(_replace_pixels(picture, enlarged, scale), scale, task, [], notes)

        if not faces:
            notes.append("no face found" if config.faces != "none" else "faces not restored, as requested")
        denoised = denoise_shadows(rgb)
        restored = face_restorer(rgb, denoised, faces, measures, self.log)
        if config.background == "keep":
            canvas = enlarged.clone()
        else:
            if faces:
                patches = [result.patch for result in restored]
                kept = [result.report.own_light for result in restored]
                tone = tone_of_faces(denoised, faces, patches, kept)
            else:
                tone = uniform_tone(fallback_curve(rgb))
            canvas = _enlarge(relight(rgb, tone, denoised), scale)
        for face, result in zip(faces, restored, strict=True):
            match = config.background == "light"
            pasted = paste_face(
                canvas, result.patch, face_matrix(face), scale=scale, match=match, in_place=True
            )
            canvas = pasted.canvas
        if config.strength < 1.0:
            canvas = enlarged.lerp(canvas, config.strength)
        if grey and not config.colour:
            canvas = luma(canvas).expand(-1, 3, -1, -1)
        priors = [result.prior for result in restored if result.prior is not None]
        if config.save_prior and faces and not priors:
            notes.append("no 3D prior to save: the model has none")
        reports = [result.report for result in restored]
        return Restored(_replace_pixels(picture, canvas, scale), scale, task, reports, notes, priors)

    def _select(self, faces: list[FaceMeasures], notes: list[str]) -> FaceRestorer:
        """`task="auto"`: the task that suits the photograph's main face, among those with a shipped model."""
        choice = select_task(max(faces, key=lambda face: face.side, default=None), self._available_tasks)
        notes.append(f"auto: {choice.task} ({choice.why})")
        if choice.task not in self._loaded:
            task = FACE_TASKS[choice.task]
            self._loaded[choice.task] = FaceRestorer(
                task, default_model(task.training_task), self.config, self.device
            )
        return self._loaded[choice.task]

    def _limit_scale(self, picture: Picture, face_restorer: FaceRestorer, notes: list[str]) -> int:
        """The requested scale, halved until the result fits `max_output_megapixels`."""
        height, width = picture.rgb.shape[-2:]
        requested: int = self.config.scale or face_restorer.task.scale
        scale = requested
        while scale > 1 and height * width * scale**2 > self.config.max_output_megapixels * 1e6:
            scale //= 2
        if scale != requested:
            notes.append(
                f"enlarged x{scale} instead of x{requested}, which would exceed "
                f"{self.config.max_output_megapixels:g} megapixels"
            )
        return scale


def restore(
    source: str | Path,
    target: str | Path | None = None,
    model: str | None = None,
    config: RestoreConfig | None = None,
) -> Restored:
    """Restore one photograph: `restore("party.jpg", "party-bright.jpg")`.

    Args:
        source: an image file.
        target: output file, in the format of its suffix; None writes nothing.
        model, config: see `Restorer`.

    Raises:
        InputError: `source` cannot be used; the message gives the reason and the fix.
        OutputError: `target` cannot be written.
    """
    result = Restorer(model, config)(read_picture(source))
    if target is not None:
        write_picture(result.picture, target)
    return result


def _enlarge(rgb: Tensor, scale: int) -> Tensor:
    """Bicubic enlargement; the input itself at scale 1."""
    if scale == 1:
        return rgb
    size = (rgb.shape[-2] * scale, rgb.shape[-1] * scale)
    return F.interpolate(rgb, size=size, mode="bicubic", align_corners=False).clamp(0.0, 1.0)


def _replace_pixels(picture: Picture, rgb: Tensor, scale: int) -> Picture:
    """The picture with other pixels and the alpha channel enlarged to match."""
    alpha = None if picture.alpha is None else _enlarge(picture.alpha, scale)
    return Picture(rgb.cpu(), alpha, picture.info)
