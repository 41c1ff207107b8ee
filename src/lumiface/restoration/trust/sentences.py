"""Every sentence about the trust of a face, in English and Chinese, in one table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lumiface.restoration.trust.trust import Trust

Language = Literal["en", "zh"]

SENTENCES: dict[str, dict[Language, str]] = {
    "unchanged": {
        "en": "Left as it is: it has enough light and detail.",
        "zh": "未作改动：光线和细节都已足够。",
    },
    "same": {
        "en": "Very likely still the same person (identity {identity:.2f}, at least {threshold:.2f} wanted).",
        "zh": "很可能仍是同一个人（相似度 {identity:.2f}，达到 {threshold:.2f} 即算同一人）。",
    },
    "another": {
        "en": "Perhaps no longer the same person (identity {identity:.2f}, at least {threshold:.2f} wanted).",
        "zh": "可能已不像本人（相似度 {identity:.2f}，达到 {threshold:.2f} 才算同一人）。",
    },
    "unknown": {
        "en": "The photograph shows too little of this face to tell whether it is still the same person: "
        "take its features as a guess.",
        "zh": "照片中这张脸的信息太少，无法判断是否仍是同一个人：五官只能当作猜测。",
    },
    "lowered": {
        "en": "Restored at {strength:.0%} strength instead of {asked:.0%}, because more would have changed "
        "the person.",
        "zh": "修复强度由 {asked:.0%} 降到 {strength:.0%}，因为再强就会改变这个人的相貌。",
    },
    "consistent": {
        "en": "Made as dark, blurred and small again, it agrees with the photograph ({consistency:.0f} dB).",
        "zh": "把结果重新变暗、变模糊、缩小后，与原照片相符（{consistency:.0f} dB）。",
    },
    "inconsistent": {
        "en": "Even made as dark, blurred and small again, it differs from the photograph "
        "({consistency:.0f} dB).",
        "zh": "把结果重新变暗、变模糊、缩小后，仍与原照片不符（{consistency:.0f} dB）。",
    },
    "invention": {
        "en": "About {invented:.0%} of the face is guessed rather than seen; the map shows where.",
        "zh": "这张脸约 {invented:.0%} 是推测出来的，并非照片所见；位置见热图。",
    },
    "little invention": {
        "en": "No part of the face stands out as guessed; hair, lashes and skin always are in part.",
        "zh": "没有哪一部分明显是推测的；但毛发、睫毛和皮肤细节总有一部分是推测。",
    },
    "unsure": {
        "en": "Its likeness to the photograph is lower than that of most faces.",
        "zh": "它与照片的相似度低于大多数脸。",
    },
    "dark": {
        "en": "It is darker than the networks are known to restore faithfully.",
        "zh": "它比网络能可靠修复的范围更暗。",
    },
    "small": {
        "en": "It is smaller than the networks are known to restore faithfully.",
        "zh": "它比网络能可靠修复的范围更小。",
    },
    "blurred": {
        "en": "It is more blurred than the networks are known to restore faithfully.",
        "zh": "它比网络能可靠修复的范围更模糊。",
    },
}
"""By what they say. Numbers in braces are fields of `Trust`."""

VERDICTS: dict[str, dict[Language, str]] = {
    "good": {"en": "nothing speaks against it", "zh": "未见异常"},
    "care": {"en": "look with care", "zh": "请谨慎看待"},
    "doubt": {"en": "in doubt", "zh": "存疑"},
    "unknown": {"en": "cannot be told", "zh": "无法判断"},
}
"""The verdict in a few words, for headings."""


def sentences(trust: Trust, language: Language = "en") -> list[str]:
    """What there is to say about a face, the most important first."""
    from lumiface.restoration.trust.consistency import AGREES

    numbers = {
        "identity": trust.identity,
        "threshold": trust.threshold,
        "strength": trust.strength,
        "asked": trust.asked,
        "consistency": trust.consistency,
        "invented": trust.invented,
    }
    if not trust.changed:
        keys = ["unchanged"]
    else:
        keys = ["unknown" if trust.identity is None else "same" if trust.passes else "another"]
        keys += ["lowered"] if trust.strength < trust.asked else []
        keys += [key for key in SENTENCES if SENTENCES[key]["en"] in trust.limits]
        if trust.consistency is not None:
            keys.append("consistent" if trust.consistency >= AGREES else "inconsistent")
        if trust.invented is not None:
            keys.append("invention" if trust.invented >= 0.005 else "little invention")
    return [SENTENCES[key][language].format(**numbers) for key in keys]


def join(said: Sequence[str], language: Language) -> str:
    """Sentences in one line."""
    return ("" if language == "zh" else " ").join(said)
