"""Whole photographs: detect faces, restore them in batches, relight the background, paste the faces back."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial
from io import BytesIO
from os import PathLike
from typing import Any, BinaryIO, overload

import torch
from torch import Tensor

from lumiface.core.device import choose_device
from lumiface.core.errors import SettingError
from lumiface.core.forks import refuse_gpu
from lumiface.core.memory import free_memory, release_memory
from lumiface.faces.align import face_matrix
from lumiface.faces.detectors.choice import load_detector
from lumiface.faces.face import Face
from lumiface.faces.measure import measure_face
from lumiface.faces.paste import paste_face
from lumiface.faces.upright import UprightFaces, find_upright
from lumiface.imaging.color import is_grey, luma
from lumiface.imaging.denoise import denoise_shadows
from lumiface.imaging.eight_bits import as_eight_bits
from lumiface.imaging.exchange import Same, open_any
from lumiface.imaging.io import Picture
from lumiface.imaging.strips import in_strips
from lumiface.imaging.threads import in_threads
from lumiface.restoration.auto_restorer import AutoRestorer
from lumiface.restoration.background import Background, replace_pixels
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.face_restorer import FaceRestorer, Log
from lumiface.restoration.light.surroundings import light_surroundings, tone_of_surroundings
from lumiface.restoration.light.tone_map import ToneMap
from lumiface.restoration.memory import MemoryWarning, limit_scale, may_overwrite
from lumiface.restoration.provenance.mark import mark_result
from lumiface.restoration.restored import Restored, RestoredFace, hand_back
from lumiface.restoration.tasks import resolve_task
from lumiface.restoration.trust.meter import TrustMeter
from lumiface.restoration.turned import rotated_report, turn_picture, turn_report, turned_notes
from lumiface.runtimes import Runtime, check_runtime

NO_FACE = (
    "no face found, neither as it is nor brightened nor turned: only light given; name a face with --box"
)
"""What is said of a photograph in which the detector finds no face."""

Box = tuple[float, float, float, float]


class Restorer:
    """Restores photographs; loads its networks once.

    Args:
        model: a name of `list_models()`, a file written by `lumiface train`, or weights of another project
            that spandrel knows; None takes the best shipped model for the task; without a task either, each
            face gets what it lacks (`task="auto"`).
        config: options; see `RestoreConfig`.
        device: where the networks run: "cpu", "cuda", "cuda:1", "mps", or "auto": a GPU if there is one.
        runtime: what runs the networks on the CPU, instead of the one of `config`.

    Attributes:
        face_restorer: the task and its network, or what chooses them for each face (`task="auto"`).
        log: takes one line of text on the progress of slow work (`refine`); None (default): none is sent.
        warn: takes one line on a photograph that needs much memory, before the work; by default a warning of
            Python.

    Raises:
        AssetMissing: the detector asked for needs a file that is missing and cannot be downloaded.
        InputError: there is no such model.
        SettingError: the model was trained for another task, a model is named together with `task="auto"`, or
            there is no such device or runtime on this machine.
    """

    def __init__(
        self,
        model: str | None = None,
        config: RestoreConfig | None = None,
        device: str | torch.device = "cpu",
        *,
        runtime: Runtime | None = None,
    ) -> None:
        self.config = config or RestoreConfig()
        if runtime is not None:
            self.config = self.config.model_copy(update={"runtime": runtime})
        if self.config.task is None and model is None:
            chosen = "blind" if self.config.generative_options else "auto"
            self.config = self.config.model_copy(update={"task": chosen})
        self.device = choose_device(device)
        check_runtime(self.config.runtime, self.config.precision, self.device)
        self.log: Log | None = None
        self.warn: Log = _warn
        self._memory_warning = MemoryWarning()
        self.face_restorer: FaceRestorer | AutoRestorer
        if self.config.task != "auto":
            self.face_restorer = FaceRestorer(
                *resolve_task(self.config.task, model), self.config, self.device
            )
        elif model is not None:
            raise SettingError(f"--task auto chooses the model itself; leave out {model}, or name a task")
        else:
            self.face_restorer = AutoRestorer(self.config, self.device)
        self.enlarge = Background(
            self.config.background_model, self.device, self.config.runtime, self.config.precision
        )
        self.trust_meter = TrustMeter(self.config, self.device)
        self.detector = load_detector(self.config.detector, min_face=self.config.min_face).to(self.device)

    @overload
    def __call__(
        self, picture: str | PathLike[str] | Picture, boxes: Sequence[Box] = (), scale: int | None = None
    ) -> Restored[Picture]: ...
    @overload
    def __call__(
        self, picture: Same, boxes: Sequence[Box] = (), scale: int | None = None
    ) -> Restored[Same]: ...
    @overload
    def __call__(
        self, picture: BinaryIO, boxes: Sequence[Box] = (), scale: int | None = None
    ) -> Restored[BytesIO]: ...
    def __call__(self, picture: Any, boxes: Sequence[Box] = (), scale: int | None = None) -> Restored[Any]:
        """Restore one photograph: brighter, sharper and, by the scale, larger.

        Args:
            picture: a path, a `Picture`, the bytes of an image file, a binary file object, an image of
                Pillow, or an RGB array: (H, W), (H, W, 3) or (H, W, 4), of uint8, uint16 or floats from 0
                to 1.
            boxes: manually specified faces, x, y, width, height in pixels; they replace detection.
            scale: 1, 2 or 4, instead of the one of `config` or of the faces: that of the first frame, say.

        Returns:
            the result, its `picture` of the same kind as the one given.

        Raises:
            InputError: the picture cannot be read, or is of no kind, shape, type or range described above.
            SettingError: there is no such scale, or the networks are on a GPU, and this process was forked
                since.
        """
        if scale not in (None, 1, 2, 4):
            raise SettingError(f"scale {scale}: the scales are 1, 2 and 4")
        refuse_gpu(self.device)
        decoded, back = open_any(picture)
        if picture is decoded:
            return self._restore(decoded, boxes, scale)
        result = self._restore(replace(decoded, spare=True), boxes, scale)
        return hand_back(result, back)

    @torch.inference_mode()
    def _restore(self, picture: Picture, boxes: Sequence[Box], scale: int | None) -> Restored[Picture]:
        config = self.config
        found = UprightFaces(0, [])
        if config.strength > 0.0 or config.task == "auto":
            found = find_upright(
                picture.rgb.to(self.device),
                self.detector,
                which=config.faces,
                min_face=config.min_face,
                boxes=list(boxes) or None,
            )
        result = self._restore_upright(turn_picture(picture, found.quarters), found, scale)
        return mark_result(result, picture, self)

    def _restore_upright(
        self, picture: Picture, found: UprightFaces, wanted: int | None
    ) -> Restored[Picture]:
        """Restore a photograph that was turned to set its faces upright; the result is turned back."""
        config, faces = self.config, found.faces

        def result(canvas: Tensor) -> Picture:
            return turn_picture(replace_pixels(picture, canvas, scale), -found.quarters)

        notes: list[str] = []
        rgb = picture.rgb.to(self.device)
        measures = in_threads(partial(measure_face, rgb), faces, rgb.device)
        notes += self.face_restorer.notes(measures)
        task = self.face_restorer.main_task(measures)
        wanted = wanted or self.config.scale or self.face_restorer.scale(measures)
        scale = limit_scale(picture, wanted, config.max_output_megapixels, notes)
        grey = picture.info.grey or is_grey(rgb)
        if (line := self._memory_warning(picture, scale, free_memory(self.device))) is not None:
            self.warn(line)
        if config.strength == 0.0:
            return Restored(result(self.enlarge(rgb, scale)), scale, task, [], notes)

        if not faces and not found.rotated:
            notes.append(NO_FACE if config.faces != "none" else "faces not restored, as requested")
        release_memory()
        small = as_eight_bits(rgb) if may_overwrite(picture, config) else None
        rgb, quiet = (rgb, None) if small is None else (small, rgb)
        denoised = cache(lambda: denoise_shadows(rgb, quiet))
        restored = self.face_restorer(rgb, denoised, faces, measures, self.log)
        restored = self.trust_meter(rgb, denoised, faces, restored, self.face_restorer)
        canvas = self.paint(rgb, denoised, faces, restored, scale)
        if grey and not config.colour:
            in_strips(lambda part: luma(part).expand_as(part), canvas, out=canvas)
        priors = [face.prior for face in restored if face.prior is not None]
        if config.save_prior and faces and not priors:
            notes.append("no 3D prior to save: the model has none")
        reports = [face.report for face in restored]
        reports += [rotated_report(face, measure_face(rgb, face)) for face in found.rotated]
        height, width = rgb.shape[-2:]
        reports = [
            turn_report(report, face, found.quarters, width, height)
            for report, face in zip(reports, faces + found.rotated, strict=True)
        ]
        notes += turned_notes(reports)
        return Restored(result(canvas), scale, task, reports, notes, priors)

    def paint(
        self,
        rgb: Tensor,
        denoised: Callable[[], Tensor],
        faces: list[Face],
        restored: list[RestoredFace],
        scale: int,
        tone: ToneMap | None = None,
    ) -> Tensor:
        """The photograph (1, 3, H, W) enlarged and relit, with the restored faces pasted in.

        Args:
            denoised: returns the photograph without its noise, which is overwritten.
            tone: the light around the faces; by default what was done to them.
        """
        config = self.config
        changed = [
            pair for pair in zip(faces, restored, strict=True) if pair[1].report.treatment != "unchanged"
        ]
        keep = config.background == "keep" or (bool(faces) and not changed)
        enlarged = self.enlarge(rgb[..., :, :], scale) if keep or config.strength < 1.0 else None
        if keep and enlarged is not None:
            canvas = enlarged.clone()
        else:
            if tone is None:
                patches = [face.patch for face in restored]
                kept = [face.report.own_light for face in restored]
                tone = tone_of_surroundings(rgb, denoised(), faces, patches, kept)
            release_memory()
            canvas = self.enlarge(light_surroundings(rgb, denoised(), tone), scale)
        for face, done in changed:
            match = config.background == "light"
            pasted = paste_face(
                canvas, done.patch, face_matrix(face), scale=scale, match=match, in_place=True
            )
            canvas = pasted.canvas
        if enlarged is None:
            return canvas
        return in_strips(
            lambda before, after: before.lerp(after, config.strength), enlarged, canvas, out=canvas
        )


def _warn(line: str) -> None:
    warnings.warn(line, stacklevel=4)  # where `Restorer` or `restore` is called
