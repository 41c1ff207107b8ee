"""Photographs whose faces lie on their side or upside down: turned for the work, and back after it."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from lumiface.faces.face import Face
from lumiface.faces.measure import FaceMeasures, exposure_weight
from lumiface.faces.turns import quarters_of, turn, turn_face
from lumiface.imaging.io import Picture
from lumiface.restoration.restored import FaceReport

ROTATED = "looks rotated: nothing drawn"
"""What is said of a face whose features were found in no way up, though it looks turned."""


def turn_picture(picture: Picture, quarters: int) -> Picture:
    """The picture turned counterclockwise by quarter turns, without loss."""
    if quarters % 4 == 0:
        return picture
    alpha = None if picture.alpha is None else turn(picture.alpha, quarters)
    return Picture(turn(picture.rgb, quarters), alpha, picture.info, spare=True)


def rotated_report(face: Face, measured: FaceMeasures) -> FaceReport:
    """The report of a face that looks rotated: its own pixels, with the light that its surroundings get."""
    kept = exposure_weight(measured.light, measured.highlights)
    return FaceReport(face.box, face.score, measured, "relit", kept, ROTATED)


def turn_report(report: FaceReport, face: Face, quarters: int, width: int, height: int) -> FaceReport:
    """The report of a face for the photograph as it was before `turn` by `quarters`.

    Args:
        face: the face in the turned picture, whose size is width x height.
    """
    box = turn_face(face, -quarters, width, height).box
    return replace(report, box=box, turned=90 * ((quarters + quarters_of(face)) % 4))


def turned_notes(reports: list[FaceReport]) -> list[str]:
    """Remarks for the user: how many faces are turned, by how much, and how many were left for that."""
    drawn = Counter(report.turned for report in reports if report.turned and report.why != ROTATED)
    left = sum(report.why == ROTATED for report in reports)
    lines = [
        f"{_faces(count)} turned by {angle} degrees, restored so" for angle, count in sorted(drawn.items())
    ]
    return lines + ([f"{_faces(left)} {ROTATED}"] if left else [])


def _faces(count: int) -> str:
    return f"{count} face{'s' if count > 1 else ''}"
