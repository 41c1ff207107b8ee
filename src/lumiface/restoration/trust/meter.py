"""Measures how far each restored face of a photograph can be trusted, and guards its identity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, cached_property

import torch
from torch import Tensor

from lumiface.faces.face import Face
from lumiface.imaging.denoise import denoise_shadows
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.restored import RestoredFace
from lumiface.restoration.trust.consistency import consistency
from lumiface.restoration.trust.guard import lower_strength
from lumiface.restoration.trust.invention import invention_map
from lumiface.restoration.trust.limits import passed_limits
from lumiface.restoration.trust.recogniser import THRESHOLD, Recogniser, can_be_recognised, photographed_face
from lumiface.restoration.trust.trust import Trust
from lumiface.restoration.trust.variations import varied_patches

Restore = Callable[..., list[RestoredFace]]
"""As `FaceRestorer.__call__`: what restored the faces, to restore them again under small changes."""


class TrustMeter:
    """Adds `FaceReport.trust` to restored faces.

    Args:
        config: `guard` and `trust` are used.
        device: where the recogniser runs.
    """

    def __init__(self, config: RestoreConfig, device: torch.device) -> None:
        self.config, self.device = config, device

    @cached_property
    def recogniser(self) -> Recogniser:
        """Loaded when it is first needed."""
        return Recogniser(self.device)

    @torch.inference_mode()
    def __call__(
        self,
        rgb: Tensor,
        denoised: Callable[[], Tensor],
        faces: Sequence[Face],
        restored: Sequence[RestoredFace],
        restore: Restore,
    ) -> list[RestoredFace]:
        """The faces with their trust; those that the guard lowered with another patch.

        Args:
            rgb: the photograph (1, 3, H, W).
            denoised: returns the same without its noise; called only if the guard needs it.
            restored: what became of `faces`.
            restore: restores faces; called only with `trust="full"`.
        """
        compared = [
            i
            for i, done in enumerate(restored)
            if _is_changed(done) and can_be_recognised(done.report.before)
        ]
        shown = compared if self.config.trust == "identity" else range(len(faces))
        photographed = {i: photographed_face(rgb, faces[i]) for i in shown}
        seen = [photographed[i] for i in compared] + [restored[i].patch for i in compared]
        embeddings = list(self.recogniser(seen)) if seen else []
        results = list(restored)
        for number, i in enumerate(compared):
            before, after = embeddings[number], embeddings[len(compared) + number]
            trust = self._trust(restored[i], float(before @ after))
            if self.config.guard and not trust.passes:
                lowered = lower_strength(denoised(), faces[i], restored[i].patch, before, self.recogniser)
                strength = self.config.strength * lowered.strength
                trust = replace(self._trust(restored[i], lowered.identity), strength=strength)
                results[i] = replace(restored[i], patch=lowered.patch)
            results[i] = _with(results[i], trust)
        for i, done in enumerate(restored):
            if done is results[i]:
                results[i] = _with(done, self._trust(done, None if _is_changed(done) else 1.0))
        if self.config.trust == "full":
            results = [
                self._measure_fully(rgb, face, done, photographed[i], restore)
                for i, (face, done) in enumerate(zip(faces, results, strict=True))
            ]
        return results

    def _trust(self, done: RestoredFace, identity: float | None) -> Trust:
        changed, strength = _is_changed(done), self.config.strength
        limits = passed_limits(done.report.before, identity) if changed else ()
        return Trust(identity, THRESHOLD, None, None, limits, strength, strength, changed)

    def _measure_fully(
        self, rgb: Tensor, face: Face, done: RestoredFace, photographed: Tensor, restore: Restore
    ) -> RestoredFace:
        """The face with its consistency, invention map and views, unless nothing was done to it."""
        trust, measured = done.report.trust, done.report.before
        if trust is None:
            return done
        trust = replace(trust, before=photographed, after=done.patch)
        if trust.changed:

            def rerun(picture: Tensor, seen: Face) -> Tensor:
                quiet = cache(lambda: denoise_shadows(picture))
                return restore(picture, quiet, [seen], [measured])[0].patch

            variants = list(varied_patches(rgb, face, rerun))
            part = trust.strength / trust.asked if trust.asked > 0.0 else 1.0
            trust = replace(
                trust,
                consistency=consistency(photographed, done.patch, measured.side),
                # Of a blend only the drawn part is invented.
                invention=part * invention_map(done.patch, variants, photographed, measured),
            )
        return _with(done, trust)


def _is_changed(done: RestoredFace) -> bool:
    return done.report.treatment != "unchanged"


def _with(done: RestoredFace, trust: Trust) -> RestoredFace:
    return replace(done, report=replace(done.report, trust=trust))
