"""Every network that has a name, by table: a method that joins the registry is tested the day it joins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from lumiface.core.errors import InputError, SettingError
from lumiface.registry import (
    METHODS,
    build,
    build_recipe,
    default_model,
    find_method,
    list_models,
    load_model,
    read_metadata,
    shipped_weights,
    trained_on_camera,
)
from lumiface.training.checkpoint import save_weights

PRESETS = [preset for method in METHODS.values() for preset in method.presets]
# A minute a picture, or seconds; their small sisters are the same code.
HEAVY = ("prior3d-paper", "fusion-bfr-512", "fusion-bfr-256", "fusion-bfr-128")
TESTED = [pytest.param(name, marks=pytest.mark.slow) if name in HEAVY else name for name in PRESETS]
SCALES = [
    (name, scale)
    for name, method in METHODS.items()
    if "scale" in method.config.model_fields
    for scale in method.config.model_fields["scale"].annotation.__args__
]


@pytest.fixture(scope="module")
def networks() -> dict[str, nn.Module]:
    """One of each preset, untrained, always the same."""
    built: dict[str, nn.Module] = {}
    for preset in PRESETS:
        torch.manual_seed(0)
        built[preset] = build(preset).eval()
    return built


def picture(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) * 0.3


@torch.inference_mode()
def run(network: nn.Module, low: Tensor) -> Tensor:
    high = network(low)
    scale: int = network.config.scale  # type: ignore[assignment, union-attr]
    assert high.shape == (len(low), 3, low.shape[2] * scale, low.shape[3] * scale)
    assert high.isfinite().all()
    return high


def save(path: Path, preset: str, network: Any, **settings: Any) -> Path:
    provenance = {"best_psnr_y": 20.0}
    save_weights(
        path, network.state_dict(), method=preset, config=network.config, provenance=provenance, **settings
    )
    return path


@pytest.mark.parametrize("preset", TESTED)
@pytest.mark.parametrize("size", [(16, 16), (17, 23), (9, 40)])
def test_any_size_goes_through(networks, preset: str, size: tuple[int, int]) -> None:
    run(networks[preset], picture(2, 3, *size))


@pytest.mark.parametrize("preset", TESTED)
def test_the_least_size_that_is_declared_goes_through(networks, preset: str) -> None:
    least = find_method(preset)[0].capabilities.min_size
    run(networks[preset], picture(1, 3, least, least))
    run(networks[preset], picture(1, 3, least, 3 * least + 1))


@pytest.mark.parametrize("preset", TESTED)
def test_a_picture_is_the_same_alone_and_in_a_batch(networks, preset: str) -> None:
    batch = picture(3, 3, 16, 12)
    together = run(networks[preset], batch)
    torch.testing.assert_close(run(networks[preset], batch[1:2]), together[1:2], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("preset", TESTED)
def test_grey_black_and_white_go_through(networks, preset: str) -> None:
    grey = picture(1, 1, 16, 16).expand(1, 3, 16, 16)
    outputs = run(networks[preset], torch.cat([grey, torch.zeros_like(grey), torch.ones_like(grey)]))
    assert outputs.abs().max() < 100


@pytest.mark.parametrize("preset", TESTED)
def test_the_declared_types_agree(networks, preset: str) -> None:
    low = picture(1, 3, 16, 16)
    exact = run(networks[preset], low)
    for dtype in find_method(preset)[0].capabilities.dtypes:
        copy = build(preset)
        copy.load_state_dict(networks[preset].state_dict())
        output = run(copy.to(dtype).eval(), low.to(dtype))
        assert output.dtype == dtype
        off = (output.float() - exact).abs().max() / exact.abs().max()
        assert off < (1e-5 if dtype == torch.float32 else 0.1)


# Every kind of layer once: exporting a deep network takes minutes and shows nothing more.
SMALL: dict[str, dict[str, Any]] = {
    "lfsrnet": {"channels": 16, "blocks": 2},
    "edsr": {"channels": 16, "blocks": 2},
    "sparnet": {"channels": 8, "hourglass_channels": 8, "blocks": 1},
    "ctcnet": {"channels": 8, "transformers": (1, 1, 1), "refinements": 1},
    "swinir": {"channels": 24, "groups": 1},
    "omnisr": {"channels": 16, "groups": 1},
    "dln": {"channels": 16},
    "lsr": {"channels": 16},
}


@pytest.mark.parametrize("name", [name for name, method in METHODS.items() if method.capabilities.onnx])
def test_onnx_gives_what_torch_gives(name: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    network = build(name, SMALL.get(name)).eval()
    path = tmp_path / "network.onnx"
    low = picture(1, 3, 16, 24)
    program = torch.onnx.export(network, (low,), dynamo=True, verbose=False)
    assert program is not None
    program.save(path)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {session.get_inputs()[0].name: low.numpy()})
    torch.testing.assert_close(torch.from_numpy(output), run(network, low), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("preset", TESTED)
def test_what_is_saved_is_what_is_loaded(networks, preset: str, tmp_path: Path) -> None:
    path = save(tmp_path / "x.safetensors", preset, networks[preset])
    loaded = load_model(path)
    assert not loaded.training
    assert loaded.config == networks[preset].config
    assert read_metadata(path)["method"] == preset
    low = picture(1, 3, 16, 16)
    assert torch.equal(run(loaded, low), run(networks[preset], low))
    half = load_model(save(tmp_path / "half.safetensors", preset, networks[preset], dtype=torch.float16))
    assert {parameter.dtype for parameter in half.parameters()} <= {torch.float32}
    torch.testing.assert_close(run(half, low), run(networks[preset], low), atol=5e-3, rtol=5e-3)


@pytest.mark.parametrize("preset", [name for name in PRESETS if find_method(name)[0].recipe is not None])
def test_every_parameter_learns_from_its_recipe(preset: str) -> None:
    method, _ = find_method(preset)
    task = method.capabilities.tasks[0]
    silent: set[str] | None = None
    for seed in range(4):  # in one random start a whole narrow ReLU layer may happen to be off
        torch.manual_seed(seed)
        network: Any = build(preset)
        with torch.no_grad():  # a layer that starts at zero lets nothing through before its first step
            for parameter in network.parameters():
                parameter.add_(1e-3 * torch.randn_like(parameter))
        recipe: Any = build_recipe(preset, {}, seed)
        high = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(seed))
        low, target = recipe.degrade(high, task, 4, torch.Generator().manual_seed(seed))
        assert low.mean() < high.mean()
        output = network(low)
        assert output[: len(target)].shape == target.shape  # some losses need more than the picture
        parts = recipe(output, low, target, torch.tensor([[8.0, 8.0, 56.0, 56.0]] * 2))
        assert all(bool(part > 0) for part in parts.values())
        torch.stack(list(parts.values())).sum().backward()
        gradients = {name: parameter.grad for name, parameter in network.named_parameters()}
        assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients.values())
        without = {name for name, gradient in gradients.items() if not gradient.any()}
        silent = without if silent is None else silent & without
    assert silent == set()


@pytest.mark.parametrize(("method", "scale"), SCALES)
def test_every_scale_that_is_offered(method: str, scale: int) -> None:
    network = build(method, {"scale": scale} | SMALL.get(method, {}))
    assert run(network.eval(), picture(1, 3, 11, 8)).shape[-1] == 8 * scale


RESIZE = [preset for preset in PRESETS if find_method(preset)[1].get("upsampler") == "resize"]


@pytest.mark.parametrize("preset", RESIZE)
def test_the_resize_upsampler_leaves_flat_what_is_flat(networks, preset: str) -> None:
    network: Any = networks[preset]
    features = torch.linspace(-1, 1, network.config.channels)[None, :, None, None].expand(1, -1, 16, 16)
    with torch.inference_mode():
        inside = network.upsample(features)[..., 16:-16, 16:-16]
    assert (inside.amax(dim=(2, 3)) - inside.amin(dim=(2, 3))).max() < 1e-6


@pytest.mark.parametrize("preset", RESIZE)
def test_a_flat_picture_gets_no_grid(networks, preset: str) -> None:
    assert grid_pattern(run(networks[preset], torch.full((1, 3, 32, 32), 0.2))) < 1e-3
    # The measure does see a grid of one level of 8 bits.
    sheet = torch.full((1, 3, 128, 128), 0.5)
    sheet[..., ::2, ::2] += 1 / 255
    assert grid_pattern(sheet) > 1.5e-3


def grid_pattern(high: Tensor) -> float:
    """Standard deviation over the 4x4 places of a pixel among its neighbours, averaged over the middle."""
    middle = high[..., 32:-32, 32:-32]
    smooth = torch.nn.functional.avg_pool2d(middle, 5, stride=1, padding=2, count_include_pad=False)
    rest = (middle - smooth)[..., 4:-4, 4:-4]
    places = rest.unfold(2, 4, 4).unfold(3, 4, 4).mean(dim=(0, 2, 3))  # (3, 4, 4)
    return float(places.flatten(1).std(dim=1).max())


# --- names, settings, files ---------------------------------------------------------------------------------


def test_names_and_settings() -> None:
    assert len(PRESETS) == len(set(PRESETS))
    for method in METHODS.values():  # a preset may have its own method's name, and no other's
        assert not (set(method.presets) & set(METHODS)) - {method.name}
    with pytest.raises(SettingError, match="no method is called 'lfsr'"):
        build("lfsr")
    with pytest.raises(SettingError, match="setting depth"):
        build("lfsrnet-lite", {"depth": 3})
    with pytest.raises(SettingError, match="setting scale"):
        build("srcnn", {"scale": 3})


def test_models_that_ship_load_and_say_where_they_come_from() -> None:
    assert list_models() == list(shipped_weights())
    for name in list_models():
        origin = read_metadata(shipped_weights()[name])["provenance"]
        # What is drawn anew is chosen by its likeness, not by its pixels.
        drawn = "best_minus_lpips_squeeze" in origin
        assert origin["best_minus_lpips_squeeze"] > -0.2 if drawn else origin["best_psnr_y"] > 20
        run(load_model(name), picture(1, 3, 16, 16))
    if list_models():
        assert default_model() in list_models()


def test_who_learnt_from_photographs_comes_first(
    tmp_path: Path, networks: dict[str, nn.Module], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores on pairs of different kinds cannot be compared: a camera's are harder than a benchmark's."""
    files: dict[str, Path] = {}
    network: Any = networks["lfsrnet-lite"]
    for name, best, recipe in (
        ("benchmark", 26.0, {}),
        ("photographs", 24.0, {"camera": {}}),
        ("photographs-worse", 23.0, {"camera": {"lit": 0.2}}),
        ("benchmark-too", 25.0, {"camera": None}),
    ):
        files[name] = tmp_path / f"{name}.safetensors"
        provenance = {"best_psnr_y": best, "run": {"recipe": recipe}}
        save_weights(
            files[name],
            network.state_dict(),
            method="lfsrnet-lite",
            config=network.config,
            provenance=provenance,
        )
    monkeypatch.setattr("lumiface.registry.checkpoints.shipped_weights", lambda: files)
    assert default_model("joint") == "photographs"
    assert trained_on_camera("photographs-worse")
    assert not any(trained_on_camera(name) for name in ("benchmark", "benchmark-too", "clahe"))
    assert trained_on_camera(files["photographs"])
    del files["photographs"], files["photographs-worse"]
    assert default_model("joint") == "benchmark"


def test_files_that_are_no_models(tmp_path: Path, networks) -> None:
    def refusal(path: Path) -> str:
        with pytest.raises(InputError) as caught:
            load_model(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "no such model" in refusal(tmp_path / "gone.safetensors")
    whole = save(tmp_path / "whole.safetensors", "srcnn-3-1-5", networks["srcnn-3-1-5"]).read_bytes()
    cut = tmp_path / "cut.safetensors"
    for size in (0, 4, 200, len(whole) - 1):
        cut.write_bytes(whole[:size])
        assert "damaged" in refusal(cut)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(1)}, foreign)
    assert "not written by lumiface" in refusal(foreign)
    mixed = networks["srcnn-9-1-5"]
    other = tmp_path / "mixed.safetensors"
    save_weights(
        other,
        mixed.state_dict(),
        method="srcnn",
        config=networks["srcnn"].config,
        provenance={},
    )
    assert "do not fit" in refusal(other)


def test_a_recipe_with_an_unknown_setting_is_one_line() -> None:
    with pytest.raises(SettingError, match="lfsrnet-lite: recipe: setting maks: Extra inputs"):
        build_recipe("lfsrnet-lite", {"maks": 0.1}, seed=0)
