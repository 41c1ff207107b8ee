"""Every method and preset, by table: a method that joins the registry is tested the day it joins."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lumiface.registry import (
    METHODS,
    build,
    build_recipe,
    find_capabilities,
    find_spec,
    load_model,
    read_metadata,
)
from lumiface.training.checkpoint import save_weights

PRESETS = [preset for spec in METHODS.values() for preset in spec.presets]
# A minute per picture, or seconds; their small siblings are the same code.
HEAVY = ("prior3d-paper-ddim", "fusion-bfr-512", "fusion-bfr-256", "fusion-bfr-128", "pulse")
# A thousand calls of the denoiser per picture: an hour. The same network as prior3d-paper-ddim.
NOT_RUN = ("prior3d-paper",)
TESTED = [
    pytest.param(name, marks=pytest.mark.slow) if name in HEAVY else name
    for name in PRESETS
    if name not in NOT_RUN
]
SCALES = [
    (name, scale)
    for name, spec in METHODS.items()
    if "scale" in spec.config.model_fields
    for scale in spec.config.model_fields["scale"].annotation.__args__
]

# Baselines with every kind of layer once: their deep networks take minutes and show nothing more.
SMALL: dict[str, dict[str, Any]] = {
    "lfsrnet": {"channels": 16, "blocks": 2},
    "edsr": {"channels": 16, "blocks": 2},
    "sparnet": {"channels": 8, "hourglass_channels": 8, "blocks": 1},
    "ctcnet": {"channels": 8, "transformers": (1, 1, 1), "refinements": 1},
    "swinir": {"channels": 24, "groups": 1},
    "omnisr": {"channels": 16, "groups": 1},
    "dln": {"channels": 16},
    "lsr": {"channels": 16},
    "esrgan": {"channels": 16, "blocks": 1},
    "realesrgan": {"channels": 16, "layers": 2},
    "pulse": {"steps": 2},
}


@pytest.fixture(scope="module")
def networks() -> dict[str, nn.Module]:
    """One network of each preset, untrained, always the same."""
    built: dict[str, nn.Module] = {}
    for preset in PRESETS:
        torch.manual_seed(0)
        built[preset] = build(preset, SMALL.get(preset)).eval()
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


@pytest.mark.parametrize("preset", TESTED)
@pytest.mark.parametrize("size", [(16, 16), (17, 23), (9, 40)])
def test_pictures_of_any_size(networks: dict[str, nn.Module], preset: str, size: tuple[int, int]) -> None:
    run(networks[preset], picture(2, 3, *size))


@pytest.mark.parametrize("preset", TESTED)
def test_pictures_of_the_declared_minimum_size(networks: dict[str, nn.Module], preset: str) -> None:
    smallest = find_capabilities(preset).min_size
    run(networks[preset], picture(1, 3, smallest, smallest))
    run(networks[preset], picture(1, 3, smallest, 3 * smallest + 1))


@pytest.mark.parametrize("preset", TESTED)
def test_a_picture_alone_and_in_a_batch(networks: dict[str, nn.Module], preset: str) -> None:
    batch = picture(3, 3, 16, 12)
    together = run(networks[preset], batch)
    torch.testing.assert_close(run(networks[preset], batch[1:2]), together[1:2], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("preset", TESTED)
def test_grey_black_and_white_pictures(networks: dict[str, nn.Module], preset: str) -> None:
    grey = picture(1, 1, 16, 16).expand(1, 3, 16, 16)
    outputs = run(networks[preset], torch.cat([grey, torch.zeros_like(grey), torch.ones_like(grey)]))
    assert outputs.abs().max() < 100


@pytest.mark.parametrize("preset", TESTED)
def test_the_declared_dtypes_agree(networks: dict[str, nn.Module], preset: str) -> None:
    low = picture(1, 3, 16, 16)
    exact = run(networks[preset], low)
    for dtype in find_capabilities(preset).dtypes:
        copy = build(preset, SMALL.get(preset))
        copy.load_state_dict(networks[preset].state_dict())
        output = run(copy.to(dtype).eval(), low.to(dtype))
        assert output.dtype == dtype
        error = (output.float() - exact).abs().max() / exact.abs().max()
        assert error < (1e-5 if dtype == torch.float32 else 0.1)


EXPORTED = [
    pytest.param(name, marks=pytest.mark.slow) if name in ("ctcnet", "hvi-cidnet") else name  # a minute both
    for name in METHODS
    if not find_capabilities(name).torch_only
]


@pytest.mark.parametrize("name", EXPORTED)
def test_onnx_and_torch_agree(name: str, tmp_path: Path) -> None:
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
def test_a_saved_network_is_loaded_unchanged(
    networks: dict[str, nn.Module], preset: str, tmp_path: Path
) -> None:
    network: Any = networks[preset]

    def save(name: str, **settings: Any) -> Path:
        weights = network.state_dict()
        path = tmp_path / name
        save_weights(path, weights, method=preset, config=network.config, provenance={}, **settings)
        return path

    path = save("full.safetensors")
    loaded = load_model(path)
    assert not loaded.training
    assert loaded.config == network.config
    assert read_metadata(path)["method"] == preset
    low = picture(1, 3, 16, 16)
    assert torch.equal(run(loaded, low), run(network, low))
    half = load_model(save("half.safetensors", dtype=torch.float16))
    assert {parameter.dtype for parameter in half.parameters()} <= {torch.float32}
    torch.testing.assert_close(run(half, low), run(network, low), atol=5e-3, rtol=5e-3)


@pytest.mark.parametrize("preset", [name for name in PRESETS if find_spec(name)[0].recipe is not None])
def test_every_parameter_gets_a_gradient_from_the_recipe(preset: str) -> None:
    task = find_capabilities(preset).tasks[0]
    without_gradient: set[str] | None = None
    for seed in range(4):  # in one random start a whole narrow ReLU layer may happen to be off
        torch.manual_seed(seed)
        network: Any = build(preset, SMALL.get(preset))
        with torch.no_grad():  # a layer that starts at zero passes no gradient before its first step
            for parameter in network.parameters():
                parameter.add_(1e-3 * torch.randn_like(parameter))
        recipe: Any = build_recipe(preset, {}, seed)
        high = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(seed))
        scale = network.config.scale if network.config.scale > 1 else 4
        low, target = recipe.degrade(high, task, scale, torch.Generator().manual_seed(seed))
        assert task in ("sr", "blind") or low.mean() < high.mean()
        output = network(low)
        assert output[: len(target)].shape == target.shape  # some losses need more than the picture
        terms = recipe(output, low, target, torch.tensor([[8.0, 8.0, 56.0, 56.0]] * 2))
        assert all(bool(term > 0) for term in terms.values())
        torch.stack(list(terms.values())).sum().backward()
        grads = {name: parameter.grad for name, parameter in network.named_parameters()}
        assert all(grad is not None and grad.isfinite().all() for grad in grads.values())
        zero = {name for name, grad in grads.items() if not grad.any()}
        without_gradient = zero if without_gradient is None else without_gradient & zero
    assert without_gradient == set()


@pytest.mark.parametrize(("method", "scale"), SCALES)
def test_every_scale(method: str, scale: int) -> None:
    network = build(method, {"scale": scale} | SMALL.get(method, {}))
    assert run(network.eval(), picture(1, 3, 11, 8)).shape[-1] == 8 * scale


RESIZE = [preset for preset in PRESETS if find_spec(preset)[1].get("upsampler") == "resize"]


@pytest.mark.parametrize("preset", RESIZE)
def test_the_resize_upsampler_keeps_flat_features_flat(networks: dict[str, nn.Module], preset: str) -> None:
    network: Any = networks[preset]
    features = torch.linspace(-1, 1, network.config.channels)[None, :, None, None].expand(1, -1, 16, 16)
    with torch.inference_mode():
        inside = network.upsample(features)[..., 16:-16, 16:-16]
    assert (inside.amax(dim=(2, 3)) - inside.amin(dim=(2, 3))).max() < 1e-6


@pytest.mark.parametrize("preset", RESIZE)
def test_a_flat_picture_has_no_grid_pattern(networks: dict[str, nn.Module], preset: str) -> None:
    assert grid_pattern(run(networks[preset], torch.full((1, 3, 32, 32), 0.2))) < 1e-3
    # The measure detects a grid of one level of 8 bits.
    sheet = torch.full((1, 3, 128, 128), 0.5)
    sheet[..., ::2, ::2] += 1 / 255
    assert grid_pattern(sheet) > 1.5e-3


def grid_pattern(high: Tensor) -> float:
    """Standard deviation over the 4x4 positions of a pixel among its neighbours, averaged over the middle."""
    middle = high[..., 32:-32, 32:-32]
    smooth = torch.nn.functional.avg_pool2d(middle, 5, stride=1, padding=2, count_include_pad=False)
    residual = (middle - smooth)[..., 4:-4, 4:-4]
    means = residual.unfold(2, 4, 4).unfold(3, 4, 4).mean(dim=(0, 2, 3))  # (3, 4, 4)
    return float(means.flatten(1).std(dim=1).max())
