"""How far one restored face can be trusted: the figures, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from lumiface.faces.measure import inner_face
from lumiface.restoration.trust.sentences import VERDICTS, Language, join, sentences

Verdict = Literal["good", "care", "doubt"]
"""good: nothing speaks against the face; care: a limit is passed, or it was restored less than asked;
doubt: the identity is below the threshold, or not known."""

GUESSED = 0.1
"""Expected error of a pixel, of the range from black to white, from which it counts as guessed."""


@dataclass(frozen=True, slots=True, eq=False)
class Trust:
    """How far one restored face can be trusted.

    Attributes:
        identity: cosine of the embeddings of the face in the photograph, brightened by a gamma curve, and of
            the restored face, -1 to 1; None where the photograph shows too little of it to tell.
        threshold: the identity from which a face counts as the same person.
        consistency: PSNR-Y in dB between the face in the photograph and the restored one, made as dark,
            blurred and small again; None for a face that was not changed, and unless it was asked for.
        invention: expected error of each pixel of the aligned restored face, (1, 1, S, S), in [0, 1]; None
            unless it was asked for.
        limits: what of the face is beyond what the networks are known to restore, in words.
        strength: strength of the restoration of this face, 0 to 1.
        asked: strength asked for; higher than `strength` if it was lowered until the identity passed.
        changed: whether anything was done to the face.
        before, after: the aligned face in the photograph and as restored, (1, 3, S, S) in [0, 1], with
            `invention`.
    """

    identity: float | None
    threshold: float
    consistency: float | None = None
    invention: Tensor | None = None
    limits: tuple[str, ...] = ()
    strength: float = 1.0
    asked: float = 1.0
    changed: bool = True
    before: Tensor | None = None
    after: Tensor | None = None

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

    @property
    def is_known(self) -> bool:
        """Whether the photograph shows enough of the face to tell the person."""
        return self.identity is not None

    @property
    def invented(self) -> float | None:
        """The part of the face, brows to chin, that is guessed rather than seen, 0 to 1; see `GUESSED`."""
        if self.invention is None:
            return None
        skin = inner_face(self.invention.shape[-1], self.invention.device)
        return float(((self.invention > GUESSED) * skin).sum() / skin.sum())

    def heading(self, language: Language = "en") -> str:
        """The verdict in a few words."""
        return VERDICTS[self.verdict if self.is_known else "unknown"][language]

    def sentence(self, language: Language = "en") -> str:
        """The figures in plain words."""
        return join(sentences(self, language), language)

    def as_dict(self) -> dict[str, Any]:
        """The figures for programs; the map as its mean, 0 to 1."""
        return {
            "verdict": self.verdict,
            "identity": self.identity,
            "threshold": self.threshold,
            "consistency_db": self.consistency,
            "invention": None if self.invention is None else float(self.invention.mean()),
            "invented": self.invented,
            "limits": list(self.limits),
            "strength": self.strength,
            "strength_asked": self.asked,
            "changed": self.changed,
            "sentence": self.sentence(),
        }
