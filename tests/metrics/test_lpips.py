from __future__ import annotations

import doctest
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from helpers import Find
from lumiface.core import assets
from lumiface.core.errors import AssetMissing, SettingError
from lumiface.metrics import LPIPS
from lumiface.metrics import lpips as lpips_file

NETS = ("squeeze", "alex", "vgg")


def pictures(count: int = 3) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(4)
    target = torch.rand(count, 3, 68, 75, generator=generator)
    output = target + 0.2 * torch.randn(count, 3, 68, 75, generator=generator)
    return output.clamp(0, 1), target


def authors(net: str) -> nn.Module:
    """The authors' package: random features of unit gain, so that no layer fades, and its own heads."""
    lpips = pytest.importorskip("lpips")
    torch.manual_seed(7)
    module = lpips.LPIPS(net=net, pnet_rand=True, verbose=False)
    for name, value in module.net.named_parameters():
        if name.endswith("weight"):
            nn.init.kaiming_normal_(value)
    return module.eval()


@pytest.fixture
def no_assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LUMIFACE_ASSETS", str(tmp_path))
    monkeypatch.setattr(assets, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(assets, "_check_hash", lambda path, asset: None)
    return tmp_path


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("net", NETS)
def test_equals_the_authors_package_from_backbone_and_heads(
    net: lpips_file.LPIPSNet, no_assets: Path
) -> None:
    reference = authors(net)
    # What torchvision's checkpoint holds: all layers, under "features", and a classifier that is not used.
    layers = {
        "features." + name.split(".", 1)[1]: value for name, value in reference.net.state_dict().items()
    }
    torch.save(
        {**layers, "classifier.1.weight": torch.zeros(2)},
        no_assets / assets.ASSETS[lpips_file._BACKBONE[net]].file,
    )
    output, target = pictures()
    found = LPIPS(net)(output, target)
    expected = reference(output, target, normalize=True).flatten()
    assert expected.min() > 0.01
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_equals_the_authors_package_from_the_one_file(no_assets: Path) -> None:
    reference = authors("squeeze")
    torch.save(reference.state_dict(), no_assets / "lpips_squeeze.pt")
    output, target = pictures()
    expected = reference(output, target, normalize=True).flatten()
    torch.testing.assert_close(LPIPS("squeeze")(output, target), expected, atol=1e-4, rtol=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_official_weights(shared_asset, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shared_asset("lpips_squeeze.pt")
    weights = torch.load(path, weights_only=True)
    reference = authors("squeeze")
    reference.load_state_dict(weights)
    monkeypatch.setenv("LUMIFACE_ASSETS", str(path.parent))
    metric = LPIPS()
    output, target = pictures(50)
    # Smooth and dark pairs, too, not noise alone.
    target[::2] = torch.nn.functional.interpolate(target[::2, :, :9, :10], (68, 75), mode="bicubic").clamp(
        0, 1
    )
    output[::3] = target[::3] * torch.linspace(0, 1, 17)[:, None, None, None]
    found = metric(output, target)
    expected = reference(output, target, normalize=True).flatten()
    assert expected.min() < 0.05
    assert expected.max() > 0.5
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    output, target = pictures()
    found = metric(output, target)
    assert metric(target, target).abs().max() == 0
    # Noise grows, and so does the distance.
    assert metric(target.lerp(output, 0.3), target).lt(found).all()
    # The number in the docstring.
    outcome = doctest.testmod(lpips_file, extraglobs={"torch": torch}, optionflags=doctest.ELLIPSIS)
    assert (outcome.attempted, outcome.failed) == (2, 0)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_gradients_reach_the_picture_and_stay_finite(no_assets: Path) -> None:
    torch.save(authors("squeeze").state_dict(), no_assets / "lpips_squeeze.pt")
    metric = LPIPS()
    assert not any(parameter.requires_grad for parameter in metric.parameters())
    _, target = pictures()
    output = torch.zeros_like(target, requires_grad=True)
    metric(output, target).sum().backward()
    assert output.grad is not None
    assert torch.isfinite(output.grad).all()
    assert output.grad.abs().sum() > 0


@pytest.mark.parametrize("net", ["alex", "vgg"])
def test_missing_backbones_are_named_and_not_downloaded(net: lpips_file.LPIPSNet, no_assets: Path) -> None:
    with pytest.raises(AssetMissing, match=assets.ASSETS[lpips_file._BACKBONE[net]].file):
        LPIPS(net)


def test_missing_heads_are_named(no_assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lpips_file, "find_spec", lambda name: None)
    with pytest.raises(AssetMissing, match="lumiface\\[metrics\\]"):
        LPIPS("alex")


def test_unknown_networks_are_refused() -> None:
    with pytest.raises(SettingError, match="squeeze, alex, vgg"):
        LPIPS("resnet")  # type: ignore[arg-type]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_small_pictures(no_assets: Path) -> None:
    torch.save(authors("squeeze").state_dict(), no_assets / "lpips_squeeze.pt")
    metric = LPIPS("squeeze")
    assert metric(torch.zeros(1, 3, 32, 32), torch.ones(1, 3, 32, 32)).item() > 0
    with pytest.raises(ValueError, match="32x32"):
        metric(torch.zeros(1, 3, 31, 32), torch.zeros(1, 3, 31, 32))


def test_a_loss_has_no_backward_pass_through_the_target(shared_asset: Find) -> None:
    """Same value and gradient as with both in one batch, for three quarters of the operations."""
    shared_asset("lpips_squeeze.pt")
    lpips, counts = LPIPS("squeeze"), list[int]()
    values, gradients = list[float](), list[Tensor]()
    for target_needs_gradient in (True, False):
        output, target = pictures(2)
        output.requires_grad_()
        with FlopCounterMode(display=False) as counter:
            distance = lpips(output, target.requires_grad_(target_needs_gradient)).mean()
            distance.backward()
        counts.append(counter.get_total_flops())
        values.append(float(distance))
        assert output.grad is not None
        gradients.append(output.grad)
    assert values[0] == pytest.approx(values[1], abs=1e-6)
    torch.testing.assert_close(*gradients, atol=1e-7, rtol=1e-4)
    assert counts[1] < 0.76 * counts[0]
    with torch.no_grad():
        assert float(lpips(*pictures(2)).mean()) == pytest.approx(values[1], abs=1e-6)


def test_low_precision_is_for_the_convolutions_alone(shared_asset: Find) -> None:
    shared_asset("lpips_squeeze.pt")
    lpips, gradients, values = LPIPS("squeeze"), list[Tensor](), list[float]()
    for low in (False, True):
        output, target = pictures(2)
        with torch.autocast("cpu", torch.bfloat16, enabled=low):
            distance = lpips(output.requires_grad_(), target).mean()
        assert distance.dtype == torch.float32
        distance.backward()
        assert output.grad is not None
        gradients.append(output.grad.flatten())
        values.append(float(distance))
    assert values[1] == pytest.approx(values[0], rel=0.01)
    assert torch.cosine_similarity(*gradients, dim=0) > 0.98
