"""Known limits: how dark, small and blurred a face may be before the networks no longer draw its person.

Measured by `python benchmarks/trust.py limits`: 20 faces are made darker, smaller and more blurred step by
step, restored, and compared with the true face by EdgeFace; the limit is the last step at which the median
cosine is 0.3 or more (two people have 0.03, with a deviation of 0.1).
"""

from __future__ import annotations

from lumiface.faces.measure import FaceMeasures
from lumiface.restoration.tasks import own_detail
from lumiface.restoration.trust.recogniser import LARGE
from lumiface.restoration.trust.sentences import SENTENCES

LEAST_LIGHT, LEAST_LIGHT_SMALL = 0.019, 0.038
"""Light of a face (`face_light`) of at least `LARGE` pixels, and of a smaller one: EdgeFace 0.49 at 0.019 and
64 pixels, 0.29 at 0.010; 0.39 at 0.038 with 32 pixels, 0.23 at 0.020."""

LEAST_SIDE = 24.0
"""Side of the aligned square, pixels: EdgeFace 0.41; 0.27 at 16."""

LEAST_DETAIL = 19.0
"""Effective resolution, pixels, of a face that is large enough: EdgeFace 0.45; 0.26 at 14."""


def passed_limits(measured: FaceMeasures) -> tuple[str, ...]:
    """What of a face is beyond the limits, in words."""
    detail = own_detail(measured)
    passed = {
        "dark": measured.light < (LEAST_LIGHT if detail >= LARGE else LEAST_LIGHT_SMALL),
        "small": measured.side < LEAST_SIDE,
        "blurred": measured.side >= LEAST_SIDE and detail < LEAST_DETAIL,
    }
    return tuple(SENTENCES[name]["en"] for name, is_passed in passed.items() if is_passed)
