"""Numbers as text: a true minus sign, a dash for what was not measured."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from lumiface.figures.console_tables import amount

ABSENT = "–"


def finite(value: Any) -> float | None:
    """The value as a float; None if it is missing, infinite, NaN or not a number."""
    if value is None or isinstance(value, bool | str):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def bounds(value: Any) -> tuple[float, float] | None:
    """An interval's two ends; None where either is missing."""
    if value is None:
        return None
    low, high = (finite(end) for end in value)
    return None if low is None or high is None else (low, high)


def format_fixed(value: float | None, digits: int) -> str:
    """24.4954, 2 -> "24.50"."""
    if value is None:
        return ABSENT
    text = f"{value:.{digits}f}"
    return text.replace("-", "−") if float(text) else text.removeprefix("-")


def format_signed(value: float | None, digits: int) -> str:
    """0.35, 2 -> "+0.35"; zero has no sign."""
    text = format_fixed(value, digits)
    return f"+{text}" if value is not None and value > 0 and float(text) else text


def format_interval(ends: tuple[float, float] | None, digits: int, *, sign: bool = False) -> str:
    """(24.31, 24.68), 2 -> "[24.31, 24.68]"; empty where there is no interval."""
    if ends is None:
        return ""
    form = format_signed if sign else format_fixed
    return f"[{form(ends[0], digits)}, {form(ends[1], digits)}]"


def format_short(value: float | None) -> str:
    """1_234_567 -> "1.23 M", 0.0513 -> "0.0513"."""
    return ABSENT if value is None else amount(value)


def format_value(value: Any) -> str:
    """Any value of a report's settings, in one line."""
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_inner(inner)}" for key, inner in value.items() if inner != {})
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_inner(inner) for inner in value)
    return str(value)


def _inner(value: Any) -> str:
    """A nested value: mappings in brackets."""
    return f"({format_value(value)})" if isinstance(value, Mapping) else format_value(value)


def humanize(key: str) -> str:
    """ "trained_images" -> "trained images"."""
    return key.replace("_", " ")
