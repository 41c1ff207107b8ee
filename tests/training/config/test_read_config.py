"""Configurations of runs from YAML files, on their own or based on another."""

from __future__ import annotations

from pathlib import Path

import pytest

from example_runs import paired_config
from lumiface.core.errors import InputError, SettingError
from lumiface.core.settings import find_config, shipped_configs
from lumiface.training.read_config import read_config


def test_configurations_are_read_and_found(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(paired_config().model_dump_json())  # JSON is YAML
    assert read_config(path) == paired_config()
    assert read_config(path, {"steps": 77, "lr": None}).steps == 77
    assert find_config(path) == path
    for name in ("lfsrnet-lite", "lfsrnet-base", "srcnn"):
        assert read_config(find_config(name)).name == name
    assert set(shipped_configs()) >= {"lfsrnet-lite", "lfsrnet-base", "srcnn"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1", "not valid YAML"),
        ("- a", "expected settings"),
        ("", r"is empty \(0 bytes\)"),
        ("# nothing but a comment", "Field required"),
        ("name: x", "Field required"),
        (paired_config().model_dump_json()[:-1] + ', "speed": 1}', "speed"),
        (paired_config().model_dump_json().replace('"warmup":2', '"warmup":999'), "do not fit"),
        (paired_config().model_dump_json().replace('"clip":1.0', '"clip":-1'), "clip"),
    ],
)
def test_mistakes_in_a_configuration_are_one_line(tmp_path: Path, text: str, line: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises((InputError, SettingError), match=line) as caught:
        read_config(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no such configuration"):
        find_config(tmp_path / "gone.yaml")


def test_a_configuration_may_be_based_on_another(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("base: srcnn\nname: own\nnetwork:\n  scale: 2\n")
    own, base = read_config(tmp_path / "own.yaml"), read_config(find_config("srcnn"))
    changed = {"name": "own", "network": base.model_dump()["network"] | {"scale": 2}}
    assert own.model_dump() == base.model_dump() | changed
    (tmp_path / "self.yaml").write_text(f"base: {tmp_path / 'self.yaml'}\n")
    with pytest.raises(InputError, match="it is its own base"):
        read_config(tmp_path / "self.yaml")
    (tmp_path / "lost.yaml").write_text("base: gone\n")
    with pytest.raises(InputError, match="no such configuration"):
        read_config(tmp_path / "lost.yaml")


def test_a_base_of_another_method_gives_the_settings_of_the_run_alone(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("base: lfsrnet-lite-distill\nname: own\nmethod: srcnn\n")
    own, base = read_config(tmp_path / "own.yaml"), read_config(find_config("lfsrnet-lite-distill"))
    settings = base.model_dump()
    assert settings["network"] or settings["recipe"]
    assert own.model_dump() == settings | {"name": "own", "method": "srcnn", "network": {}, "recipe": {}}
    (tmp_path / "preset.yaml").write_text("base: lfsrnet-lite-distill\nname: own\nmethod: lfsrnet-base\n")
    preset = read_config(tmp_path / "preset.yaml")  # another preset of the same method
    assert preset.model_dump() == settings | {"name": "own", "method": "lfsrnet-base"}


def test_a_cycle_of_bases_is_refused(tmp_path: Path) -> None:
    (tmp_path / "one.yaml").write_text(f"base: {tmp_path / 'two.yaml'}\n")
    (tmp_path / "two.yaml").write_text(f"base: {tmp_path / 'one.yaml'}\n")
    with pytest.raises(InputError, match=r"one\.yaml: it is its own base"):
        read_config(tmp_path / "one.yaml")
