"""The Fréchet distance against scipy, torchmetrics and closed forms; its backbones against their own."""

from __future__ import annotations

import doctest
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from lumiface.core import assets
from lumiface.core.errors import AssetMissing, SettingError
from lumiface.metrics import frechet as frechet_file
from lumiface.metrics.frechet import FrechetDistance, frechet_distance


def features(count: int, seed: int, dimensions: int = 24) -> Tensor:
    """Correlated vectors with a mean, as a network's features are."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(dimensions, dimensions, generator=generator) / dimensions**0.5
    return torch.randn(count, dimensions, generator=generator) @ mixing + 0.3 * seed


@pytest.mark.parametrize(("many", "few"), [(300, 200), (60, 13), (2, 9)])
def test_equals_scipys_matrix_root(many: int, few: int) -> None:
    from scipy.linalg import sqrtm

    first, second = features(many, 1), features(few, 2)
    one, other = np.cov(first.double().numpy().T), np.cov(second.double().numpy().T)
    between = ((first.double().mean(0) - second.double().mean(0)) ** 2).sum().item()
    # A little on the diagonal: scipy's root of a singular matrix is not exact.
    tiny = 1e-10 * np.eye(len(one))
    expected = between + np.trace(one + other - 2 * sqrtm((one + tiny) @ (other + tiny)).real)
    assert frechet_distance(first, second).item() == pytest.approx(float(expected), rel=1e-4)
    assert frechet_distance(second, first).item() == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_equals_torchmetrics_with_another_network() -> None:
    from torchmetrics.image.fid import FrechetInceptionDistance

    torch.manual_seed(3)
    network = nn.Sequential(nn.AvgPool2d(8), nn.Flatten(), nn.Linear(48, 20))
    network.num_features = 20
    metric = FrechetInceptionDistance(feature=network, normalize=True, input_img_size=(3, 32, 32))
    first = torch.rand(120, 3, 32, 32)
    second = torch.rand(90, 3, 32, 32) ** 2
    with torch.no_grad():
        metric.update(first, real=True)
        metric.update(second, real=False)
        found = frechet_distance(network(first), network(second))
        expected = metric.set_dtype(torch.float64).compute()
    assert found.item() == pytest.approx(expected.item(), rel=1e-4)


def test_closed_forms() -> None:
    one = features(50, 1)
    assert frechet_distance(one, one).item() == pytest.approx(0.0, abs=1e-9)
    assert frechet_distance(one, one + 2).item() == pytest.approx(24 * 4, rel=1e-6)
    # Twice as wide about the same mean: each variance v gives (sqrt(4 v) - sqrt(v))^2 = v.
    wide = 2 * (one - one.mean(0)) + one.mean(0)
    assert frechet_distance(one, wide).item() == pytest.approx(torch.cov(one.mT).trace().item(), rel=1e-5)


def test_invalid_input() -> None:
    with pytest.raises(ValueError, match="2 vectors"):
        frechet_distance(torch.zeros(1, 3), torch.zeros(5, 3))
    with pytest.raises(ValueError, match=r"\(N, D\)"):
        frechet_distance(torch.zeros(5, 3), torch.zeros(5, 4))
    with pytest.raises(SettingError, match="squeezenet"):
        FrechetDistance("vgg")  # type: ignore[arg-type]


def test_the_example_in_the_docstring() -> None:
    outcome = doctest.testmod(frechet_file, extraglobs={"torch": torch}, optionflags=doctest.ELLIPSIS)
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_squeezenet_is_torchvisions(shared_asset, monkeypatch: pytest.MonkeyPatch) -> None:
    torchvision = pytest.importorskip("torchvision")
    path = shared_asset("lpips_squeeze.pt")
    monkeypatch.setenv("LUMIFACE_ASSETS", str(path.parent))
    measure = FrechetDistance()
    assert measure.name == "fd_squeezenet"
    reference = torchvision.models.squeezenet1_1(weights=None).features.eval()
    reference.load_state_dict(measure.network.lpips.features.state_dict())
    pictures = torch.rand(4, 3, 48, 40)
    normalise = torchvision.transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    with torch.no_grad():
        expected = reference(normalise(pictures)).mean(dim=(2, 3))
    torch.testing.assert_close(measure.features(pictures), expected, atol=1e-5, rtol=1e-3)
    assert measure(pictures, pictures.flip(0)).item() == pytest.approx(0.0, abs=1e-6)
    assert measure(pictures, pictures**3) > measure(pictures, pictures**1.2)
    with pytest.raises(ValueError, match="32x32"):
        measure.features(torch.zeros(2, 3, 31, 40))


@pytest.fixture
def no_assets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LUMIFACE_ASSETS", str(tmp_path))
    monkeypatch.setattr(assets, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(assets, "_check_hash", lambda path, asset: None)
    return tmp_path


def test_missing_weights_are_named(no_assets: Path) -> None:
    with pytest.raises(AssetMissing, match="weights-inception-2015-12-05"):
        FrechetDistance("inception")


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_fid_takes_the_features_of_torch_fidelity(no_assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    file = no_assets / assets.ASSETS["inception_fid"].file
    # Random weights in the published file's place: a network is built without loading, then saved.
    torch.save({}, file)
    torch.manual_seed(0)
    with monkeypatch.context() as patch:
        patch.setattr(module.FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        reference = module.FeatureExtractorInceptionV3(
            "x", ["2048"], feature_extractor_weights_path=str(file)
        ).eval()
    torch.save(reference.state_dict(), file)
    measure = FrechetDistance("inception")
    assert measure.name == "fid"
    pictures = torch.rand(2, 3, 40, 64)
    with torch.no_grad():
        expected = reference((pictures * 255).round().byte())[0]
    assert expected.shape == (2, 2048)
    torch.testing.assert_close(measure.features(pictures), expected.float())
