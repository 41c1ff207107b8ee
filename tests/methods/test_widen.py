"""A wide LFSRNet initialised from a narrow one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lumiface.core.errors import InputError, SettingError
from lumiface.methods.lfsrnet.model import LFSRNet, LFSRNetConfig
from lumiface.methods.lfsrnet.widen import widen
from lumiface.registry import build, init_from_checkpoint
from lumiface.training.checkpoint import save_weights

LOW = torch.rand(2, 3, 17, 24, generator=torch.Generator().manual_seed(0))


def network(seed: int, channels: int, **settings: object) -> LFSRNet:
    torch.manual_seed(seed)
    network = LFSRNet(LFSRNetConfig.model_validate({"channels": channels, "blocks": 2, **settings})).eval()
    with torch.no_grad():  # biases and scales as after training, not all zero and one
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


@pytest.mark.parametrize(
    ("before", "after"), [("resize", "pixelshuffle"), ("resize", "resize"), ("pixelshuffle",) * 2]
)
def test_without_norms_the_output_is_kept(before: str, after: str) -> None:
    narrow = network(0, 16, maxvit=False, upsampler=before)
    wide = network(1, 24, maxvit=False, upsampler=after)
    with torch.no_grad():
        widen(narrow, wide)
        torch.testing.assert_close(wide(LOW), narrow(LOW), atol=2e-5, rtol=1e-4)


def test_a_change_of_the_upsampler_alone_keeps_the_output() -> None:
    narrow, wide = network(0, 16, upsampler="resize"), network(1, 16, upsampler="pixelshuffle")
    with torch.no_grad():
        widen(narrow, wide)
        torch.testing.assert_close(wide(LOW), narrow(LOW), atol=2e-5, rtol=1e-4)


def test_with_attention_the_output_changes_little_and_new_channels_get_gradients() -> None:
    narrow, wide = network(0, 16, upsampler="resize"), network(1, 24)
    with torch.no_grad():
        widen(narrow, wide)
        change = (wide(LOW) - narrow(LOW)).square().mean().sqrt() / narrow(LOW).std()
    assert float(change) < 0.2
    (wide(LOW) - torch.rand(2, 3, 68, 96)).abs().mean().backward()
    gradients = wide.deep[0].fseu.hourglass.down[0].weight.grad[16:].flatten(1).abs().amax(dim=1)
    assert float(gradients.min()) > 0.0
    assert wide.shallow.weight.grad[16:].flatten(1).abs().amax(dim=1).min() > 0.0


def test_only_a_wider_network_of_the_same_method_can_be_initialised(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="16 channels"):
        widen(network(0, 24), network(1, 16))
    with pytest.raises(SettingError, match="channels and upsampler at most"):
        widen(network(0, 16, blocks=1), network(1, 24))
    file = tmp_path / "narrow.safetensors"
    narrow = network(0, 16)
    save_weights(file, narrow.state_dict(), method="lfsrnet", config=narrow.config, provenance={})
    wide = build("lfsrnet", {"channels": 24, "blocks": 2})
    init_from_checkpoint(wide, "lfsrnet", file)
    torch.testing.assert_close(wide.state_dict()["shallow.weight"][:16], narrow.shallow.weight.detach())
    with pytest.raises(InputError, match="a LFSRNet; lumiface-x4 starts from a LumifaceX4"):
        init_from_checkpoint(build("lumiface-x4"), "lumiface-x4", file)
