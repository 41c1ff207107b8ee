"""The faces of one photograph: cropped, restored in batches, with their own light and colour preserved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from lumiface.core.errors import SettingError
from lumiface.degradations.resample import resize
from lumiface.faces.align import crop_face, face_matrix
from lumiface.faces.face import Face
from lumiface.faces.measure import FaceMeasures, exposure_weight, face_whiteness, is_readable
from lumiface.registry import (
    Refinable,
    foreign_note,
    foreign_stages,
    trained_on_camera,
    working_sizes,
)
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.light.preserve import give_least_light, preserve_chroma, preserve_illumination
from lumiface.restoration.light.transfer import give_light, transfer_light
from lumiface.restoration.prior_view import render_prior_views
from lumiface.restoration.restored import FaceReport, RestoredFace
from lumiface.restoration.tasks import TOO_DARK, FaceTask, FaceTaskName, is_blurred, own_detail
from lumiface.runtimes import load_network

BATCH = 16

MEAN_UP_TO = 1.25
"""Largest dark face, in multiples of the network's output, that becomes the mean of its relit photograph and
of that output: noise and compression are halved, and so are the network's errors. Measured on 46 faces of 256
pixels, darkened as by a camera to 0.02 to 0.26 (relit, output, mean, mean with the limits of `preserve`):
EdgeFace 0.890, 0.889, 0.922, 0.918; LPIPS-squeeze 0.173, 0.117, 0.122, 0.128; PSNR-Y 21.0, 26.3, 24.9 and
25.0 dB."""

Log = Callable[[str], None]
"""Takes one line of text on the progress of slow work."""

Run = Callable[[dict[int, Tensor]], dict[int, Tensor]]
"""Crops by the places of their faces -> what a network makes of them, in [0, 1]."""


class FaceRestorer:
    """One task and the network for it.

    Args:
        task: what is done.
        model: name or file of the network.
        config: how.
        device: where it runs.
        by_detail: the detail of a blurred face, not its size, decides whether it is restored.

    Raises:
        InputError: there is no such model.
        SettingError: a setting is for another task.
    """

    def __init__(
        self,
        task: FaceTask,
        model: str,
        config: RestoreConfig,
        device: torch.device,
        *,
        by_detail: bool = False,
    ) -> None:
        self.task, self.model, self.config = task, model, config
        self.by_detail = by_detail
        requested = config.generative_options
        if requested and not task.generative and config.task != "auto":
            raise SettingError(f"--{requested[0]} is for --task blind, not for {task.name}")
        self.network: Any = load_network(model, device, config.runtime, config.precision)
        self.sizes = working_sizes(model)
        self.refinable = self.network if task.generative and isinstance(self.network, Refinable) else None
        for option in ("fidelity", "refine") if self.refinable is None and task.generative else ():
            if option in requested:
                raise SettingError(f"--{option}: {model} has no such setting; leave it out")
        if config.fidelity is not None and self.refinable is not None:
            self.refinable.fidelity = config.fidelity
        self.denoise = task.denoise and not trained_on_camera(model)

    def main_task(self, measures: list[FaceMeasures]) -> FaceTaskName:
        """The task, which is that of every face; see `AutoRestorer`."""
        return self.task.name

    def scale(self, measures: list[FaceMeasures]) -> int:
        """How many times larger the photograph becomes unless another scale is requested."""
        return self.task.scale

    def models(self, measures: list[FaceMeasures]) -> list[str]:
        """The networks that these faces go through."""
        return [self.model] if any(map(self._needs_network, measures)) else []

    def possible_models(self) -> list[str]:
        """The networks that faces can go through."""
        return [self.model]

    def notes(self, measures: list[FaceMeasures]) -> list[str]:
        """Remarks for the user: how many faces are too dark to read, and weights of another project."""
        count = sum(not is_readable(measured) for measured in measures)
        notes = [f"{count} face{'s' if count > 1 else ''} {TOO_DARK}"] if count else []
        foreign = [stage for model in self.models(measures) for stage in foreign_stages(model)]
        return [*notes, *map(foreign_note, foreign)]

    def __call__(
        self,
        rgb: Tensor,
        denoised: Callable[[], Tensor],
        faces: list[Face],
        measures: list[FaceMeasures],
        log: Log | None = None,
        *,
        input_side: int | None = None,
        run: Run | None = None,
    ) -> list[RestoredFace]:
        """Every face restored; all faces of one size go through the network together.

        Args:
            rgb: the photograph (1, 3, H, W).
            denoised: returns the same without its noise; called only if a face needs it.
            measures: of each face, as returned by `measure_face`.
            log: takes the progress of slow work.
            input_side: size at which the network sees the faces, pixels; None: by size or detail of each.
            run: takes the crops through the network, by the places of their faces; None: in batches.
        """
        seen = [i for i, measured in enumerate(measures) if self._needs_network(measured)]
        source = denoised() if self.denoise and seen else rgb
        crops = {
            i: crop_face(
                source,
                face_matrix(faces[i]),
                input_side or self.sizes.input_side(self._native_side(measures[i])),
            )
            for i in seen
        }
        if self.refinable is not None and self.config.refine:
            outputs = self._refine(self.refinable, crops, measures, log)
        else:
            outputs = (run or self._run_batched)(crops)
        restored: list[RestoredFace] = []
        for i, (face, measured) in enumerate(zip(faces, measures, strict=True)):
            drawn = (crops[i], outputs[i]) if i in outputs else None
            patch, report = self._finish(rgb, denoised, face, measured, drawn)
            prior = render_prior_views(self.network, *drawn) if drawn and self.config.save_prior else None
            restored.append(RestoredFace(patch, report, prior))
        return restored

    def _needs_network(self, measured: FaceMeasures) -> bool:
        return is_readable(measured) and (self.config.save_prior or not self._lacks_nothing(measured))

    def _lacks_nothing(self, measured: FaceMeasures) -> bool:
        """Whether a face has its light and more detail than the network gives."""
        lit = exposure_weight(measured.light, measured.highlights) >= 1.0
        return lit and self._native_side(measured) > self.sizes.trusted

    def _native_side(self, measured: FaceMeasures) -> float:
        """The size that decides whether a face is restored, and at which input size, pixels.

        That of its detail if the network is generative, or if a face is so blurred that the network was
        trained on as few pixels: reduced to them, it loses noise and compression, but nothing of its own. It
        is not reduced to less than a quarter of its size, to which the network enlarges.
        """
        detail = own_detail(measured)
        if self.task.generative:
            return detail
        if self.by_detail and is_blurred(measured) and detail <= self.sizes.largest:
            return min(max(detail, measured.side / self.task.scale), self.sizes.largest)
        return measured.side

    def _run_batched(self, crops: dict[int, Tensor]) -> dict[int, Tensor]:
        outputs: dict[int, Tensor] = {}
        for side in sorted({crop.shape[-1] for crop in crops.values()}):
            members = [i for i, crop in crops.items() if crop.shape[-1] == side]
            for start in range(0, len(members), BATCH):
                chunk = members[start : start + BATCH]
                batch = self.network(torch.cat([crops[i] for i in chunk])).clamp(0.0, 1.0)
                outputs.update((i, batch[k : k + 1]) for k, i in enumerate(chunk))
        return outputs

    def _refine(
        self,
        network: Refinable,
        crops: dict[int, Tensor],
        measures: list[FaceMeasures],
        log: Log | None,
    ) -> dict[int, Tensor]:
        outputs: dict[int, Tensor] = {}
        for number, (i, crop) in enumerate(crops.items(), start=1):

            def progress(step: int, steps: int, best: float, face: int = number) -> None:
                if log is not None:
                    log(f"face {face} of {len(crops)}: step {step} of {steps}, objective {best:.4f}")

            refined = network.refine(
                crop,
                self.config.refine,
                effective_resolution=round(own_detail(measures[i])),
                progress=progress,
            )
            outputs[i] = refined.clamp(0.0, 1.0)
        return outputs

    def _finish(
        self,
        rgb: Tensor,
        denoised: Callable[[], Tensor],
        face: Face,
        measured: FaceMeasures,
        drawn: tuple[Tensor, Tensor] | None,
    ) -> tuple[Tensor, FaceReport]:
        """The patch to paste and the report; `drawn`: what the network received and returned."""
        own_light = exposure_weight(measured.light, measured.highlights)
        matrix, size = face_matrix(face), max(1, round(measured.side))
        if self._lacks_nothing(measured):
            return unchanged_face(rgb, face, measured)
        if drawn is None:
            patch = give_light(crop_face(denoised(), matrix, size))
            return patch, FaceReport(face.box, face.score, measured, "relit", own_light, TOO_DARK)
        crop, output = drawn
        output = preserve_illumination(crop, give_least_light(output), own_light)
        if not self.config.colour:
            output = preserve_chroma(crop, output)
        # Faces with more detail than the network gives keep their own and are only relit.
        if self._native_side(measured) <= self.sizes.trusted:
            return output, FaceReport(face.box, face.score, measured, "restored", own_light, drawn=True)
        relit = transfer_light(crop_face(denoised(), matrix, size), crop, output)
        mixed = size <= MEAN_UP_TO * output.shape[-1]
        if mixed:
            # Under a coloured lamp the network draws a face in white light.
            relit = relit.lerp(resize(output, (size, size)), 0.5 * face_whiteness(crop))
        patch = relit.lerp(crop_face(rgb, matrix, size), own_light)
        return patch, FaceReport(face.box, face.score, measured, "relit", own_light, drawn=mixed)


def unchanged_face(
    rgb: Tensor, face: Face, measured: FaceMeasures, why: str = ""
) -> tuple[Tensor, FaceReport]:
    """The patch and the report of a face that lacks nothing: its own pixels."""
    patch = crop_face(rgb, face_matrix(face), max(1, round(measured.side)))
    return patch, FaceReport(face.box, face.score, measured, "unchanged", 1.0, why)
