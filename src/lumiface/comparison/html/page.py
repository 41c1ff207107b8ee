"""A self-contained HTML page of tables, charts and faces; needs no other file, network or script."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from string import Template
from typing import Any

from lumiface.comparison.html import notes
from lumiface.comparison.html.cost import cost_charts
from lumiface.comparison.html.darkness import darkness_panels
from lumiface.comparison.html.forest import forest
from lumiface.comparison.html.pictures import DIFFERENCE_TOP, picture_table, scale_bar
from lumiface.comparison.html.published import read_published
from lumiface.comparison.html.tables import definition_list, published_table, score_table, training_table
from lumiface.comparison.html.views import SetView, summary_sentence
from lumiface.figures.markup import Markup, join, tag

FOREST = (
    "Main score minus that of the best, paired by image. An interval that includes zero is not significant."
)
FACES = (
    "One row per face, one column per method, with the PSNR-Y of the face where there is a ground truth; "
    "click to enlarge. Below each output: its absolute difference from the ground truth, mean of the "
    "channels, in 8-bit levels:"
)
DARKNESS = (
    "Mean PSNR-Y (dB) of the images in each range of γ, with 95 % intervals; larger γ is darker. Each panel "
    "shows one method, with all others in grey. Curves far below the others leave the panel."
)
COST = "Trained methods only, on logarithmic axes. The stepped line is the Pareto front."


def to_page(report: Mapping[str, Any], views: Sequence[SetView]) -> str:
    """The whole page; `write_report` documents `report`."""
    title = str(report.get("title") or "Comparison")
    sections = [_set(view, number) for number, view in enumerate(views, start=1)]
    if not views:
        sections.append(tag("p", "Nothing was measured."))
    final = [(anchor, heading, body) for anchor, heading, body in _final(report, views) if body is not None]
    sections += [tag("section", tag("h2", heading), body, id=anchor) for anchor, heading, body in final]
    contents = [(f"set-{number}", view.name) for number, view in enumerate(views, start=1)]
    contents += [(anchor, heading) for anchor, heading, _ in final]
    return Template(_read("page.html")).substitute(
        title=tag("title", title),
        style=_read("page.css"),
        script=_read("page.js"),
        heading=tag("h1", title),
        budget=_budget(report),
        summaries=_summaries(views),
        contents=join(*(tag("li", tag("a", name, href=f"#{anchor}")) for anchor, name in contents)),
        sections=join(*sections),
    )


def _read(name: str) -> str:
    return (resources.files("lumiface.comparison.html") / name).read_text(encoding="utf-8")


def _budget(report: Mapping[str, Any]) -> Markup:
    items = [tag("li", name, " ", tag("b", value)) for name, value in notes.budget_settings(report).items()]
    listed = tag("ul", *items, class_="budget", aria_label="budget of every method") if items else None
    description = notes.budget_description(report)
    return join(listed, tag("p", description, class_="caption") if description else None)


def _summaries(views: Sequence[SetView]) -> Markup:
    return join(
        *(tag("p", tag("b", view.name), " ", summary_sentence(view), class_="summary") for view in views)
    )


def _set(view: SetView, number: int) -> Markup:
    """The section of one test set."""
    count = tag("small", f" {view.images:,} pictures") if view.images else None
    parts: list[Markup | None] = [
        tag("h2", view.name, count),
        _wide(score_table(view), f"scores on {view.name}"),
        tag("ul", *(tag("li", note) for note in notes.score_notes(view)), class_="notes"),
    ]
    differences = forest(view)
    if differences is not None:
        parts.append(
            _figure("Differences to the best", FOREST, _wide(differences, "differences to the best"))
        )
    faces = picture_table(view)
    if faces is not None:
        caption = join(FACES, " ", scale_bar(), f" (white: {DIFFERENCE_TOP:g} or more).")
        parts.append(_figure("Faces", caption, _wide(faces, f"faces of {view.name}")))
    panels = darkness_panels(view, number)
    if panels:
        parts.append(_figure("PSNR-Y over darkness", DARKNESS, tag("div", *panels, class_="panels")))
    charts, unlabelled = cost_charts(view)
    if charts:
        unnamed = f" Not labelled for lack of space: {', '.join(unlabelled)}." if unlabelled else None
        caption = join(COST, unnamed)
        parts.append(_figure("Quality against cost", caption, tag("div", *charts, class_="charts")))
    return tag("section", *parts, id=f"set-{number}")


def _figure(heading: str, caption: str, body: Markup) -> Markup:
    return tag("div", tag("h3", heading), tag("p", caption, class_="caption"), body, class_="figure")


def _wide(content: Markup, name: str) -> Markup:
    """Content that may be wider than the page and scrolls by itself, by keyboard too."""
    return tag("div", content, class_="wide", tabindex=0, role="region", aria_label=name)


def _final(report: Mapping[str, Any], views: Sequence[SetView]) -> list[tuple[str, str, Markup | None]]:
    """(anchor, heading, body) of the sections after the sets."""
    published = read_published(report.get("published"))
    paper = None
    if published is not None:
        table = _wide(published_table(published, views), "published and measured scores")
        paper = join(tag("p", notes.PUBLISHED, class_="caption"), table)
    training = training_table(views)
    trained = None if training is None else _wide(training, "training of each method")
    impossible: Mapping[str, Any] | None = report.get("impossible")
    return [
        ("impossible", notes.IMPOSSIBLE_HEADING, definition_list(impossible)),
        ("published", notes.PUBLISHED_HEADING, paper),
        ("training", notes.TRAINED_HEADING, trained),
        ("conventions", notes.CONVENTIONS_HEADING, definition_list(report.get("conventions"))),
        ("provenance", notes.PROVENANCE_HEADING, definition_list(notes.provenance(report))),
    ]
