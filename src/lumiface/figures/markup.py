"""HTML and SVG by function calls: all text is escaped unless it is markup, so a name never becomes a tag."""

from __future__ import annotations

from html import escape

_VOID = frozenset({"br", "col", "img", "meta"})


class Markup(str):
    """Text that is HTML already and is not escaped."""

    __slots__ = ()


Child = str | int | float | None
"""Content of an element: markup, or a text that is escaped; None is omitted."""

Attribute = str | int | float | bool | None
"""True is an attribute without a value; None and False omit the attribute."""


def tag(name: str, *children: Child, **attributes: Attribute) -> Markup:
    """One element. Underscores of attributes become hyphens (`stroke_width`); `class_` loses its own.

    >>> tag("td", "a < b", class_="best")
    '<td class="best">a &lt; b</td>'
    """
    words = [name, *(_attribute(key, value) for key, value in attributes.items() if _is_set(value))]
    opening = f"<{' '.join(words)}>"
    if name in _VOID:
        return Markup(opening)
    return Markup(f"{opening}{join(*children)}</{name}>")


def join(*children: Child) -> Markup:
    """Concatenation; each part is escaped unless it is markup."""
    parts = (
        child if isinstance(child, Markup) else escape(str(child)) for child in children if child is not None
    )
    return Markup("".join(parts))


def _is_set(value: Attribute) -> bool:
    return value is not None and value is not False


def _attribute(key: str, value: Attribute) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return name
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f'{name}="{escape(text)}"'
