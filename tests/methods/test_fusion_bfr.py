"""The restorer: its layers against reference implementations, and the fidelity."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from helpers import rand
from lumiface.methods.fusion_bfr.encoder import EncoderConfig
from lumiface.methods.fusion_bfr.fusion import SFT, Attention, FeatureFusion
from lumiface.methods.fusion_bfr.model import FusionBFR, FusionBFRConfig
from lumiface.methods.fusion_bfr.refine import objective, optimize_latents
from lumiface.registry import build, load_model
from lumiface.training.checkpoint import save_weights

SMALL: dict[str, Any] = {
    "encoder": {"resolution": 32, "channel_base": 256, "max_channels": 16, "latent": 16},
    "generator": {"resolution": 32, "latent": 16, "mapping": 2, "channel_base": 256, "max_channels": 16},
    "fusions": 2,
    "heads": 4,
}


def small() -> FusionBFR:
    torch.manual_seed(0)
    return FusionBFR(FusionBFRConfig.model_validate(SMALL)).eval()


def with_random_sft(network: FusionBFR) -> FusionBFR:
    """SFT layers are initially the identity; give them random weights."""
    for transform in network.sft:
        for branch in (transform.gamma, transform.beta):
            nn.init.normal_(branch[-1].weight, std=0.05)  # type: ignore[index, union-attr, arg-type]
    return network


def test_attention_equals_torchs() -> None:
    torch.manual_seed(0)
    attention, reference = Attention(16, 4), nn.MultiheadAttention(16, 4, batch_first=True)
    with torch.no_grad():
        layers = (attention.query, attention.key, attention.value)
        reference.in_proj_weight.copy_(torch.cat([layer.weight for layer in layers]))
        reference.in_proj_bias.copy_(torch.cat([layer.bias for layer in layers]))
        reference.out_proj.load_state_dict(attention.out.state_dict())
    queries, keys = torch.randn(2, 5, 16), torch.randn(2, 9, 16)
    expected, _ = reference(queries, keys, keys)
    torch.testing.assert_close(attention(queries, keys), expected, atol=1e-5, rtol=1e-4)
    with pytest.raises(ValueError, match="cannot be divided among 3 heads"):
        Attention(16, 3)


def test_latents_depend_on_the_position_of_features() -> None:
    torch.manual_seed(0)
    block, latents, features = FeatureFusion(16, 6, 8, 4), torch.randn(2, 8, 16), torch.randn(2, 6, 8, 8)
    refined = block(latents, features)
    assert refined.shape == latents.shape
    assert not torch.allclose(refined, block(latents, features.flip(-1)), atol=1e-4)


def test_sft_modulates_half_of_the_channels() -> None:
    torch.manual_seed(0)
    transform, generated, features = SFT(8, 6), torch.randn(1, 8, 4, 4), torch.randn(1, 6, 4, 4)
    assert torch.equal(transform(generated, features, 1.0), generated)  # before training
    for branch in (transform.gamma, transform.beta):
        nn.init.normal_(branch[-1].weight, std=0.3)  # type: ignore[index, arg-type]
    modulated = transform(generated, features, 1.0)
    expected = (1.0 + transform.gamma(features)) * generated[:, :4] + transform.beta(features)  # equation 5
    torch.testing.assert_close(modulated[:, :4], expected)
    assert torch.equal(modulated[:, 4:], generated[:, 4:])
    assert torch.equal(transform(generated, features, 0.0), generated)


def test_the_output_changes_monotonically_with_fidelity() -> None:
    network, image = with_random_sft(small()), rand(2, 3, 32, 32)
    with torch.no_grad():
        outputs = [network.restore(image, fidelity) for fidelity in (0.0, 0.25, 0.5, 0.75, 1.0)]
    changes = [float((output - outputs[0]).abs().mean()) for output in outputs]
    assert changes == sorted(changes)
    assert changes[1] > 1e-4
    latents, features = network.embed(image)
    with torch.no_grad():
        without = network.decode(latents, [torch.zeros_like(level) for level in features], 0.0)
    torch.testing.assert_close(without, outputs[0])  # at fidelity 0 only the latents depend on the input


def test_any_input_size_is_kept() -> None:
    network = small()
    with torch.no_grad():
        for size in ((32, 32), (40, 24)):
            assert network(rand(1, 3, *size)).shape == (1, 3, *size)
        image = rand(2, 3, 32, 32)
        batch = network(image)
        assert torch.equal(batch, network(image))  # no noise: deterministic
        torch.testing.assert_close(network(image[1:]), batch[1:], atol=1e-5, rtol=1e-4)
    assert not any("BatchNorm" in type(layer).__name__ for layer in network.modules())


def test_every_parameter_but_the_mapping_gets_a_gradient() -> None:
    network = small().train()
    with torch.no_grad():  # layers initialised to zero block gradients
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    network(rand(2, 3, 32, 32)).square().mean().backward()
    without = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    assert without == {name for name, _ in network.named_parameters() if ".mapping." in name}
    noise = {name for name, _ in network.named_parameters() if name.endswith(".noise")}
    for name, parameter in network.named_parameters():
        if name not in without | noise:
            assert parameter.grad is not None
            assert parameter.grad.any(), name


def test_sizes_of_the_paper() -> None:
    config = FusionBFRConfig()
    assert [config.encoder.channels_at(size) for size in config.encoder.resolutions] == [
        256,
        256,
        256,
        128,
        64,
        32,
        16,
    ]
    assert config.generator.num_latents == 16
    with torch.device("meta"):
        network = FusionBFR(config)
        latents: Tensor
        latents, features = network.embed(torch.empty(1, 3, 512, 512))
    assert latents.shape == (1, 16, 512)
    assert [tuple(level.shape[1:]) for level in (features[0], features[-1])] == [(256, 8, 8), (16, 512, 512)]
    with pytest.raises(ValidationError, match="works at 512 pixels, the generator at 64"):
        FusionBFRConfig.model_validate({"generator": {"resolution": 64}})
    with pytest.raises(ValidationError, match="predicts latents of length 32"):
        FusionBFRConfig(encoder=EncoderConfig(latent=32))


# latent optimisation ------------------------------------------------------------------------------------


@pytest.mark.parametrize("fidelity", [0.0, 1.0])
def test_refinement_is_never_worse_than_the_start(fidelity: float) -> None:
    network, image = with_random_sft(small()), rand(1, 3, 32, 32)
    with torch.no_grad():
        start = network.restore(image, fidelity)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    calls: list[tuple[int, int]] = []
    output, history = optimize_latents(
        network,
        image,
        25,
        effective_resolution=16,
        fidelity=fidelity,
        progress=lambda step, steps, _best: calls.append((step, steps)),
    )
    assert calls == [(step, 25) for step in range(26)]
    assert history == sorted(history, reverse=True)
    assert history[-1] < 0.95 * history[0]
    zero = torch.zeros(1, network.config.generator.num_latents, 16)
    assert history[0] == pytest.approx(objective(start, image, zero, 16, 0.0).item(), abs=1e-6)
    assert objective(output, image, zero, 16, 0.0).item() <= history[-1] + 1e-6
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_diverging_optimisation_returns_the_start() -> None:
    network, image = small(), rand(1, 3, 32, 32)
    with torch.no_grad():
        start = network.restore(image, 1.0)
    output, history = optimize_latents(network, image, 3, effective_resolution=16, lr=1e6, latent_reg=1.0)
    torch.testing.assert_close(output, start)
    assert history == [history[0]] * 4
    unchanged, _ = optimize_latents(network, image, 0, effective_resolution=16)
    torch.testing.assert_close(unchanged, start)
    with pytest.raises(ValueError, match="one square face"):
        optimize_latents(network, rand(2, 3, 32, 32), 1, effective_resolution=16)
    with torch.inference_mode():  # as in the restoration of photographs; any size
        refined = network.refine(rand(1, 3, 40, 40), 2, effective_resolution=12)
    assert refined.shape == (1, 3, 40, 40)


# full size ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_papers_size_trains_is_stored_and_its_encoder_exports(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    network: Any = build("fusion-bfr-512")
    assert network.encoder.config.resolutions == [8, 16, 32, 64, 128, 256, 512]
    assert [network.encoder.config.channels_at(size) for size in (8, 512)] == [256, 16]
    assert network.generator.config.num_latents == 16
    network.generator.requires_grad_(requires_grad=False)
    face = rand(1, 3, 512, 512)
    restored = network(face)
    assert restored.shape == face.shape
    restored.mean().backward()
    trainable = [parameter for parameter in network.parameters() if parameter.requires_grad]
    assert sum(parameter.grad is not None for parameter in trainable) > 0.9 * len(trainable)
    path = tmp_path / "full.safetensors"
    provenance = {"best_minus_lpips_squeeze": -1.0}
    save_weights(
        path, network.state_dict(), method="fusion_bfr", config=network.config, provenance=provenance
    )
    with torch.inference_mode():
        torch.testing.assert_close(load_model(path)(face), network.eval()(face))
        latent, features = network.encoder(face)
    program = torch.onnx.export(network.encoder, (face,), dynamo=True, verbose=False)
    assert program is not None
    program.save(tmp_path / "encoder.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "encoder.onnx"), providers=["CPUExecutionProvider"])
    outputs = session.run(None, {session.get_inputs()[0].name: face.numpy()})
    for output, expected in zip(outputs, [latent, *features], strict=True):
        torch.testing.assert_close(torch.from_numpy(output), expected, atol=1e-3, rtol=1e-3)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 24 * 1024**2  # KiB: 24 GiB
