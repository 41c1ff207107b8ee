"""Names of entries and presets, and settings that override a preset's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lumiface.core.errors import SettingError
from lumiface.registry import (
    COMPONENTS,
    METHODS,
    REGISTRY,
    build,
    build_recipe,
    configure,
    find_capabilities,
    find_spec,
    load_model,
    needs_training,
)

PRESETS = [preset for spec in REGISTRY.values() for preset in spec.presets]


def test_names_are_unique() -> None:
    assert len(PRESETS) == len(set(PRESETS))
    assert all(name == spec.name for name, spec in REGISTRY.items())
    for spec in REGISTRY.values():  # a preset may bear its own entry's name, and no other's
        assert not (set(spec.presets) & set(REGISTRY)) - {spec.name}
        assert not set(spec.official_weights) & {*REGISTRY, *PRESETS}


def test_methods_and_components_are_the_registry() -> None:
    assert METHODS | COMPONENTS == REGISTRY
    assert not METHODS.keys() & COMPONENTS.keys()
    for name, spec in REGISTRY.items():
        assert (spec.kind == "component") == (name in COMPONENTS)
        assert (spec.capabilities is None) == (name in COMPONENTS)
        assert (spec.recipe is None) == (spec.recipe_config is None)
        for component in spec.components:
            assert component in COMPONENTS


@pytest.mark.parametrize("name", [*REGISTRY, *PRESETS])
def test_every_name_is_found(name: str) -> None:
    spec, preset = find_spec(name)
    assert name in (spec.name, *spec.presets)
    assert preset == spec.presets.get(name, {})
    settings = configure(name).model_dump()
    assert {key: settings[key] for key in preset} == spec.config(**preset).model_dump(include=set(preset))


def test_an_unknown_name_is_answered_by_what_exists() -> None:
    with pytest.raises(SettingError, match="no method or component is called 'lfsr'; there are ") as caught:
        build("lfsr")
    line = str(caught.value)
    assert "\n" not in line
    names = line.removesuffix("'").split("there are ")[1].split(", ")
    assert sorted(names) == sorted(PRESETS)
    for function in (find_spec, configure, find_capabilities, needs_training):
        with pytest.raises(SettingError, match="no method or component is called 'lfsr'"):
            function("lfsr")


def test_a_wrong_setting_is_one_line() -> None:
    with pytest.raises(SettingError, match="lfsrnet-lite: setting depth: Extra inputs are not permitted"):
        build("lfsrnet-lite", {"depth": 3})
    with pytest.raises(SettingError, match="srcnn: setting scale: Input should be"):
        build("srcnn", {"scale": 3})
    with pytest.raises(SettingError, match="lfsrnet-lite: recipe: setting maks: Extra inputs"):
        build_recipe("lfsrnet-lite", {"maks": 0.1}, seed=0)


def test_a_component_restores_no_picture() -> None:
    for name in COMPONENTS:
        with pytest.raises(SettingError, match=f"{name} is a component of a method"):
            find_capabilities(name)


def with_preset(monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]) -> None:
    """Give the entry srcnn a preset of its own name."""
    monkeypatch.setitem(REGISTRY, "srcnn", replace(REGISTRY["srcnn"], presets={"srcnn": settings}))


def test_a_preset_of_its_entrys_name_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with_preset(monkeypatch, {"scale": 2, "variant": "3-1-5"})
    network: Any = build("srcnn")
    assert (network.config.scale, network.config.variant) == (2, "3-1-5")
    network = build("srcnn", {"scale": 4})
    assert (network.config.scale, network.config.variant) == (4, "3-1-5")
    with_preset(monkeypatch, {"nonsense": 1})
    with pytest.raises(SettingError, match="srcnn: setting nonsense: Extra inputs are not permitted"):
        build("srcnn")


def test_a_method_without_parameters_is_built_from_its_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "clahe", spec := replace(METHODS["clahe"], presets={"clahe": {"tiles": 3}}))
    monkeypatch.setitem(REGISTRY, "clahe", spec)
    network: Any = load_model("clahe")
    assert network.config.tiles == 3
