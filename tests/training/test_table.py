"""Every kind of run, by table: its configuration, its task, its example input, and what ships for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from example_runs import paired_config
from lumiface.core.errors import SettingError
from lumiface.core.settings import shipped_configs
from lumiface.registry import COMPONENTS, METHODS, build, find_spec
from lumiface.training.config import ComponentRun, RunConfig, TrainConfig
from lumiface.training.describe import describe
from lumiface.training.read_config import read_config
from lumiface.training.tasks.table import BY_COMPONENT, PAIRED, config_class, entry_of

REQUIRED: dict[str, Any] = {
    "name": "trial",
    "train": ["faces"],
    "validate_on": "faces",
    "meshes": "meshes.npz",
    "validate_meshes": "meshes.npz",
    "lifter": "lifter",
    "prior": "prior",
    "unpaired": ["faces"],
}
"""Values of the settings that have no default."""

GENERATOR: dict[str, Any] = {"resolution": 16, "latent": 16, "mapping": 1, "channel_base": 256}
ENCODER: dict[str, Any] = {"resolution": 16, "latent": 16, "channel_base": 256}
TINY: dict[str, dict[str, Any]] = {
    "prior3d-lifter": {"widths": (8, 16), "planes": {"channels": 4, "side": 16, "hidden": 8}},
    "prior3d-prior": {
        "planes": {"channels": 4, "side": 16, "hidden": 8},
        "denoiser": {"components": 6, "side": 16, "widths": (8, 8, 8), "condition": 8, "embedding": 16},
    },
    "prior3d-enhancer": {"widths": (8, 8, 16)},
    "stylegan2": GENERATOR,
    "stylegan2-autoencoder": GENERATOR,
    "fusion-bfr-restorer": {"encoder": ENCODER, "generator": GENERATOR, "heads": 2},
}
"""Component -> settings of a network that is built and run in a moment; others are small by default."""

RUNS = {name: read_config(path) for name, path in shipped_configs().items()}
COMPONENT_RUNS = {name: config for name, config in RUNS.items() if isinstance(config, ComponentRun)}


def run_config(component: str, **changes: Any) -> RunConfig:
    """A configuration that trains a component."""
    kind = config_class({"component": component})
    required = {key: value for key, value in REQUIRED.items() if key in kind.model_fields}
    return kind(**required, component=component, **changes)


def test_every_component_has_a_task() -> None:
    assert set(BY_COMPONENT) == set(COMPONENTS)
    configs = [entry.config for entry in (PAIRED, *BY_COMPONENT.values())]
    assert len(set(configs)) == len(configs)  # a configuration's class identifies its task
    for entry in BY_COMPONENT.values():
        assert issubclass(entry.config, ComponentRun)


@pytest.mark.parametrize("component", sorted(BY_COMPONENT))
def test_a_component_and_its_presets_are_configured_by_one_class(component: str) -> None:
    expected = BY_COMPONENT[component].config
    for name in (component, *COMPONENTS[component].presets):
        assert config_class({"component": name}) is expected
        assert config_class({"part": name}) is expected  # the key of earlier versions
        assert entry_of(run_config(name)) is BY_COMPONENT[component]


def test_a_run_without_a_component_trains_on_pairs() -> None:
    assert config_class({"method": "srcnn"}) is TrainConfig
    assert config_class({}) is TrainConfig
    assert entry_of(paired_config()) is PAIRED
    assert issubclass(PAIRED.config, RunConfig)


def test_every_component_of_a_method_has_a_task() -> None:
    names = [name for spec in METHODS.values() for name in spec.components]
    assert names
    assert set(names) <= set(BY_COMPONENT)


@pytest.mark.parametrize("component", sorted(BY_COMPONENT))
def test_the_example_goes_through_a_network(component: str) -> None:
    torch.manual_seed(0)
    network: Any = build(component, TINY.get(component, {})).eval()
    config = run_config(component, **({"prior_size": 16} if component == "prior3d-enhancer" else {}))
    inputs, description = BY_COMPONENT[component].example(config, network.config)
    assert description
    with torch.no_grad():
        output = network(*inputs)
    first = output[0] if isinstance(output, tuple) else output
    assert first.isfinite().all()


def test_the_example_goes_through_a_method() -> None:
    for name in ("lfsrnet-lite", "srcnn", "zero-dce"):
        network: Any = build(name).eval()
        config = paired_config(method=name)
        (image,), description = PAIRED.example(config, network.config)
        assert description == f"one {image.shape[-1]}x{image.shape[-1]} picture"
        with torch.no_grad():
            assert network(image).shape == (1, 3, config.hr_size, config.hr_size)


def test_a_scale_that_cannot_be_trained_is_refused_at_once() -> None:
    network = build("srcnn").config
    with pytest.raises(SettingError, match="hr_size 66 must be a multiple of the network's scale 4"):
        PAIRED.example(paired_config(method="srcnn", hr_size=66), network)
    with pytest.raises(SettingError, match="srcnn: its configuration has no `scale`"):
        PAIRED.example(paired_config(method="srcnn"), object())


@pytest.mark.parametrize("component", sorted(BY_COMPONENT))
def test_a_tiny_component_is_described(component: str) -> None:
    run = describe(run_config(component, network=TINY.get(component, {})))
    assert run.flops > 0
    assert run.parameters == sum(
        value.numel() for value in build(component, TINY.get(component, {})).parameters()
    )
    assert run.resolved["component"] == component
    assert run.resolved["network"] == build(component, TINY.get(component, {})).config.model_dump(mode="json")


@pytest.mark.parametrize("name", sorted(COMPONENT_RUNS))
def test_every_shipped_configuration_of_a_component_is_described(name: str) -> None:
    config = COMPONENT_RUNS[name]
    spec, _ = find_spec(config.component)
    assert type(config) is BY_COMPONENT[spec.name].config
    run = describe(config)
    assert run.flops > 1e6
    assert run.parameters > 5e5
    assert run.resolved["component"] == config.component


def test_every_component_has_a_shipped_configuration() -> None:
    trained = {find_spec(config.component)[0].name for config in COMPONENT_RUNS.values()}
    assert trained == set(COMPONENTS)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ("component: nothing\n", "no method or component is called 'nothing'; there are .*stylegan2-64"),
        ("part: nothing\n", "no method or component is called 'nothing'"),
        ("component: srcnn\n", "no training task trains 'srcnn'"),
        ("method: stylegan2-64\n", "'stylegan2-64' is a component; name it under component"),
    ],
)
def test_an_unknown_component_is_one_line(tmp_path: Path, settings: str, line: str) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(settings + "name: trial\ntrain: [faces]\nvalidate_on: faces\n")
    with pytest.raises(SettingError, match=line) as caught:
        read_config(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_configuration_of_no_task_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="class RunConfig"):
        entry_of(RunConfig(name="trial", train=["faces"], validate_on="faces"))
