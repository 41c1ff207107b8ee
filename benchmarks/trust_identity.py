"""The sections of `trust.py` on identity: pairs of people, limits, the guard and its cost."""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from functools import cache
from typing import Any

import torch
from sections import current_provenance, first_pictures, report_progress
from torch import Tensor

from lumiface.degradations.camera_pipeline import CAMERA, CameraConfig
from lumiface.evaluation.studies.trust import (
    HARD,
    KnownFace,
    KnownFaceRestorer,
    auc,
    dimmed,
    known_faces,
    spearman,
    split_pairs,
)
from lumiface.imaging.denoise import denoise_shadows
from lumiface.imaging.io import decode_rgb8
from lumiface.imaging.quantize import from_uint8
from lumiface.losses.recognition_crop import equalise_exposure, recognition_crop
from lumiface.metrics.identity import Backbone, Identity
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.tasks import own_detail
from lumiface.restoration.trust.meter import TrustMeter
from lumiface.restoration.trust.recogniser import (
    THRESHOLD,
    Recogniser,
    can_be_recognised,
    photographed_face,
)

VAL, TEST, WILD, PHOTOGRAPHS = "faces256-val", "faces256-test", "wild128-test", "faces256-hq"
CPU = torch.device("cpu")
SAME_PERSON = 0.6
"""Cosine of both EdgeFace and MobileFaceNet from which two photographs of a set are taken for one person."""

LIGHTS = (0.5, 0.25, 0.18, 0.12, 0.06, 0.03)
SIDES = (64, 48, 32, 24, 16, 12)
SIGMAS = (0.0, 1.0, 2.0, 3.0, 4.5)
EDGEFACE_SAME = 0.3
"""EdgeFace cosine above which hardly two people lie: their mean is 0.03 with a deviation of 0.1."""

Restored = list[tuple[KnownFace, Tensor]]


def judge(backbone: Backbone, faces: list[Tensor]) -> Tensor:
    """Embeddings (N, D) of aligned faces by a network that is not ours, lit to the same mean as for ours."""
    network = Identity(backbone)
    with torch.inference_mode():
        return torch.cat([network.embed(equalise_exposure(recognition_crop(face))) for face in faces])


def restored_faces(
    args: argparse.Namespace, name: str, count: int, camera: CameraConfig = CAMERA
) -> Restored:
    """Known faces of a set, darkened and reduced as by a camera, and what becomes of them."""
    source, restorer = first_pictures(args, name, count), KnownFaceRestorer()
    found: Restored = []
    for known in known_faces(source, "camera", camera):
        found.append((known, restorer(known.photograph, known.face, known.measures)))
        report_progress(len(found), len(source))
    return found


def seen_of(known: KnownFace) -> Tensor:
    return photographed_face(known.photograph, known.face)


def threshold(args: argparse.Namespace) -> dict[str, Any]:
    """Identities of the photograph of one person and the restored face of the same, or of another."""
    recogniser = Recogniser(CPU)
    pairs: list[tuple[Tensor, Tensor]] = []
    for camera in (CAMERA, HARD):  # each by itself: a person is in both
        found = restored_faces(args, VAL, 100, camera)
        clear = [pair for pair in found if can_be_recognised(pair[0].measures)]
        seen, patches = [seen_of(known) for known, _ in clear], [patch for _, patch in clear]
        pairs.append(split_pairs(recogniser(seen), recogniser(patches)))
    same, different = (torch.cat(cosines) for cosines in zip(*pairs, strict=True))
    quantiles = {f"different_{level}": float(different.quantile(level)) for level in (0.5, 0.99, 0.999)}
    kept = {f"same_{level}": float(same.quantile(level)) for level in (0.01, 0.05, 0.5)}
    passing = float((same >= THRESHOLD).double().mean())
    row = {"threshold": THRESHOLD, "same_passing": passing, "auc": auc(same, different)} | quantiles | kept
    print(json.dumps(row, indent=1))
    return {"set": f"{VAL}, camera and hard dark", "faces": len(same), "origin": current_provenance()} | row


