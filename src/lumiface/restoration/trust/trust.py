"""How far one restored face can be trusted: the figures, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

Verdict = Literal["good", "care", "doubt"]
"""good: nothing speaks against the face; care: a limit is passed, or the strength was lowered; doubt: the
identity is below the threshold, or cannot be told."""


@dataclass(frozen=True, slots=True, eq=False)
class Trust:
    """How far one restored face can be trusted.

    Attributes:
        identity: cosine of the embeddings of the face in the photograph, brightened by a gamma curve, and of
            the restored face, -1 to 1; None where the photograph shows too little of it to tell.
        threshold: the identity from which a face counts as the same person.
        consistency: PSNR-Y in dB between the face in the photograph and the restored one, made as dark,
            blurred and small again; None for a face that was not changed.
        invention: expected error of each pixel of the aligned restored face, (1, 1, S, S), in [0, 1]; None
            unless it was asked for.
        limits: what of the face is beyond what the networks are known to restore, in words.
        strength: strength of the restoration of this face, 0 to 1.
        asked: strength asked for; higher than `strength` if it was lowered until the identity passed.
    """

    identity: float | None
    threshold: float
    consistency: float | None = None
    invention: Tensor | None = None
    limits: tuple[str, ...] = ()
    strength: float = 1.0
    asked: float = 1.0

    @property
    def passes(self) -> bool:
        """Whether the restored face counts as the same person."""
        return self.identity is not None and self.identity >= self.threshold

    @property
    def verdict(self) -> Verdict:
        """The figures in one word."""
        if not self.passes:
            return "doubt"
        return "care" if self.limits or self.strength < self.asked else "good"

    def as_dict(self) -> dict[str, Any]:
        """The figures for programs; the map as its mean, 0 to 1."""
        return {
            "verdict": self.verdict,
            "identity": self.identity,
            "threshold": self.threshold,
            "consistency_db": self.consistency,
            "invention": None if self.invention is None else float(self.invention.mean()),
            "limits": list(self.limits),
            "strength": self.strength,
            "strength_asked": self.asked,
        }
