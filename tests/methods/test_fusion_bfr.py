"""The restorer: its parts against what they are made of, and the share between input and generator."""

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
from lumiface.methods.fusion_bfr.refine import objective, refine
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


def woken(network: FusionBFR) -> FusionBFR:
    """Transforms begin by changing nothing; let them say something."""
    for transform in network.lead:
        for branch in (transform.gamma, transform.beta):
            nn.init.normal_(branch[-1].weight, std=0.05)  # type: ignore[index, union-attr, arg-type]
    return network


def test_attention_is_that_of_torch() -> None:
    torch.manual_seed(0)
    ours, theirs = Attention(16, 4), nn.MultiheadAttention(16, 4, batch_first=True)
    with torch.no_grad():
        parts = (ours.query, ours.key, ours.value)
        theirs.in_proj_weight.copy_(torch.cat([part.weight for part in parts]))
        theirs.in_proj_bias.copy_(torch.cat([part.bias for part in parts]))
        theirs.out_proj.load_state_dict(ours.out.state_dict())
    queries, keys = torch.randn(2, 5, 16), torch.randn(2, 9, 16)
    torch.testing.assert_close(ours(queries, keys), theirs(queries, keys, keys)[0], atol=1e-5, rtol=1e-4)
    with pytest.raises(ValueError, match="cannot be divided among 3 heads"):
        Attention(16, 3)


def test_codes_see_where_things_are() -> None:
    torch.manual_seed(0)
    block, codes, features = FeatureFusion(16, 6, 8, 4), torch.randn(2, 8, 16), torch.randn(2, 6, 8, 8)
    refined = block(codes, features)
    assert refined.shape == codes.shape
    assert not torch.allclose(refined, block(codes, features.flip(-1)), atol=1e-4)


def test_half_of_the_channels_is_led() -> None:
    torch.manual_seed(0)
    transform, generated, seen = SFT(8, 6), torch.randn(1, 8, 4, 4), torch.randn(1, 6, 4, 4)
    assert torch.equal(transform(generated, seen, 1.0), generated)  # before the first lesson
    for branch in (transform.gamma, transform.beta):
        nn.init.normal_(branch[-1].weight, std=0.3)  # type: ignore[index, arg-type]
    led = transform(generated, seen, 1.0)
    expected = (1.0 + transform.gamma(seen)) * generated[:, :4] + transform.beta(seen)  # equation 5
    torch.testing.assert_close(led[:, :4], expected)
    assert torch.equal(led[:, 4:], generated[:, 4:])
    assert torch.equal(transform(generated, seen, 0.0), generated)


def test_the_share_moves_the_result_steadily() -> None:
    network, picture = woken(small()), rand(2, 3, 32, 32)
    with torch.no_grad():
        results = [network.restore(picture, share) for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    moved = [float((result - results[0]).abs().mean()) for result in results]
    assert moved == sorted(moved)
    assert moved[1] > 1e-4
    codes, features = network.embed(picture)
    with torch.no_grad():
        alone = network.draw(codes, [torch.zeros_like(level) for level in features], 0.0)
    torch.testing.assert_close(alone, results[0])  # nothing of the input but its codes


def test_any_size_goes_in_and_comes_out() -> None:
    network = small()
    with torch.no_grad():
        for size in ((32, 32), (40, 24)):
            assert network(rand(1, 3, *size)).shape == (1, 3, *size)
        picture = rand(2, 3, 32, 32)
        together = network(picture)
        assert torch.equal(together, network(picture))  # no noise: the same face every time
        torch.testing.assert_close(network(picture[1:]), together[1:], atol=1e-5, rtol=1e-4)
    assert not any("BatchNorm" in type(layer).__name__ for layer in network.modules())


def test_every_parameter_learns_but_what_draws_from_nothing() -> None:
    network = small().train()
    with torch.no_grad():  # a layer that starts at zero lets nothing through before its first step
        for parameter in network.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    network(rand(2, 3, 32, 32)).square().mean().backward()
    silent = {name for name, parameter in network.named_parameters() if parameter.grad is None}
    assert silent == {name for name, _ in network.named_parameters() if ".mapping." in name}
    noise = {name for name, _ in network.named_parameters() if name.endswith(".noise")}
    for name, parameter in network.named_parameters():
        if name not in silent | noise:
            assert parameter.grad is not None
            assert parameter.grad.any(), name


def test_the_paper_s_sizes() -> None:
    config = FusionBFRConfig()
    assert [config.encoder.channels_at(side) for side in config.encoder.sides] == [
        256,
        256,
        256,
        128,
        64,
        32,
        16,
    ]
    assert config.generator.codes == 16
    with torch.device("meta"):
        network = FusionBFR(config)
        codes: Tensor
        codes, features = network.embed(torch.empty(1, 3, 512, 512))
    assert codes.shape == (1, 16, 512)
    assert [tuple(level.shape[1:]) for level in (features[0], features[-1])] == [(256, 8, 8), (16, 512, 512)]
    with pytest.raises(ValidationError, match="works at 512 pixels, the generator at 64"):
        FusionBFRConfig.model_validate({"generator": {"resolution": 64}})
    with pytest.raises(ValidationError, match="tells 32 numbers"):
        FusionBFRConfig(encoder=EncoderConfig(latent=32))


# refinement ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fidelity", [0.0, 1.0])
def test_refinement_is_never_worse_than_the_start(fidelity: float) -> None:
    network, picture = woken(small()), rand(1, 3, 32, 32)
    with torch.no_grad():
        start = network.restore(picture, fidelity)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    told: list[tuple[int, int]] = []
    answer, course = refine(
        network,
        picture,
        25,
        detail=16,
        fidelity=fidelity,
        tell=lambda step, steps, _best: told.append((step, steps)),
    )
    assert told == [(step, 25) for step in range(26)]
    assert course == sorted(course, reverse=True)
    assert course[-1] < 0.95 * course[0]
    nothing = torch.zeros(1, network.config.generator.codes, 16)
    assert course[0] == pytest.approx(objective(start, picture, nothing, 16, 0.0).item(), abs=1e-6)
    assert objective(answer, picture, nothing, 16, 0.0).item() <= course[-1] + 1e-6
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    assert all(parameter.grad is None for parameter in network.parameters())


def test_too_large_steps_leave_the_start_s_answer() -> None:
    network, picture = small(), rand(1, 3, 32, 32)
    with torch.no_grad():
        start = network.restore(picture, 1.0)
    answer, course = refine(network, picture, 3, detail=16, rate=1e6, stay=1.0)
    torch.testing.assert_close(answer, start)
    assert course == [course[0]] * 4
    again, _ = refine(network, picture, 0, detail=16)
    torch.testing.assert_close(again, start)
    with pytest.raises(ValueError, match="one square face"):
        refine(network, rand(2, 3, 32, 32), 1, detail=16)
    with torch.inference_mode():  # as whole photographs are restored; of any size
        assert network.refine(rand(1, 3, 40, 40), 2, detail=12).shape == (1, 3, 40, 40)


# full size ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_paper_s_size_learns_is_stored_and_its_encoder_exports(tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    network: Any = build("fusion-bfr-512")
    assert network.encoder.config.sides == [8, 16, 32, 64, 128, 256, 512]
    assert [network.encoder.config.channels_at(side) for side in (8, 512)] == [256, 16]
    assert network.generator.config.codes == 16
    network.generator.requires_grad_(requires_grad=False)
    face = rand(1, 3, 512, 512)
    restored = network(face)
    assert restored.shape == face.shape
    restored.mean().backward()
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    assert sum(parameter.grad is not None for parameter in learning) > 0.9 * len(learning)
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