def limits(args: argparse.Namespace) -> dict[str, Any]:
    """Identity with the true face, of the photograph itself and of the restored face, step by step.

    By our recogniser, and by EdgeFace, which trained nothing here and decides.
    """
    recogniser, restorer = Recogniser(CPU), KnownFaceRestorer()
    known = list(known_faces(first_pictures(args, VAL, 20), "camera"))
    true_faces = [face.truth for face in known]
    truth, judged = recogniser(true_faces), judge("edgeface", true_faces)
    steps = [("light", gain, 64, gain, 0.0) for gain in LIGHTS]
    steps += [("light of small faces", gain, 32, gain, 0.0) for gain in LIGHTS]
    steps += [("side", float(side), side, 0.25, 0.0) for side in SIDES]
    steps += [("blur", sigma, 128, 0.25, sigma) for sigma in SIGMAS]
    rows: list[dict[str, Any]] = []
    for axis, value, side, gain, sigma in steps:
        faces = [dimmed(face, side, gain, sigma) for face in known]
        measures = [face.measures for face in faces]
        patches = [restorer(face.photograph, face.face, face.measures) for face in faces]
        photographs = [seen_of(face) for face in faces]
        identities = {
            "seen": (recogniser(photographs) * truth).sum(1),
            "restored": (recogniser(patches) * truth).sum(1),
            "seen_edgeface": (judge("edgeface", photographs) * judged).sum(1),
            "restored_edgeface": (judge("edgeface", patches) * judged).sum(1),
        }
        rows.append(
            {
                "axis": axis,
                "value": value,
                "light": mean([measured.light for measured in measures]),
                "side": mean([measured.side for measured in measures]),
                "detail": mean([own_detail(measured) for measured in measures]),
            }
            | {key: float(cosines.median()) for key, cosines in identities.items()}
        )
        print(json.dumps({key: round(v, 3) if isinstance(v, float) else v for key, v in rows[-1].items()}))
    return {
        "set": f"{VAL}, first {len(known)}; light at 64 and at 32 px, side at a quarter of the light, blur "
        "at 128 px and a quarter of the light",
        "threshold_edgeface": EDGEFACE_SAME,
        "origin": current_provenance(),
        "rows": rows,
    }


def identity_auc(args: argparse.Namespace) -> dict[str, Any]:
    """Pairs of one person and of two: dark photographs against restored faces, and different photographs."""
    recogniser = Recogniser(CPU)
    rows: list[dict[str, Any]] = []
    for name, count in ((TEST, 150), (WILD, 150)):
        found = restored_faces(args, name, count)
        clear = [pair for pair in found if can_be_recognised(pair[0].measures)]
        seen, patches = [seen_of(known) for known, _ in clear], [patch for _, patch in clear]
        clean = [known.truth.flip(-1) for known, _ in clear]
        ours = {"seen": recogniser(seen), "restored": recogniser(patches), "clean": recogniser(clean)}
        theirs = {key: judge("edgeface", faces) for key, faces in {"seen": seen, "restored": patches}.items()}
        for kind, one, other in (
            ("dark photograph, restored", "seen", "restored"),
            ("dark photograph, clean mirrored", "seen", "clean"),
        ):
            same, different = split_pairs(ours[one], ours[other])
            row = {"pairs": kind, "set": name, "people": len(clear), "auc": auc(same, different)}
            row |= {"same": float(same.mean()), "different": float(different.mean())}
            if other in theirs:
                row["auc_edgeface"] = auc(*split_pairs(theirs[one], theirs[other]))
            rows.append(row)
            print(json.dumps(row))
    rows.append(different_photographs(args, recogniser))
    print(json.dumps(rows[-1]))
    value = next(row["auc"] for row in rows if row["set"] == TEST)
    return {
        "value": value,
        "what": "the value: a dark photograph, lit by a gamma curve, against the restored face of the same "
        "or of another person; no set here has many different photographs of a person",
        "origin": current_provenance(),
        "rows": rows,
    }


def different_photographs(args: argparse.Namespace, recogniser: Recogniser) -> dict[str, Any]:
    """The few pairs of one person in two photographs that both other networks find in a held-out set."""
    source = first_pictures(args, PHOTOGRAPHS)
    faces = [from_uint8(decode_rgb8(data, name).copy()) for name, data in source.items()]
    judged = [
        embeddings @ embeddings.mT for embeddings in (judge("edgeface", faces), judge("mobilefacenet", faces))
    ]
    ours = recogniser(faces)
    cosines = ours @ ours.mT
    pairs = torch.ones_like(cosines).triu(1) > 0
    same = pairs & (judged[0] >= SAME_PERSON) & (judged[1] >= SAME_PERSON)
    return {
        "pairs": "different photographs of one person, as EdgeFace and MobileFaceNet agree",
        "set": PHOTOGRAPHS,
        "people": int(same.sum()),
        "auc": auc(cosines[same], cosines[pairs & ~same]),
        "same": float(cosines[same].mean()),
        "different": float(cosines[pairs & ~same].mean()),
    }


def identity_rank_correlation(args: argparse.Namespace) -> dict[str, Any]:
    """Spearman's correlation of our identity and EdgeFace's, both of dark photograph and restored face."""
    recogniser = Recogniser(CPU)
    rows: list[dict[str, Any]] = []
    for name, cameras in ((TEST, (CAMERA, HARD)), (WILD, (CAMERA,))):
        found = [pair for camera in cameras for pair in restored_faces(args, name, 100, camera)]
        clear = [pair for pair in found if can_be_recognised(pair[0].measures)]
        seen, patches = [seen_of(known) for known, _ in clear], [patch for _, patch in clear]
        ours = (recogniser(seen) * recogniser(patches)).sum(1)
        theirs = (judge("edgeface", seen) * judge("edgeface", patches)).sum(1)
        true_faces = [known.truth for known, _ in clear]
        truth = (judge("edgeface", true_faces) * judge("edgeface", patches)).sum(1)
        row: dict[str, Any] = {"set": name, "faces": len(clear), "spearman": spearman(ours, theirs)}
        row["with_edgeface_to_the_true_face"] = spearman(ours, truth)
        rows.append(row)
        print(row)
    return {"value": rows[0]["spearman"], "origin": current_provenance(), "rows": rows}


