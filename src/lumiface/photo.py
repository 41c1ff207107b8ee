"""Whole photographs: find the faces, restore them in batches, light the rest alike, put it all together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.face_tasks import choose_task
from lumiface.faces.align import crop_face, face_matrix, native_side
from lumiface.faces.detect import FaceDetector
from lumiface.faces.face import Face
from lumiface.faces.find import find_faces
from lumiface.faces.own import face_light, keep_own_colour, keep_own_light, well_lit
from lumiface.faces.paste import paste_face
from lumiface.image import Picture, luma, read_picture, write_picture
from lumiface.light import ToneCurve, fallback_curve, fit_curve, relight, transfer_light
from lumiface.noise import quiet_shadows
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
        light: mean luma of the face's middle before, 0 to 1.
        way: "restored" by the network; "lit": a large face, which keeps its own detail.
        own_light: 0 to 1, how much of its own light a well-lit face was left.
    """

    box: tuple[float, float, float, float]
    score: float
    side: float
    light: float
    way: Literal["restored", "lit"]
    own_light: float


@dataclass(frozen=True, slots=True, eq=False)
class Restored:
    """A restored photograph, its faces, what a person should know about it, and, where asked for, the 3D
    priors that led."""

    picture: Picture
    scale: int
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

    Raises:
        InputError: there is no such model.
        SettingError: the model was trained for another task.
    """

    def __init__(
        self, model: str | None = None, config: RestoreConfig | None = None, device: str = "cpu"
    ) -> None:
        self.config = config or RestoreConfig()
        self.device = torch.device(device)
        self.task, self.model_name = choose_task(self.config.task, model)
        self.network = load_model(self.model_name, self.device)
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
        scale = self._affordable_scale(picture, notes)
        rgb = picture.rgb.to(self.device)
        grey = picture.kind.grey or bool((rgb.amax(dim=1) - rgb.amin(dim=1)).max() == 0.0)
        plain = _enlarge(rgb, scale)
        if config.strength == 0.0:
            return Restored(_with(picture, plain, scale), scale, [], notes)

        faces = find_faces(
            rgb, self.detector, which=config.faces, min_face=config.min_face, boxes=list(boxes) or None
        )
        if not faces:
            notes.append("no face found" if config.faces != "none" else "faces left alone, as asked")
        quiet = quiet_shadows(rgb)
        patches, reports, priors = self._restore_faces(rgb, quiet, faces)
        if config.background == "keep":
            canvas = plain.clone()
        else:
            curve = _shared_curve(quiet, faces, patches) if faces else fallback_curve(rgb)
            canvas = _enlarge(relight(rgb, curve, quiet), scale)
        for face, patch in zip(faces, patches, strict=True):
            match = config.background == "light"
            pasted = paste_face(canvas, patch, face_matrix(face), scale=scale, match=match, into=True)
            canvas = pasted.canvas
        if config.strength < 1.0:
            canvas = plain.lerp(canvas, config.strength)
        if grey:
            canvas = luma(canvas).expand(-1, 3, -1, -1)
        if config.save_prior and faces and not priors:
            notes.append("no 3D prior to save: the model has none")
        return Restored(_with(picture, canvas, scale), scale, reports, notes, priors)

    def _affordable_scale(self, picture: Picture, notes: list[str]) -> int:
        height, width = picture.rgb.shape[-2:]
        wanted: int = self.config.scale or self.task.scale
        scale = wanted
        while scale > 1 and height * width * scale**2 > self.config.max_output_megapixels * 1e6:
            scale //= 2
        if scale != wanted:
            notes.append(
                f"enlarged x{scale}, not x{wanted}, which would be over "
                f"{self.config.max_output_megapixels:g} megapixels"
            )
        return scale

    def _restore_faces(
        self, rgb: Tensor, quiet: Tensor, faces: list[Face]
    ) -> tuple[list[Tensor], list[FaceReport], list[PriorView]]:
        """Every face as an aligned, restored square (1, 3, S, S); all faces of one size in one batch.

        `quiet` is the photograph `rgb` without its noise; both (1, 3, H, W).
        """
        source = quiet if self.task.quiet else rgb
        crops = [crop_face(source, face_matrix(face), self.task.side(native_side(face))) for face in faces]
        outputs: dict[int, Tensor] = {}
        for side in sorted({crop.shape[-1] for crop in crops}):
            members = [i for i, crop in enumerate(crops) if crop.shape[-1] == side]
            for start in range(0, len(members), BATCH):
                chunk = members[start : start + BATCH]
                lit = self.network(torch.cat([crops[i] for i in chunk])).clamp(0.0, 1.0)
                outputs.update((i, lit[k : k + 1]) for k, i in enumerate(chunk))
        patches: list[Tensor] = []
        reports: list[FaceReport] = []
        for i, face in enumerate(faces):
            patch, report = self._finish_face(rgb, quiet, face, crops[i], outputs[i])
            patches.append(patch)
            reports.append(report)
        views = [
            look_at_prior(self.network, crop, outputs[i])
            for i, crop in enumerate(crops)
            if self.config.save_prior
        ]
        return patches, reports, [view for view in views if view is not None]

    def _finish_face(
        self, rgb: Tensor, quiet: Tensor, face: Face, crop: Tensor, output: Tensor
    ) -> tuple[Tensor, FaceReport]:
        light = face_light(crop)
        own_light = well_lit(light)
        side = native_side(face)
        output = keep_own_colour(crop, keep_own_light(crop, output, own_light))
        large = side > self.task.largest
        if large:
            matrix, size = face_matrix(face), round(side)
            small_lit = F.interpolate(output, size=crop.shape[-2:], mode="area")
            lit = transfer_light(crop_face(quiet, matrix, size), crop, small_lit)
            output = lit.lerp(crop_face(rgb, matrix, size), own_light)
        way = "lit" if large else "restored"
        return output, FaceReport(face.box, face.score, side, light, way, own_light)


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


def _shared_curve(rgb: Tensor, faces: list[Face], patches: list[Tensor]) -> ToneCurve:
    """The one curve that did to the faces' light what the network did, from all faces together."""
    before: list[Tensor] = []
    after: list[Tensor] = []
    for face, patch in zip(faces, patches, strict=True):
        small = F.interpolate(patch, size=(24, 24), mode="area")
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
