"""The page of a trust report: self-contained, for people, on a phone too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from importlib import resources
from string import Template

from lumiface.figures.data_uri import webp_uri
from lumiface.figures.heat import RAMP, TOP
from lumiface.figures.markup import Markup, join, tag
from lumiface.restoration.report.entry import SIDE, FaceEntry, PhotographEntry

MAX_SHOWN = 300
"""Faces whose pictures are shown: the least trustworthy ones. A page of more would not open on a phone."""

INTRODUCTION = (
    "Each face as it is in the photograph, only brightened by a gamma curve, and restored. The last picture "
    "shows what was guessed: where it is grey the face follows from the photograph; the stronger the colour, "
    "the more it may differ from the person there."
)
ORDER = {
    "good": "with nothing that speaks against them",
    "care": "to be looked at with care",
    "doubt": "in doubt, or cannot be told",
}


def to_page(entries: Sequence[PhotographEntry], left: Sequence[str] = ()) -> str:
    """The whole page.

    Args:
        left: a line for each photograph of which there is nothing to report.
    """
    faces = [face for entry in entries for face in entry.faces]
    shown = {id(face) for face in sorted(faces, key=lambda face: face.doubt)[:MAX_SHOWN]}
    return Template(_read("page.html")).substitute(
        style=_read("page.css"),
        summary=_summary(entries, faces),
        introduction=join(INTRODUCTION, " ", _scale()),
        photographs=join(*(_photograph(entry, shown) for entry in entries)),
        left=_left(left),
    )


def _read(name: str) -> str:
    return (resources.files("lumiface.restoration.report") / name).read_text(encoding="utf-8")


def _summary(entries: Sequence[PhotographEntry], faces: Sequence[FaceEntry]) -> Markup:
    counts = Counter(face.verdict for face in faces)
    parts: list[Markup | str] = [
        f"{_count(len(entries), 'photograph')}, {_count(len(faces), 'face')}"
        + (": " if faces else ". No face was found.")
    ]
    for verdict, words in ORDER.items():
        if counts[verdict]:
            parts += [tag("span", f"{counts[verdict]} {words}", class_=f"verdict {verdict}"), " "]
    if len(faces) > MAX_SHOWN:
        parts.append(f"Pictures of the {MAX_SHOWN} least trustworthy are shown.")
    return join(*parts)


def _scale() -> Markup:
    stops = ", ".join(f"rgb({', '.join(str(round(255 * value)) for value in colour)})" for colour in RAMP)
    bar = tag("span", class_="bar", style=f"background: linear-gradient(90deg, #bbb, {stops})")
    words = "Colour: expected error of a pixel, 0 to"
    return tag("span", f"{words} {TOP:.0%} of the range from black to white ", bar, class_="scale")


def _photograph(entry: PhotographEntry, shown: set[int]) -> Markup:
    notes = tag("p", f"{entry.task}. {' · '.join(entry.notes)}", class_="notes")
    faces = [_face(face, number, id(face) in shown) for number, face in enumerate(entry.faces, start=1)]
    return tag("section", tag("h2", entry.name), notes, *faces)


def _face(face: FaceEntry, number: int, is_shown: bool) -> Markup:
    figures = face.figures
    identity = figures.get("identity")
    shown_identity = "–" if identity is None else f"{identity:.2f}"
    facts = f"{figures['treatment']} · {figures['side_px']:.0f} px · light {figures['light']:.2f}"
    if figures.get("changed"):
        facts += f" · identity {shown_identity} · strength {figures['strength']:.0%}"
    heading = tag("h3", f"Face {number} ", tag("span", face.heading, class_=f"verdict {face.verdict}"))
    pictures = [
        tag(
            "figure",
            tag("img", src=webp_uri(data), alt=f"face {number}, {caption}", width=SIDE, height=SIDE),
            tag("figcaption", caption),
        )
        for caption, data in (face.pictures.items() if is_shown else ())
    ]
    row = tag("div", *pictures, class_="pictures") if pictures else None
    body = [heading, row, tag("p", face.sentence), tag("p", facts, class_="facts")]
    return tag("article", *body)


def _left(lines: Sequence[str]) -> Markup:
    if not lines:
        return Markup("")
    return tag("section", tag("h2", "Not restored"), tag("ul", *(tag("li", line) for line in lines)))


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
