"""Configurations written before keys and values were renamed: read, merged over presets and bases."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

import lumiface
from lumiface.core.errors import SettingError
from lumiface.core.settings import Settings, current_spelling
from lumiface.registry import build, build_recipe, configure, find_spec
from lumiface.training.config import TrainConfig
from lumiface.training.read_config import read_config
from lumiface.training.tasks.stylegan2 import StyleGAN2Run

for module in pkgutil.walk_packages(lumiface.__path__, "lumiface."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)


def subclasses(model: type[Settings]) -> Iterator[type[Settings]]:
    for child in model.__subclasses__():
        yield child
        yield from subclasses(child)


def inherited(model: type[Settings], attribute: str) -> dict[str, Any]:
    """The entries of a class attribute and of its base classes'."""
    return {key: value for base in model.__mro__ for key, value in vars(base).get(attribute, {}).items()}


RENAMED = sorted(
    {model for model in subclasses(Settings) if inherited(model, "old_names")},
    key=lambda model: model.__name__,
)

VALUES: dict[str, Any] = {
    # Settings without a default.
    "name": "trial",
    "train": ["faces"],
    "validate_on": "faces",
    "method": "srcnn",
    "component": "stylegan2-64",
    "meshes": "meshes.npz",
    "validate_meshes": "meshes.npz",
    "lifter": "lifter",
    "prior": "prior",
    "unpaired": ["faces"],
    "side": 32,
    # Settings that were renamed, with values other than their defaults.
    "weight": 0.25,
    "start": 0.25,
    "end": 0.75,
    "distill_weight": 2.5,
    "min_crop": 0.5,
    "downscale": 2,
    "num_fid_samples": 20,
    "num_fit_samples": 30,
    "train_generator": True,
    "render_size": 64,
    "cache_gib": 1.5,
    "prior_size": 32,
    "channel_base": 512,
    "max_channels": 32,
    "max_p": 0.5,
    "rot90": True,
    "path_length": 3.5,
    "path_length_every": 3,
    "discriminator_warmup_steps": 7,
    "discriminator": {"channel_base": 256},
    "gan": {"augment": None, "r1": 3.0},
    "vgg_downscale": 2,
    "latent_reg": 0.5,
    "latent_noise": 0.75,
    "random_fidelity_prob": 0.5,
    "degradation": {"noise": (1.0, 2.0)},
    "supervision": "pseudo-labels",
    "estimator": "regression",
    "sampling_steps": 3,
    "bottleneck": 4,
    "head_channels": (8, 12),
    "illumination_head": False,
}
"""A setting that is renamed needs a value here."""


def current_settings(model: type[Settings]) -> dict[str, Any]:
    """The required and the renamed settings of a class under their current names."""
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    return {name: VALUES[name] for name in required | set(inherited(model, "old_names").values())}


def old_settings(model: type[Settings]) -> dict[str, Any]:
    """The same under their old names."""
    old_names = {new: old for old, new in inherited(model, "old_names").items()}
    return {old_names.get(name, name): value for name, value in current_settings(model).items()}


@pytest.mark.parametrize("model", RENAMED)
def test_old_names_give_an_equal_configuration(model: type[Settings]) -> None:
    current, old = current_settings(model), old_settings(model)
    expected = model(**current)
    assert not set(old) <= set(model.model_fields)
    assert model(**old) == expected
    assert model.model_validate_json(json.dumps(old)) == expected
    for name in inherited(model, "old_names").values():  # read, and not replaced by the default
        field = model.model_fields[name]
        assert field.is_required() or getattr(expected, name) != field.get_default(call_default_factory=True)


@pytest.mark.parametrize("model", RENAMED)
def test_old_names_are_no_fields_and_new_names_are(model: type[Settings]) -> None:
    names = inherited(model, "old_names")
    assert not set(names) & set(model.model_fields)
    assert set(names.values()) <= set(model.model_fields)


@pytest.mark.parametrize("model", RENAMED)
def test_unknown_names_are_refused(model: type[Settings]) -> None:
    for settings in (current_settings(model), old_settings(model)):
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            model(**settings, nonsense=1)


OLD_VALUES = [
    (model, name, old, new)
    for model in subclasses(Settings)
    for name, values in inherited(model, "old_values").items()
    for old, new in values.items()
]


@pytest.mark.parametrize(("model", "name", "old", "new"), OLD_VALUES)
def test_old_values_give_an_equal_configuration(model: type[Settings], name: str, old: str, new: str) -> None:
    expected = model(**(current_settings(model) | {name: new}))
    assert getattr(expected, name) == new
    assert model(**(current_settings(model) | {name: old})) == expected
    old_names = {current: former for former, current in inherited(model, "old_names").items()}
    settings = {key: value for key, value in old_settings(model).items() if key != old_names.get(name, name)}
    settings[old_names.get(name, name)] = old  # both the name and the value are old
    assert getattr(model(**settings), name) == new


