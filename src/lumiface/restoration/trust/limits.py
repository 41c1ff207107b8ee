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

LEAST_LIGHT, LEAST_LIGHT_SMALL = 0.040, 0.078
"""Light (`face_light`) of a face of at least `LARGE` pixels, and of a smaller one: EdgeFace 0.45 at 0.040 and
64 pixels, 0.20 at 0.022; 0.35 at 0.078 and 32 pixels, 0.23 at 0.040."""

SURE = 0.78
"""Identity from which a restored face is likely to be the person's. Of 100 faces darkened as by a camera the
eighth with the least identity, up to 0.77, has a median EdgeFace cosine with the true face of 0.26, others
0.40 to 0.62; of 100 hard dark ones the eighth up to 0.74 has 0.24, the others 0.28 to 0.47 (faces256-val)."""

LEAST_SIDE = 24.0
"""Side of the aligned square, pixels: EdgeFace 0.35; 0.25 at 16."""

LEAST_DETAIL = 20.0
"""Effective resolution, pixels, of a face that is large enough: EdgeFace 0.44; 0.27 at 13."""


def passed_limits(measured: FaceMeasures, identity: float | None = None) -> tuple[str, ...]:
    """What of a face is beyond the limits, in words.

    Args:
        measured: of the face in the photograph.
        identity: of the restored face.
    """
    detail = own_detail(measured)
    passed = {
        "unsure": identity is not None and identity < SURE,
        "dark": measured.light < (LEAST_LIGHT if detail >= LARGE else LEAST_LIGHT_SMALL),
        "small": measured.side < LEAST_SIDE,
        "blurred": measured.side >= LEAST_SIDE and detail < LEAST_DETAIL,
    }
    return tuple(SENTENCES[name]["en"] for name, is_passed in passed.items() if is_passed)
