"""The figures of trust: consistency, the invention map, the guard, and what is said of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from helpers import rand
from lumiface.evaluation.studies.ways import aligned_face
from lumiface.faces.measure import FaceMeasures, measure_face
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.restored import FaceReport, RestoredFace
from lumiface.restoration.trust import guard as guard_module
from lumiface.restoration.trust import meter as meter_module
from lumiface.restoration.trust.consistency import consistency
from lumiface.restoration.trust.guard import STEPS, lower_strength
from lumiface.restoration.trust.invention import FEATURES, calibration, error_map, features, invention_map
from lumiface.restoration.trust.limits import LEAST_LIGHT, LEAST_SIDE, passed_limits
from lumiface.restoration.trust.meter import TrustMeter
from lumiface.restoration.trust.recogniser import THRESHOLD, Recogniser, can_be_recognised
from lumiface.restoration.trust.sentences import SENTENCES, VERDICTS
from lumiface.restoration.trust.summary import TrustSummary
from lumiface.restoration.trust.trust import GUESSED, Trust
from lumiface.restoration.trust.variations import VARIATIONS, varied_patches

MEASURES = FaceMeasures(side=64.0, light=0.1, detail=60.0)
CPU = torch.device("cpu")


@pytest.fixture
def face_square(astronaut: Tensor) -> Tensor:
    """(1, 3, 128, 128), about the face of the astronaut."""
    return F.interpolate(astronaut[..., 0:256, 96:352], size=(128, 128), mode="area")


class Nobody(Recogniser):
    """Embeds a face as its mean colour: a red face is one person, a green one another."""

    def __init__(self) -> None:
        self.passes = 0

    def __call__(self, faces: Sequence[Tensor]) -> Tensor:
        self.passes += 1
        return F.normalize(torch.cat([face.mean(dim=(2, 3)) for face in faces]))


def test_a_face_agrees_with_what_it_was_made_into(face_square: Tensor) -> None:
    small = F.interpolate(face_square, size=(48, 48), mode="bicubic", antialias=True).clamp(0, 1)
    dark = 0.3 * small**1.5
    assert consistency(dark, face_square, 48.0) > 40.0
    other = face_square.flip(-2)
    assert consistency(dark, other, 48.0) < consistency(dark, face_square, 48.0) - 10.0


def test_variations_come_back_to_their_place(astronaut: Tensor) -> None:
    from lumiface.faces.align import crop_face, face_matrix

    picture = F.interpolate(astronaut, size=(160, 160), mode="area")
    face = aligned_face(96)
    face = replace(face, landmarks=tuple((x + 31.0, y + 20.0) for x, y in face.landmarks))
    plain = crop_face(picture, face_matrix(face), 64)
    patches = list(varied_patches(picture, face, lambda rgb, seen: crop_face(rgb, face_matrix(seen), 64)))
    assert len(patches) == len(VARIATIONS)
    inner = (..., slice(6, -6), slice(6, -6))
    for patch, change in zip(patches, VARIATIONS, strict=True):
        lit = change.gain * plain**change.gamma
        assert float((patch - lit)[inner].abs().mean()) < 0.012, change
    assert torch.allclose(patches[0][inner], plain[inner], atol=1e-4)  # the mirrored one, exactly


def test_the_map_rises_where_the_answer_varies(face_square: Tensor) -> None:
    varied = face_square.clone()
    varied[..., 40:80, 70:100] += 0.2 * (rand(1, 3, 40, 30) - 0.5)
    calm = invention_map(face_square, [face_square] * 3, face_square, MEASURES)
    tense = invention_map(face_square, [varied] * 3, face_square, MEASURES)
    assert calm.shape == (1, 1, 128, 128)
    assert float(calm.min()) >= 0.0
    assert float(tense.max()) <= 1.0
    assert float((tense - calm)[..., 50:70, 80:90].min()) > 0.0
    assert torch.allclose(tense[..., 100:, :40], calm[..., 100:, :40], atol=1e-4)


def test_the_calibration_is_complete_and_monotone() -> None:
    fitted = calibration()
    assert fitted.weights.shape == (len(FEATURES),)
    assert bool((fitted.weights[:4] > 0).all())  # more variation, contrast, change: never a smaller error
    values = features(rand(1, 3, 32, 32), [rand(1, 3, 32, 32)], rand(1, 3, 20, 20), MEASURES, fitted.place)
    assert bool(values.isfinite().all())


def test_light_is_no_error(face_square: Tensor) -> None:
    assert float(error_map(0.6 * face_square + 0.1, face_square).max()) < 1e-3
    assert float(error_map(face_square.flip(-2), face_square).mean()) > 0.05


def test_the_guard_takes_the_highest_strength_that_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    own, patch = torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    own[:, 0], patch[:, 1] = 1.0, 1.0
    monkeypatch.setattr(guard_module, "own_pixels", lambda *_: own)
    red = torch.tensor([1.0, 0.0, 0.0])
    monkeypatch.setattr(guard_module, "THRESHOLD", 0.7)
    guarded = lower_strength(own, aligned_face(8), patch, red, Nobody())
    assert guarded.strength == 0.25 + 0.25  # cosine of half red, half green: 0.71
    assert guarded.identity == pytest.approx(0.5**0.5, abs=1e-5)
    assert torch.allclose(guarded.patch, 0.5 * (own + patch))
    monkeypatch.setattr(guard_module, "THRESHOLD", 1.1)  # nothing passes: the own pixels, with one gain
    dim = 0.1 * own
    lowest = lower_strength(dim, aligned_face(8), patch, red, Nobody())
    assert lowest.strength == STEPS[-1] == 0.0
    assert float(lowest.patch[:, 0].mean()) > 2 * float(dim[:, 0].mean())
    assert float(lowest.patch[:, 1].max()) < float(lowest.patch[:, 0].min())


def restored(patch: Tensor, measures: FaceMeasures, treatment: str = "restored") -> RestoredFace:
    return RestoredFace(patch, FaceReport((0, 0, 8, 8), 1.0, measures, treatment, 0.0), None)  # pyright: ignore[reportArgumentType]


@pytest.fixture
def red_photograph() -> Tensor:
    picture = torch.full((1, 3, 64, 64), 0.02)
    picture[:, 0] = 0.3
    return picture


def meter(*, guard: bool) -> TrustMeter:
    made = TrustMeter(RestoreConfig(guard=guard), CPU)
    made.__dict__["recogniser"] = Nobody()  # in place of the cached network
    return made


def test_every_face_gets_its_trust(red_photograph: Tensor) -> None:
    green = torch.zeros(1, 3, 32, 32)
    green[:, 1] = 0.5
    faces = [
        restored(red_photograph, MEASURES),
        restored(green, MEASURES),
        restored(green, replace(MEASURES, light=0.01)),
        restored(green, MEASURES, "unchanged"),
    ]
    off = meter(guard=False)
    results = off(red_photograph, lambda: red_photograph, [aligned_face(64)] * 4, faces, lambda *_: [])
    trusts = [result.report.trust for result in results]
    assert all(trust is not None for trust in trusts)
    same, other, dark, unchanged = (trust for trust in trusts if trust is not None)
    assert (same.verdict, other.verdict, dark.verdict, unchanged.verdict) == (
        "good",
        "doubt",
        "doubt",
        "good",
    )
    assert same.passes
    assert not other.passes
    assert (dark.is_known, dark.identity) == (False, None)
    assert not unchanged.changed
    assert isinstance(off.recogniser, Nobody)
    assert off.recogniser.passes == 1  # all faces at once
    assert [result.patch is face.patch for result, face in zip(results, faces, strict=True)] == [True] * 4


def test_the_guard_marks_what_it_lowered(red_photograph: Tensor) -> None:
    green = torch.zeros(1, 3, 32, 32)
    green[:, 1] = 0.5
    called: list[int] = []

    def denoised() -> Tensor:
        called.append(1)
        return red_photograph

    on = meter(guard=True)
    faces = [restored(red_photograph, MEASURES), restored(green, MEASURES)]
    first, second = on(red_photograph, denoised, [aligned_face(64)] * 2, faces, lambda *_: [])
    assert first.patch is faces[0].patch
    assert second.patch is not faces[1].patch
    assert second.report.trust is not None
    assert second.report.trust.strength < second.report.trust.asked == 1.0
    assert second.report.trust.verdict == "care"
    assert second.report.trust.identity is not None
    assert second.report.trust.identity >= THRESHOLD
    assert called


def test_full_trust_restores_the_face_again(red_photograph: Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    full = TrustMeter(RestoreConfig(trust="full"), CPU)
    full.__dict__["recogniser"] = Nobody()
    face = restored(F.interpolate(red_photograph, size=(32, 32)), MEASURES)
    calls: list[FaceMeasures] = []

    def again(
        rgb: Tensor, denoised: object, faces: object, measures: list[FaceMeasures]
    ) -> list[RestoredFace]:
        calls.extend(measures)
        return [face]

    monkeypatch.setattr(meter_module, "denoise_shadows", lambda picture: picture)
    (result,) = full(red_photograph, lambda: red_photograph, [aligned_face(64)], [face], again)
    assert calls == [MEASURES] * len(VARIATIONS)
    trust = result.report.trust
    assert trust is not None
    assert trust.consistency is not None
    assert trust.consistency > 40.0
    assert trust.invention is not None
    assert trust.invention.shape == (1, 1, 32, 32)
    assert trust.before is not None
    assert trust.after is face.patch
    assert 0.0 <= (trust.invented or 0.0) <= 1.0


def test_a_real_face_is_itself_and_another_is_not(face_square: Tensor) -> None:
    dark = (0.3 * face_square**1.4 * 255).round() / 255
    other = face_square.flip(-2)  # upside down, it is nobody
    embeddings = Recogniser(CPU)([face_square, dark, other])
    assert torch.allclose(embeddings.norm(dim=1), torch.ones(3), atol=1e-5)
    assert float(embeddings[0] @ embeddings[1]) > THRESHOLD
    assert float(embeddings[0] @ embeddings[2]) < float(embeddings[0] @ embeddings[1]) - 0.2
    assert can_be_recognised(measure_face(face_square, aligned_face(128)))


def test_sentences_follow_the_figures() -> None:
    limits = passed_limits(replace(MEASURES, light=LEAST_LIGHT / 2, side=LEAST_SIDE / 2, detail=8.0))
    assert limits == (SENTENCES["dark"]["en"], SENTENCES["small"]["en"])
    assert passed_limits(MEASURES) == ()
    said = Trust(0.81, 0.5, strength=0.5, asked=1.0, limits=limits)
    assert "0.81" in said.sentence()
    assert "50%" in said.sentence()
    assert SENTENCES["dark"]["zh"] in said.sentence("zh")
    assert said.heading() == VERDICTS["care"]["en"]
    assert Trust(None, 0.5).heading("zh") == VERDICTS["unknown"]["zh"]
    assert Trust(1.0, 0.5, changed=False).sentence() == SENTENCES["unchanged"]["en"]
    everywhere = Trust(0.9, 0.5, consistency=12.0, invention=torch.full((1, 1, 8, 8), 2 * GUESSED))
    assert "100%" in everywhere.sentence()
    assert "12 dB" in everywhere.sentence("zh")
    figures = everywhere.as_dict()
    assert json.loads(json.dumps(figures)) == figures


def test_every_sentence_is_there_in_both_languages() -> None:
    for said in (*SENTENCES.values(), *VERDICTS.values()):
        assert set(said) == {"en", "zh"}
        assert all(max(said["zh"]) >= "一" for _ in said)


def test_summaries_add_up() -> None:
    def report(trust: Trust | None) -> FaceReport:
        return FaceReport((0, 0, 8, 8), 1.0, MEASURES, "restored", 0.0, trust=trust)

    one, other = TrustSummary(), TrustSummary()
    one.add([report(Trust(0.7, 0.5)), report(None), report(Trust(1.0, 0.5, changed=False))], Path("a.jpg"))
    other.add([report(Trust(0.4, 0.5, strength=0.0)), report(Trust(None, 0.5))], Path("in/b.jpg"))
    one.merge(other)
    assert (one.least, one.lowered, one.below, one.unknown) == (0.4, 1, 1, 1)
    rows = one.rows
    assert rows[0][0] == "identity"
    assert "0.40, b.jpg" in rows[0][2]
    assert [row[0] for row in rows[1:]] == ["lowered", "in doubt", "unknown"]
    assert TrustSummary().rows == []
