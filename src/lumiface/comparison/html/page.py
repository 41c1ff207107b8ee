"""A self-contained HTML page: tables, charts, faces; no other file, no network, readable without scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from string import Template
from typing import Any

from lumiface.comparison.html import notes
from lumiface.comparison.html.cost import cost_charts
from lumiface.comparison.html.darkness import darkness_panels
from lumiface.comparison.html.forest import forest
from lumiface.comparison.html.markup import Markup, join, tag
from lumiface.comparison.html.pictures import DIFFERENCE_TOP, picture_table, scale_bar
from lumiface.comparison.html.published import read_published
from lumiface.comparison.html.tables import facts, published_table, score_table, training_table
from lumiface.comparison.html.views import SetView, lead

FOREST = (
    "PSNR-Y minus that of the best, picture by picture. Where a line crosses zero, the order is not settled."
)
FACES = (
    "One row a face, one column a method; the number is PSNR-Y on this face; a click enlarges. Below each "
    "output, its difference from the truth, mean of the channels, in levels of 255:"
)
DARKNESS = (
    "Mean PSNR-Y (dB) of the pictures in each range of γ, with 95 % intervals; the larger γ, the darker the "
    "picture. Each panel shows one method; grey are all the others. What lies far below leaves the panel."
)
COST = (
    "Trained methods alone, on logarithmic axes. The stepped line is the best that a cost can buy: a point "
    "below it is beaten by one that is no dearer and better."
)


def to_page(report: Mapping[str, Any], views: Sequence[SetView]) -> str:
    """The whole page; see `write_report` for what `report` holds."""
    title = str(report.get("title") or "Comparison")
    sections = [_set(view, number) for number, view in enumerate(views, start=1)]
    if not views:
        sections.append(tag("p", "Nothing was measured."))
    ending = [(anchor, heading, body) for anchor, heading, body in _ending(report, views) if body is not None]
    sections += [tag("section", tag("h2", heading), body, id=anchor) for anchor, heading, body in ending]
    contents = [(f"set-{number}", view.name) for number, view in enumerate(views, start=1)]
    contents += [(anchor, heading) for anchor, heading, _ in ending]
    return Template(_part("page.html")).substitute(
        title=tag("title", title),
        style=_part("page.css"),
        script=_part("page.js"),
        heading=tag("h1", title),
        budget=_budget(report),
        leads=_leads(views),
        contents=join(*(tag("li", tag("a", name, href=f"#{anchor}")) for anchor, name in contents)),
        sections=join(*sections),
    )


def _part(name: str) -> str:
    return (resources.files("lumiface.comparison.html") / name).read_text(encoding="utf-8")


def _budget(report: Mapping[str, Any]) -> Markup:
    items = [tag("li", name, " ", tag("b", value)) for name, value in notes.budget(report).items()]
    listed = tag("ul", *items, class_="budget", aria_label="the budget of every method") if items else None
    said = notes.description(report)
    return join(listed, tag("p", said, class_="said") if said else None)


def _leads(views: Sequence[SetView]) -> Markup:
    return join(*(tag("p", tag("b", view.name), " ", lead(view), class_="lead") for view in views))


def _set(view: SetView, number: int) -> Markup:
    """Everything of one test set."""
    count = tag("small", f" {view.images:,} pictures") if view.images else None
    parts: list[Markup | None] = [
        tag("h2", view.name, count),
        _wide(score_table(view), f"scores on {view.name}"),
        tag("ul", *(tag("li", note) for note in notes.of_scores(view)), class_="notes"),
    ]
    differences = forest(view)
    if differences is not None:
        parts.append(
            _figure("Differences to the best", FOREST, _wide(differences, "differences to the best"))
        )
    faces = picture_table(view)
    if faces is not None:
        said = join(FACES, " ", scale_bar(), f" (white: {DIFFERENCE_TOP:g} or more).")
        parts.append(_figure("Faces", said, _wide(faces, f"faces of {view.name}")))
    panels = darkness_panels(view, number)
    if panels:
        parts.append(_figure("Where does each method break?", DARKNESS, tag("div", *panels, class_="panels")))
    charts, homeless = cost_charts(view)
    if charts:
        unnamed = f" Too close to others to be named: {', '.join(homeless)}." if homeless else None
        said = join(COST, unnamed)
        parts.append(_figure("Quality against cost", said, tag("div", *charts, class_="charts")))
    return tag("section", *parts, id=f"set-{number}")


def _figure(heading: str, said: str, body: Markup) -> Markup:
    return tag("div", tag("h3", heading), tag("p", said, class_="said"), body, class_="figure")


def _wide(content: Markup, name: str) -> Markup:
    """What may be wider than the page scrolls by itself, by keyboard too."""
    return tag("div", content, class_="wide", tabindex=0, role="region", aria_label=name)


def _ending(report: Mapping[str, Any], views: Sequence[SetView]) -> list[tuple[str, str, Markup | None]]:
    """(anchor, heading, body) of what follows the sets."""
    published = read_published(report.get("published"))
    paper = None
    if published is not None:
        table = _wide(published_table(published, views), "the paper's table beside ours")
        paper = join(tag("p", notes.PUBLISHED, class_="said"), table)
    training = training_table(views)
    trained = None if training is None else _wide(training, "trainings")
    return [
        ("published", notes.PUBLISHED_HEADING, paper),
        ("training", notes.TRAINED_HEADING, trained),
        ("conventions", notes.CONVENTIONS_HEADING, facts(report.get("conventions"))),
        ("origin", notes.ORIGIN_HEADING, facts(notes.origin(report))),
    ]
