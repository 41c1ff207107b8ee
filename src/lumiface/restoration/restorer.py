"""Whole photographs: detect faces, restore them in batches, relight the background, paste the faces back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import torch
from torch import Tensor

from lumiface.core.errors import SettingError
from lumiface.faces.align import face_matrix
from lumiface.faces.detect import FaceDetector
from lumiface.faces.face import Face
from lumiface.faces.find import find_faces
from lumiface.faces.measure import measure_face
from lumiface.faces.paste import paste_face
from lumiface.imaging.color import luma
from lumiface.imaging.denoise import denoise_shadows
from lumiface.imaging.io import Picture, read_picture, write_picture
from lumiface.restoration.auto_restorer import AutoRestorer
from lumiface.restoration.background import Background, enlarge_bicubic
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.face_restorer import FaceReport as FaceReport
from lumiface.restoration.face_restorer import FaceRestorer, Log
from lumiface.restoration.face_restorer import RestoredFace as RestoredFace
from lumiface.restoration.prior_view import PriorView
from lumiface.restoration.relight import relight
from lumiface.restoration.tasks import FaceTaskName, resolve_task
from lumiface.restoration.tone_curve import fallback_curve
from lumiface.restoration.tone_map import tone_of_faces, uniform_tone

NO_FACE = "no face found, neither as it is nor brightened: only light given; name a face with --box"
"""What is said of a photograph in which the detector finds no face."""


@dataclass(frozen=True, slots=True, eq=False)
class Restored:
    """A restored photograph.

    Attributes:
        picture: the result.
        scale: size of the result over size of the input.
        task: the task that was performed; with `task="auto"` that of the largest face, None if it lacks
            nothing.
        faces: one report per face.
        notes: remarks for the user, such as NO_FACE.
        priors: the 3D prior of each face, if `save_prior` is set and the model has one.
    """

    picture: Picture
    scale: int
    task: FaceTaskName | None
    faces: list[FaceReport] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    priors: list[PriorView] = field(default_factory=list)


class Restorer:
    """Restores photographs; loads its networks once.

    Args:
        model: a name of `list_models()`, or a file written by `lumiface train`; None takes the best shipped
            model for the task; without a task either, each face gets what it lacks (`task="auto"`).
        config: options; see `RestoreConfig`.
        device: where the networks run, e.g. "cpu" or "cuda".

    Attributes:
        face_restorer: the task and its network, or what chooses them for each face (`task="auto"`).
        log: takes one line of text on the progress of slow work (`refine`); None (default): none is sent.

    Raises:
        InputError: there is no such model.
        SettingError: the model was trained for another task, or a model is named together with `task="auto"`.
    """

    def __init__(
        self, model: str | None = None, config: RestoreConfig | None = None, device: str = "cpu"
    ) -> None:
        self.config = config or RestoreConfig()
        if self.config.task is None and model is None:
            chosen = "blind" if self.config.generative_options else "auto"
            self.config = self.config.model_copy(update={"task": chosen})
        self.device = torch.device(device)
        self.log: Log | None = None
        self.face_restorer: FaceRestorer | AutoRestorer
        if self.config.task != "auto":
            self.face_restorer = FaceRestorer(
                *resolve_task(self.config.task, model), self.config, self.device
            )
        elif model is not None:
            raise SettingError(f"--task auto chooses the model itself; leave out {model}, or name a task")
        else:
            self.face_restorer = AutoRestorer(self.config, self.device)
        self.enlarge = Background(self.config.background_model, self.device)
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
        if config.strength > 0.0 or config.task == "auto":
            faces = find_faces(
                rgb, self.detector, which=config.faces, min_face=config.min_face, boxes=list(boxes) or None
            )
        measures = [measure_face(rgb, face) for face in faces]
        notes += self.face_restorer.notes(measures)
        task = self.face_restorer.main_task(measures)
        scale = self._limit_scale(picture, self.face_restorer.scale(measures), notes)
        grey = picture.info.grey or bool((rgb.amax(dim=1) - rgb.amin(dim=1)).max() == 0.0)
        if config.strength == 0.0:
            return Restored(_replace_pixels(picture, self.enlarge(rgb, scale), scale), scale, task, [], notes)

        if not faces:
            notes.append(NO_FACE if config.faces != "none" else "faces not restored, as requested")
        denoised = cache(lambda: denoise_shadows(rgb))
        restored = self.face_restorer(rgb, denoised, faces, measures, self.log)
        lacking = [
            pair for pair in zip(faces, restored, strict=True) if pair[1].report.treatment != "unchanged"
        ]
        keep = config.background == "keep" or (bool(faces) and not lacking)
        enlarged = self.enlarge(rgb, scale) if keep or config.strength < 1.0 else None
        if keep and enlarged is not None:
            canvas = enlarged.clone()
        else:
            if faces:
                patches = [result.patch for result in restored]
                kept = [result.report.own_light for result in restored]
                tone = tone_of_faces(denoised(), faces, patches, kept)
            else:
                tone = uniform_tone(fallback_curve(rgb))
            canvas = self.enlarge(relight(rgb, tone, denoised()), scale)
        for face, result in lacking:
            match = config.background == "light"
            pasted = paste_face(
                canvas, result.patch, face_matrix(face), scale=scale, match=match, in_place=True
            )
            canvas = pasted.canvas
        if config.strength < 1.0 and enlarged is not None:
            canvas = enlarged.lerp(canvas, config.strength)
        if grey and not config.colour:
            canvas = luma(canvas).expand(-1, 3, -1, -1)
        priors = [result.prior for result in restored if result.prior is not None]
        if config.save_prior and faces and not priors:
            notes.append("no 3D prior to save: the model has none")
        reports = [result.report for result in restored]
        return Restored(_replace_pixels(picture, canvas, scale), scale, task, reports, notes, priors)

    def _limit_scale(self, picture: Picture, usual: int, notes: list[str]) -> int:
        """The requested scale, halved until the result fits `max_output_megapixels`."""
        height, width = picture.rgb.shape[-2:]
        requested: int = self.config.scale or usual
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


def _replace_pixels(picture: Picture, rgb: Tensor, scale: int) -> Picture:
    """The picture with other pixels and the alpha channel enlarged to match."""
    alpha = None if picture.alpha is None else enlarge_bicubic(picture.alpha, scale)
    return Picture(rgb.cpu(), alpha, picture.info)
