"""README.zh-CN.md keeps step with README.md: the same commands, code, tables, chapters and links."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENGLISH, CHINESE = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))
LINK = re.compile(r"\]\((?!https?:|#)([^)]+)\)")


def code(text: str) -> list[tuple[str, str]]:
    """Language and content of every code block; what shells do not read, the comments, may differ."""
    blocks = re.findall(r"```(\w+)\n(.*?)```", text, flags=re.DOTALL)
    return [
        (word, re.sub(r" +#.*$", "", block, flags=re.MULTILINE) if word == "sh" else block)
        for word, block in blocks
    ]


def test_code_and_commands_are_the_same() -> None:
    assert len(code(ENGLISH)) >= 5
    assert code(CHINESE) == code(ENGLISH)


def test_comments_of_commands_are_in_chinese() -> None:
    comments = re.findall(r" # (.+)$", CHINESE, flags=re.MULTILINE)
    english = re.findall(r" # (.+)$", ENGLISH, flags=re.MULTILINE)
    assert len(comments) == len(english)
    python = [line for line in comments if line in english]
    assert all(re.search(r"[\u4e00-\u9fff]", line) for line in comments if line not in python)
    assert len(python) <= 3  # those of the Python block, which is the same


def test_tables_are_the_same() -> None:
    rows = re.compile(r"^\|.*\|$", re.MULTILINE)
    assert len(rows.findall(ENGLISH)) > 30
    assert rows.findall(CHINESE) == rows.findall(ENGLISH)


def test_chapters_and_links_are_the_same() -> None:
    chapters = [
        re.findall(r"^(#+) ", re.sub(r"```.*?```", "", text, flags=re.DOTALL), re.MULTILINE)
        for text in (ENGLISH, CHINESE)
    ]
    assert chapters[0] == chapters[1]
    links = [
        {link for link in LINK.findall(text) if "images/web-" not in link} for text in (ENGLISH, CHINESE)
    ]
    assert links[0] - {"README.zh-CN.md"} == links[1] - {"README.md"}