def test_classes_with_renamed_settings_are_found() -> None:
    names = {model.__name__ for model in RENAMED}
    assert names >= {"TrainConfig", "ComponentRun", "SizeSchedule", "GeneratorConfig", "LumifaceX4Config"}
    assert {name for _, name, _, _ in OLD_VALUES} == {"task", "supervision"}


def test_current_spelling_keeps_the_order_and_what_it_does_not_know() -> None:
    spelled = current_spelling(TrainConfig, {"zoom": 0.5, "nonsense": 1, "task": "lighten", "lr": 0.1})
    assert list(spelled.items()) == [("min_crop", 0.5), ("nonsense", 1), ("task", "enhance"), ("lr", 0.1)]


# --- merged over presets and bases --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "old", "current"),
    [
        ("stylegan2-64", {"base": 512, "most": 16}, {"channel_base": 512, "max_channels": 16}),
        ("stylegan2-autoencoder-64", {"base": 512}, {"channel_base": 512}),
        ("prior3d-small", {"lead_side": 32}, {"prior_size": 32}),
        ("prior3d-prior-small", {"draw_steps": 3}, {"sampling_steps": 3}),
        ("lumiface-x4", {"middle": 1, "drawn": (8, 8)}, {"bottleneck": 1, "head_channels": (8, 8)}),
    ],
)
def test_old_names_override_a_preset(name: str, old: dict[str, Any], current: dict[str, Any]) -> None:
    config = configure(name, old)
    assert config == configure(name, current)
    for key, value in current.items():
        assert getattr(config, key) == value
    spec, preset = find_spec(name)
    kept = set(preset) - set(current)
    assert {key: getattr(config, key) for key in kept} == {key: getattr(configure(name), key) for key in kept}
    with pytest.raises(SettingError, match=f"{name}: setting nonsense: Extra inputs"):
        configure(name, {**old, "nonsense": 1})
    assert isinstance(config, spec.config)


def test_old_names_within_a_network_are_read() -> None:
    """Networks of several parts: old names below the first level, as in checkpoints' metadata."""
    size = {"resolution": 16, "latent": 16, "base": 256, "most": 8}
    old = {"encoder": size, "generator": size | {"mapping": 1}, "heads": 2}
    network: Any = build("fusion-bfr-64", old)
    assert (network.config.generator.channel_base, network.config.encoder.max_channels) == (256, 8)
    prior = configure("prior3d-small", {"prior": {"drawn_by": "regression", "draw_steps": 2}})
    assert prior.model_dump()["prior"]["estimator"] == "regression"


def test_old_recipes_are_read() -> None:
    recipe = build_recipe(
        "stylegan2-64", {"path_every": 4, "critic": {"most": 16}, "augment": {"most": 0.5}}, 0
    )
    assert recipe.config.path_length_every == 4
    assert recipe.config.augment.max_p == 0.5
    assert recipe.build_discriminator(build("stylegan2-64")).config.max_channels == 16
    game = {"adversarial": 0.1, "perceptual": 0.0, "game": {"head_start": 9}}
    assert build_recipe("stylegan2-autoencoder-64", game, 0).gan.config.discriminator_warmup_steps == 9


def test_an_old_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "old.yaml"
    settings = old_settings(TrainConfig) | {
        "task": "lighten",
        "sizes": [{"side": 16, "share": 2.0, "since": 0.0}],
    }
    path.write_text(json.dumps(settings))  # JSON is YAML
    config = read_config(path, {"steps": 500})
    assert isinstance(config, TrainConfig)
    assert (config.task, config.min_crop, config.downscale, config.steps) == ("enhance", 0.5, 2, 500)
    assert config.sizes[0].weight == 2.0
    path.write_text(json.dumps(old_settings(StyleGAN2Run) | {"nonsense": 1}))
    with pytest.raises(SettingError, match="nonsense: Extra inputs"):
        read_config(path)


def test_an_old_file_overrides_its_base(tmp_path: Path) -> None:
    """A base under current names, a file under old ones, and the other way round."""
    new = {"component": "stylegan2-64", "num_fid_samples": 20, "network": {"channel_base": 256, "latent": 32}}
    old = {"part": "stylegan2-64", "compare": 30, "network": {"base": 512}}
    common = {"name": "trial", "train": ["faces"], "validate_on": "faces"}
    for number, (below, above) in enumerate(((new, old), (old, new))):
        base, own = tmp_path / f"base{number}.yaml", tmp_path / f"own{number}.yaml"
        base.write_text(json.dumps(common | below))
        own.write_text(json.dumps({"base": str(base), **above}))
        config = read_config(own)
        assert isinstance(config, StyleGAN2Run)
        assert config.num_fid_samples == (30 if above is old else 20)
        network: Any = configure(config.component, config.network)
        assert network.channel_base == (512 if above is old else 256)
        assert network.latent == 32


def test_settings_are_frozen_and_have_mappings_of_names() -> None:
    for model in subclasses(Settings):
        assert model.model_config.get("frozen"), model
        assert model.model_config.get("extra") == "forbid", model
        assert isinstance(model.old_names, Mapping)
        assert isinstance(model.old_values, Mapping)