def guard(args: argparse.Namespace) -> dict[str, Any]:
    """60 hard dark faces, with and without the guard, judged by EdgeFace, too, which trained nothing here."""
    restorer = KnownFaceRestorer()
    meters = {on: TrustMeter(RestoreConfig(guard=on), CPU) for on in (False, True)}
    known = list(known_faces(first_pictures(args, TEST, 60), "camera", HARD))
    patches: dict[bool, list[Tensor]] = {False: [], True: []}
    trusts: dict[bool, list[Any]] = {False: [], True: []}
    for done, face in enumerate(known, start=1):
        restored = restorer.restored(face.photograph, face.face, face.measures)
        quiet = cache(lambda face=face: denoise_shadows(face.photograph))
        for on, meter in meters.items():
            (result,) = meter(face.photograph, quiet, [face.face], [restored], restorer.restorer)
            patches[on].append(result.patch)
            trusts[on].append(result.report.trust)
        report_progress(done, len(known))
    truth = judge("edgeface", [face.truth for face in known])
    judged = {on: (judge("edgeface", patches[on]) * truth).sum(1) for on in patches}
    below = {on: [trust for trust in trusts[on] if trust.is_known and not trust.passes] for on in trusts}
    wrong = [
        trust
        for trust, cosine in zip(trusts[True], judged[True].tolist(), strict=True)
        if cosine < EDGEFACE_SAME
    ]
    row: dict[str, Any] = {
        "faces": len(known),
        "unknown": sum(not trust.is_known for trust in trusts[True]),
        "below_before": len(below[False]),
        "below_after": len(below[True]),
        "lowered": sum(trust.strength < trust.asked for trust in trusts[True]),
        "unmarked": sum(trust.verdict != "doubt" for trust in below[True]),
        "edgeface_to_truth_before": float(judged[False].mean()),
        "edgeface_to_truth_after": float(judged[True].mean()),
        "another_person_by_edgeface": len(wrong),
        "of_these_called_good": sum(trust.verdict == "good" for trust in wrong),
        "called_good": sum(trust.verdict == "good" for trust in trusts[True]),
        "exchanged": exchanged(known, restorer, meters[True]),
    }
    print(json.dumps(row, indent=1))
    return {"set": f"{TEST}, first 60, hard dark, 32 -> 128 px", "origin": current_provenance()} | row


def exchanged(known: list[KnownFace], restorer: KnownFaceRestorer, meter: TrustMeter) -> dict[str, int]:
    """What the guard does where the restored face is that of another person: the next one's."""
    patches = [restorer.restored(face.photograph, face.face, face.measures) for face in known]
    trusts: list[Any] = []
    before: list[bool] = []
    for face, own, other in zip(known, patches, [*patches[1:], patches[0]], strict=True):
        if can_be_recognised(face.measures) and own.report.treatment != "unchanged":
            wrong = replace(own, patch=other.patch)
            seen = meter.recogniser([seen_of(face), wrong.patch])
            before.append(float(seen[0] @ seen[1]) < THRESHOLD)
            quiet = cache(lambda face=face: denoise_shadows(face.photograph))
            (result,) = meter(face.photograph, quiet, [face.face], [wrong], restorer.restorer)
            trusts.append(result.report.trust)
    return {
        "known": len(trusts),
        "below_before": sum(before),
        "below_after": sum(not trust.passes for trust in trusts),
        "lowered": sum(trust.strength < trust.asked for trust in trusts),
        "called_good": sum(trust.verdict == "good" for trust in trusts),
    }


def cost(args: argparse.Namespace) -> dict[str, Any]:
    """CPU time of measuring identity and guarding, over that of restoring the faces."""
    restorer, meter = KnownFaceRestorer(), TrustMeter(RestoreConfig(), CPU)
    known = list(known_faces(first_pictures(args, TEST, 20), "camera"))
    spent = {"restoration": 0.0, "trust": 0.0}
    for number, face in enumerate(known):
        measured = face.measures
        started = time.process_time()
        restored = restorer.restored(face.photograph, face.face, measured)
        middle = time.process_time()
        quiet = cache(lambda face=face: denoise_shadows(face.photograph))
        meter(face.photograph, quiet, [face.face], [restored], restorer.restorer)
        if number:  # the first loads the networks
            spent["restoration"] += middle - started
            spent["trust"] += time.process_time() - middle
    row = {"ratio": spent["trust"] / spent["restoration"]}
    row |= {f"{key}_ms_per_face": 1e3 * value / (len(known) - 1) for key, value in spent.items()}
    print(row)
    return row | {"origin": current_provenance()}


def mean(values: list[float]) -> float:
    return sum(values) / len(values)
