"""Whole photographs: find the faces, restore them in batches, light the rest alike, put it all together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.core.errors import SettingError
from lumiface.faces.align import crop_face, face_matrix
from lumiface.faces.detect import FaceDetector
from lumiface.faces.face import Face
from lumiface.faces.find import find_faces
from lumiface.faces.measure import FaceMeasures, measure_face
from lumiface.faces.paste import paste_face
from lumiface.imaging.color import luma
from lumiface.imaging.denoise import denoise_shadows
from lumiface.imaging.io import Picture, read_picture, write_picture
from lumiface.registry import default_model
from lumiface.restore.config import RestoreConfig
from lumiface.restore.face_restorer import FaceReport as FaceReport
from lumiface.restore.face_restorer import FaceRestorer, Told
from lumiface.restore.face_restorer import RestoredFace as RestoredFace
from lumiface.restore.prior_view import PriorView
from lumiface.restore.relight import ToneCurve, fallback_curve, fit_curve, relight
from lumiface.restore.tasks import FACE_TASKS, FaceTaskName, available_tasks, resolve_task, select_task


@dataclass(frozen=True, slots=True, eq=False)
class Restored:
    """A restored photograph.

    Attributes:
        picture: the photograph.
        scale: how many times larger it is.
        task: what was done.
        faces: what was done to each face.
        notes: what a person should know about it.
        priors: the 3D priors that led, where they were asked for.
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
        model: a name of `list_models()`, or a file that `lumiface train` wrote; None takes the best that
            ships for the task.
        config: how; see `RestoreConfig`.
        device: where the networks run, e.g. "cpu" or "cuda".

    Attributes:
        worker: the one task and its network; None where each photograph chooses (`task="auto"`).
        tell: hears how far slow work (`refine`) is; None, until it is set.

    Raises:
        InputError: there is no such model.
        SettingError: the model was trained for another task, or is named where the task is to be chosen.
    """

    def __init__(
        self, model: str | None = None, config: RestoreConfig | None = None, device: str = "cpu"
    ) -> None:
        self.config = config or RestoreConfig()
        self.device = torch.device(device)
        self.tell: Told | None = None
        self.worker: FaceRestorer | None = None
        if self.config.task != "auto":
            self.worker = FaceRestorer(*resolve_task(self.config.task, model), self.config, self.device)
        elif model is not None:
            raise SettingError(f"--task auto chooses the model by itself; leave out {model}, or name a task")
        # What there is to choose from, and what was chosen before.
        self._served = available_tasks() if self.worker is None else []
        self._workers: dict[FaceTaskName, FaceRestorer] = {}
        self.detector = FaceDetector(min_face=self.config.min_face).eval().to(self.device)

    @torch.inference_mode()
    def __call__(self, picture: Picture, boxes: Sequence[tuple[float, float, float, float]] = ()) -> Restored:
        """One photograph in, the same photograph bright, sharp and larger out.

        Args:
            picture: as `read_picture` gives it.
            boxes: faces pointed out by hand, x, y, width, height in pixels; the detector is not asked then.
        """
        config = self.config
        notes: list[str] = []
        rgb = picture.rgb.to(self.device)
        faces: list[Face] = []
        if config.strength > 0.0 or self.worker is None:
            faces = find_faces(
                rgb, self.detector, which=config.faces, min_face=config.min_face, boxes=list(boxes) or None
            )
        measures = [measure_face(rgb, face) for face in faces]
        worker = self.worker or self._advised(measures, notes)
        scale = self._affordable_scale(picture, worker, notes)
        grey = picture.kind.grey or bool((rgb.amax(dim=1) - rgb.amin(dim=1)).max() == 0.0)
        plain = _enlarge(rgb, scale)
        if config.strength == 0.0:
            return Restored(_with(picture, plain, scale), scale, worker.task.name, [], notes)

        if not faces:
            notes.append("no face found" if config.faces != "none" else "faces left alone, as asked")
        quiet = denoise_shadows(rgb)
        done = worker(rgb, quiet, faces, measures, self.tell)
        if config.background == "keep":
            canvas = plain.clone()
        else:
            curve = _shared_curve(quiet, faces, done) if faces else fallback_curve(rgb)
            canvas = _enlarge(relight(rgb, curve, quiet), scale)
        for face, one in zip(faces, done, strict=True):
            match = config.background == "light"
            pasted = paste_face(canvas, one.patch, face_matrix(face), scale=scale, match=match, into=True)
            canvas = pasted.canvas
        if config.strength < 1.0:
            canvas = plain.lerp(canvas, config.strength)
        if grey and not config.colour:
            canvas = luma(canvas).expand(-1, 3, -1, -1)
        priors = [one.prior for one in done if one.prior is not None]
        if config.save_prior and faces and not priors:
            notes.append("no 3D prior to save: the model has none")
        reports = [one.report for one in done]
        return Restored(_with(picture, canvas, scale), scale, worker.task.name, reports, notes, priors)

    def _advised(self, faces: list[FaceMeasures], notes: list[str]) -> FaceRestorer:
        """The worker that serves the photograph's main face best, of those that a model ships for."""
        advice = select_task(max(faces, key=lambda face: face.side, default=None), self._served)
        notes.append(f"auto: {advice.task} ({advice.why})")
        if advice.task not in self._workers:
            task = FACE_TASKS[advice.task]
            self._workers[advice.task] = FaceRestorer(
                task, default_model(task.training_task), self.config, self.device
            )
        return self._workers[advice.task]

    def _affordable_scale(self, picture: Picture, worker: FaceRestorer, notes: list[str]) -> int:
        height, width = picture.rgb.shape[-2:]
        wanted: int = self.config.scale or worker.task.scale
        scale = wanted
        while scale > 1 and height * width * scale**2 > self.config.max_output_megapixels * 1e6:
            scale //= 2
        if scale != wanted:
            notes.append(
                f"enlarged x{scale}, not x{wanted}, which would be over "
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
        source: a picture file.
        target: where the result goes, in the format of its suffix; None writes nothing.
        model, config: see `Restorer`.

    Raises:
        InputError: `source` cannot be used; the line says why and what to do.
        OutputError: `target` cannot be written.
    """
    result = Restorer(model, config)(read_picture(source))
    if target is not None:
        write_picture(result.picture, target)
    return result


def _shared_curve(rgb: Tensor, faces: list[Face], done: list[RestoredFace]) -> ToneCurve:
    """The one curve that did to the faces' light what the network did, from all faces together."""
    before: list[Tensor] = []
    after: list[Tensor] = []
    for face, one in zip(faces, done, strict=True):
        small = F.interpolate(one.patch, size=(24, 24), mode="area")
        native = crop_face(rgb, face_matrix(face), 24)
        before.append(native.flatten(2)[0].T)
        after.append(small.flatten(2)[0].T)
    return fit_curve(torch.cat(before).cpu(), torch.cat(after).cpu())


def _enlarge(rgb: Tensor, scale: int) -> Tensor:
    """Bicubic enlargement; the picture itself at scale 1."""
    if scale == 1:
        return rgb
    size = (rgb.shape[-2] * scale, rgb.shape[-1] * scale)
    return F.interpolate(rgb, size=size, mode="bicubic", align_corners=False).clamp(0.0, 1.0)


def _with(picture: Picture, rgb: Tensor, scale: int) -> Picture:
    """The picture with other pixels; its alpha grows along."""
    alpha = None if picture.alpha is None else _enlarge(picture.alpha, scale)
    return Picture(rgb.cpu(), alpha, picture.kind)
