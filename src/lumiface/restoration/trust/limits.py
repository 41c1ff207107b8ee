"""Known limits: how dark, small and blurred a face may be before the networks no longer draw its person.

Measured by `python benchmarks/trust.py limits`: faces are made darker, smaller and more blurred step by step,
restored, and compared with the true face; the limit is the last step at which most of them pass.
"""

from __future__ import annotations

from lumiface.faces.measure import FaceMeasures
from lumiface.restoration.tasks import own_detail
from lumiface.restoration.trust.sentences import SENTENCES

LEAST_LIGHT = 0.03
"""Light of a face (`face_light`)."""

LEAST_SIDE = 24.0
"""Side of the aligned square, pixels."""

LEAST_DETAIL = 20.0
"""Effective resolution, pixels, of a face that is large enough."""


def passed_limits(measured: FaceMeasures) -> tuple[str, ...]:
    """What of a face is beyond the limits, in words."""
    passed = {
        "dark": measured.light < LEAST_LIGHT,
        "small": measured.side < LEAST_SIDE,
        "blurred": measured.side >= LEAST_SIDE and own_detail(measured) < LEAST_DETAIL,
    }
    return tuple(SENTENCES[name]["en"] for name, is_passed in passed.items() if is_passed)
