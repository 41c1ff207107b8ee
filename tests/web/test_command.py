"""`lumiface web`: what it refuses, and the files that start it elsewhere."""

from __future__ import annotations

import json
import re
import runpy
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from lumiface.cli import app
from lumiface.web.settings import WebConfig

DEPLOY = Path(__file__).parents[2] / "deploy"


def run(*words: str, **environment: str) -> Result:
    return CliRunner().invoke(app, ["web", *words], env=environment, catch_exceptions=False)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "0.0.0.0"], "needs a password: set LUMIFACE_PASSWORD, or give --password"),
        (["--host", "::"], "needs a password"),
        (["--host", "192.168.1.5", "--password", "short"], "use a password of at least 8 characters"),
        (["--port", "99999"], "--port 99999: Input should be less than or equal to 65535"),
        (["--max-upload-mb", "0"], "--max-upload-mb 0.0: Input should be greater than 0"),
        (["--runtime", "fast"], "--runtime fast: Input should be"),
        (["--host", "203.0.113.1", "--password", "long enough"], "cannot listen there"),
    ],
)
def test_a_wrong_start_is_one_line(words: list[str], said: str) -> None:
    result = run(*words, LUMIFACE_PASSWORD="")
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert said in line
    assert "long enough" not in line


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("--port", str(taken.getsockname()[1]))
    assert result.exit_code == 2
    assert re.search(r"127\.0\.0\.1, port \d+: cannot listen there .*try another --port", result.stderr)


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "lumiface.web.app", raising=False)
    monkeypatch.setitem(sys.modules, "fastapi", None)
    result = run()
    assert result.exit_code == 2
    assert result.stderr == "lumiface: fastapi is missing: pip install 'lumiface[web]'\n"


def test_help_describes_every_option() -> None:
    text = " ".join(run("--help").output.split())
    for name, field in WebConfig.model_fields.items():
        assert f"--{'name' if name == 'names' else name.replace('_', '-')}" in text
        assert " ".join(str(field.description).split()[:4]) in text


def test_the_password_is_not_shown() -> None:
    assert "correct horse" not in repr(WebConfig(password="correct horse"))


def test_the_container_starts_what_there_is() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    (words,) = re.findall(r"^CMD (\[.*\])$", text, re.MULTILINE)
    command = json.loads(words)
    assert command[:2] == ["lumiface", "web"]
    assert run(*command[2:], LUMIFACE_PASSWORD="").exit_code == 2  # only with a password
    for line in re.findall(r"^COPY (.+)$", text, re.MULTILINE):
        for name in line.split()[:-1]:
            assert (DEPLOY.parent / name).exists(), name
    (extras,) = re.findall(r"'\.\[([a-z,]+)\]'", text)
    project = (DEPLOY.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert all(re.search(rf"^{extra} = \[", project, re.MULTILINE) for extra in extras.split(","))
    service: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
    service = service["services"]["lumiface"]
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert list(service["environment"]) == ["LUMIFACE_PASSWORD"]
    assert service["ports"] == ["127.0.0.1:7860:7860"]


def test_the_space_starts_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setenv("SPACE_HOST", "someone-lumiface.hf.space")
    monkeypatch.setattr("lumiface.cli.app", started.append)
    runpy.run_path(str(DEPLOY / "app.py"), run_name="__main__")
    monkeypatch.undo()
    (words,) = started
    assert words[0] == "web"
    assert run(*words[1:], LUMIFACE_PASSWORD="").exit_code == 2
    assert "someone-lumiface.hf.space" in words
