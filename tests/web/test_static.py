"""The files of the page: nothing is loaded from elsewhere, and every word is in both tables."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from lumiface.web.app import STATIC
from lumiface.web.guard.gate import HEADERS
from web_server import Stub, client_of

FILES = sorted(path for path in STATIC.rglob("*") if path.is_file())
PAGES = [path for path in FILES if path.suffix == ".html"]
SCRIPTS = [path for path in FILES if path.suffix == ".js"]


def words(language: str) -> dict[str, str]:
    return json.loads((STATIC / "strings" / f"{language}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_address_is_relative(path: Path) -> None:
    text = path.read_text(encoding="utf-8").replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.findall(r"(?:https?:|wss?:)?//[a-z0-9][\w.-]*\.[a-z]{2,}", text, re.IGNORECASE)
    assert "@import" not in text
    for name in re.findall(r"(?:href|src)=\"([^\"#]+)", text) + re.findall(r"from \"([^\"]+)\"", text):
        if name in ("./", "openapi.json"):
            continue
        assert (path.parent / name.partition("#")[0]).is_file(), name
    if path.suffix == ".html":  # the policy forbids both
        assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=", text)


def test_the_policy_is_sent_with_every_answer() -> None:
    with client_of(Stub()) as client:
        paths = ["/", "/limits.html", "/js/main.js", "/health", "/nothing"]
        for answer in [*map(client.get, paths), client.get("/", headers={"Host": "evil.example"})]:
            for name, value in HEADERS.items():
                assert answer.headers[name] == value
            assert answer.headers["x-request-id"]
    assert HEADERS["Content-Security-Policy"].startswith("default-src 'self';")
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


def test_both_tables_have_the_same_keys_and_places() -> None:
    english, chinese = words("en"), words("zh")
    assert list(english) == list(chinese)
    for key, text in english.items():
        assert sorted(re.findall(r"\{\w+\}", text)) == sorted(re.findall(r"\{\w+\}", chinese[key])), key
        assert chinese[key] != text or key == "api.options", key


def test_every_word_that_is_used_is_in_the_table() -> None:
    used = set()
    for page in PAGES:
        used |= set(
            re.findall(r"data-(?:t|t-aria-label|title)=\"([^\"]+)\"", page.read_text(encoding="utf-8"))
        )
    for script in SCRIPTS:
        used |= set(re.findall(r"\bt\(\"([^\"]+)\"", script.read_text(encoding="utf-8")))
    assert len(used) > 80
    assert used - set(words("en")) == set()


def test_every_choice_has_its_word() -> None:
    from lumiface.restoration.config import RestoreConfig
    from lumiface.web.options import visitor_fields
    from lumiface.web.work.tasks import Stage

    table = words("en")
    for name in {"task", "background"}:
        schema = json.dumps(RestoreConfig.model_json_schema()["properties"][name])
        for value in re.findall(r"\"enum\": \[([^]]+)\]", schema)[0].split(", "):
            assert f"option.{name}.{value.strip(chr(34))}" in table
    for name in visitor_fields():
        assert f"option.{name}" in table or name == "faces", name
    for stage in Stage.__args__:  # type: ignore[attr-defined]
        assert f"work.{stage}" in table


def test_every_reason_has_its_words() -> None:
    from lumiface.faces.measure import FaceMeasures
    from lumiface.restoration.tasks import available_tasks, select_task
    from lumiface.restoration.turned import ROTATED

    faces = [
        FaceMeasures(side, light, side * detail, noise, blocks)
        for side in (32.0, 100.0, 400.0)
        for light in (0.01, 0.1, 0.5)
        for detail in (0.2, 0.6, 1.0)
        for noise in (0.0, 30.0)
        for blocks in (0.0, 9.0)
    ]
    available = available_tasks()
    reasons = {select_task(face, available).why for face in faces} | {ROTATED}
    assert len(reasons) >= 8
    assert {f"why.{reason}" for reason in reasons} <= set(words("en"))


def test_text_is_only_in_the_tables() -> None:
    for page in PAGES:
        text = re.sub(
            r"<(noscript|title|option|script)[^>]*>.*?</\1>", "", page.read_text(encoding="utf-8"), flags=re.S
        )
        visible = re.sub(r"<[^>]+>", " ", text).split()
        assert set(visible) <= {"lumiface"}, (page.name, visible)
