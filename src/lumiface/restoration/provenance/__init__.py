"""What a result says of itself: that it was restored, by what, how, and what each face got."""

from __future__ import annotations
