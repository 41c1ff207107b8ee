"""NIQE, BRISQUE and the statistics that they share, against others' implementations."""

from __future__ import annotations

import doctest
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lumiface.core.errors import AssetMissing, InputError
from lumiface.imaging.quantize import from_uint8
from lumiface.metrics import brisque as brisque_file
from lumiface.metrics import natural_scene
from lumiface.metrics import niqe as niqe_file
from lumiface.metrics.brisque import (
    BRISQUE,
    brisque,
    brisque_features,
    read_regression,
    scale_features,
)
from lumiface.metrics.niqe import NIQE

# What BasicSR 1.4.2 gives for pictures of scikit-image; its authors checked it against MATLAB. First Y of
# rgb2ycbcr, then rgb2gray, both rounded.
BASICSR_NIQE = {
    "astronaut": (3.09061, 3.06202),
    "coffee": (4.11533, 4.06020),
    "chelsea": (2.62552, 2.57208),
    "rocket": (6.97093, 7.03592),
    "camera": (3.15632, 3.09622),
    "coins": (3.63594, 3.62267),
}


def photograph(name: str) -> Tensor:
    """One of scikit-image's own pictures as (1, 3, H, W)."""
    from skimage import data

    pixels = getattr(data, name)()
    return from_uint8(np.stack([pixels] * 3, axis=2) if pixels.ndim == 2 else pixels)


@pytest.fixture
def assets_here(shared_asset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMIFACE_ASSETS", str(shared_asset("niqe_pris_params.npz").parent))


# --- what both share ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("alpha", "left", "right"), [(0.8, 1.0, 2.0), (1.0, 3.0, 1.5), (2.3, 1.0, 1.0)])
def test_the_fit_recovers_the_parameters_of_samples(alpha: float, left: float, right: float) -> None:
    # |x| / beta to the power alpha is gamma-distributed; a side has probability in proportion to its beta.
    rng = np.random.default_rng(5)
    beta = np.sqrt(math.gamma(1 / alpha) / math.gamma(3 / alpha))
    size = rng.gamma(1 / alpha, size=(600, 800)) ** (1 / alpha)
    is_left = rng.random((600, 800)) < left / (left + right)
    samples = torch.from_numpy(np.where(is_left, -size * left, size * right) * beta)
    fit = natural_scene.fit_asymmetric(samples[None])
    assert fit.alpha.item() == pytest.approx(alpha, rel=0.02)
    assert fit.left.item() == pytest.approx(left, rel=0.02)
    assert fit.right.item() == pytest.approx(right, rel=0.02)
    scales = [scale.item() for scale in fit.scales]
    assert scales == pytest.approx([beta * left, beta * right], rel=0.02)
    assert fit.mean.item() == pytest.approx(samples.mean().item(), abs=0.03)
    if left == right:
        shape, variance = natural_scene.fit_symmetric(samples[None])
        assert shape.item() == pytest.approx(alpha, rel=0.02)
        assert variance.item() == pytest.approx(left**2, rel=0.02)


def test_local_contrast_is_that_of_scipy() -> None:
    from scipy.ndimage import gaussian_filter

    grey = natural_scene.rounded_luma(photograph("coins"), "full")
    flat = grey[0, 0].numpy()
    for rim, mode in (("replicate", "nearest"), ("zeros", "constant")):
        mean, squares = (gaussian_filter(p, 7 / 6, mode=mode, radius=3) for p in (flat, flat**2))
        expected = (flat - mean) / (np.sqrt(np.abs(squares - mean**2)) + 1)
        found = natural_scene.normalise_contrast(grey, natural_scene.gaussian_window(), rim)
        np.testing.assert_allclose(found[0, 0], expected, atol=1e-6)


def test_luma_is_rounded_as_in_matlab() -> None:
    from skimage.color import rgb2gray, rgb2ycbcr

    picture = photograph("astronaut")
    pixels = picture[0].permute(1, 2, 0).double().numpy()
    limited = natural_scene.rounded_luma(picture, "limited")[0, 0].numpy()
    assert np.abs(limited - rgb2ycbcr(pixels)[..., 0]).max() <= 0.5 + 1e-3
    full = natural_scene.rounded_luma(picture, "full")[0, 0].numpy()
    assert np.abs(full - 255 * rgb2gray(pixels)).mean() < 5  # other weights, the same range
    assert np.array_equal(full, full.round())


# --- NIQE ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BASICSR_NIQE)
def test_niqe_agrees_with_basicsr(name: str, assets_here: None) -> None:
    picture = photograph(name)
    for luma, expected in zip(("limited", "full"), BASICSR_NIQE[name], strict=True):
        assert NIQE(luma=luma)(picture).item() == pytest.approx(expected, rel=0.005)


def test_niqe_takes_the_asset_window(assets_here: None) -> None:
    torch.testing.assert_close(NIQE().window, natural_scene.gaussian_window(), atol=1e-12, rtol=0)


def test_niqe_grows_with_noise_and_blur_and_measures_a_batch_one_by_one(assets_here: None) -> None:
    measure = NIQE()
    sharp = photograph("coffee")[..., :192, :288]
    generator = torch.Generator().manual_seed(1)
    noisy = (sharp + 0.1 * torch.randn(sharp.shape, generator=generator)).clamp(0, 1)
    blurred = torch.nn.functional.avg_pool2d(sharp, 5, stride=1, padding=2, count_include_pad=False)
    batch = measure(torch.cat([sharp, noisy, blurred]))
    assert batch.dtype == torch.float64
    assert batch[0] < batch[1:].min()
    torch.testing.assert_close(batch[1:2], measure(noisy))


def test_niqe_of_small_and_flat_pictures(assets_here: None) -> None:
    with pytest.raises(ValueError, match="192x192 pixels or more"):
        NIQE()(torch.zeros(1, 3, 191, 400))
    face = photograph("astronaut")[..., 30:158, 150:278]
    with pytest.raises(ValueError, match="128, 128"):
        NIQE()(face)
    assert 0 < NIQE(block_size=64)(face).item() < 100
    with pytest.raises(ValueError, match="even"):
        NIQE(block_size=63)(face)
    assert NIQE()(torch.full((1, 3, 192, 192), 0.5)).isnan().all()
    half_flat = photograph("coffee")[..., :384, :384].clone()
    half_flat[..., 192:] = 0.5  # some blocks have no structure: the others decide
    assert NIQE()(half_flat).isfinite().all()


def test_the_example_in_the_docstring_of_niqe(assets_here: None) -> None:
    outcome = doctest.testmod(niqe_file, extraglobs={"torch": torch}, optionflags=doctest.ELLIPSIS)
    assert outcome.attempted > 0
    assert outcome.failed == 0


# --- BRISQUE ------------------------------------------------------------------------------------------------


def write_model(path: Path, count: int = 40) -> Path:
    """A small regression in LIBSVM's format; zeros are left out, as LIBSVM does."""
    rng = np.random.default_rng(2)
    lines = ["svm_type epsilon_svr", "kernel_type rbf", "gamma 0.05", "nr_class 2"]
    lines += [f"total_sv {count}", "rho -153.591", "probA 5.7", "SV"]
    for _ in range(count):
        vector = np.where(rng.random(36) < 0.1, 0.0, rng.uniform(-1, 1, 36).round(6))
        entries = " ".join(f"{i}:{v}" for i, v in enumerate(vector, start=1) if v != 0)
        lines.append(f"{rng.uniform(-50, 50):.6f} {entries} ")
    path.write_text("\n".join(lines) + "\n")
    return path


def piq_brisque(picture: Tensor, model: Path, monkeypatch: pytest.MonkeyPatch) -> float:
    """piq's score with the same support vectors instead of those that it would download."""
    piq = pytest.importorskip("piq")
    regression = read_regression(model)
    module = sys.modules["piq.brisque"]
    monkeypatch.setattr(
        module, "load_url", lambda url, map_location: (regression.weights, regression.vectors.clone())
    )
    return piq.brisque(picture.double(), data_range=1.0).item()


@pytest.mark.parametrize("name", ["astronaut", "camera", "moon"])
def test_brisque_agrees_with_piq(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Even sizes only: of an odd one piq's half is one pixel smaller than MATLAB's and this one.
    model = write_model(tmp_path / "allmodel")
    picture = photograph(name)[..., 100:356, 100:400]
    expected = piq_brisque(picture, model, monkeypatch)
    assert brisque(picture, read_regression(model)).item() == pytest.approx(expected, abs=0.02)


def test_features_are_scaled_to_the_range_of_the_training_set() -> None:
    low, high = (torch.tensor(row).view(1, 36) for row in (brisque_file._MINIMUM, brisque_file._MAXIMUM))
    torch.testing.assert_close(
        scale_features(torch.cat([low, high])), torch.tensor([[-1.0], [1]]).expand(2, 36)
    )
    # A photograph's are inside it.
    assert scale_features(brisque_features(photograph("astronaut"))).abs().max() < 1


# Scaled features of a picture of the authors' release, and its score, both from their MATLAB code.
MATLAB_FEATURES = (
    (-0.617264, -0.270555, -0.295875, 0.0406103, -0.778699, -0.474667, -0.297065, 0.0308621, -0.757414),
    (-0.500593, -0.258806, -0.0243801, -0.671236, -0.656588, -0.275518, -0.00898751, -0.665791, -0.658926),
    (0.168636, 0.00856362, 0.23913, -0.72301, -0.171255, -0.433049, 0.24878, -0.502953, -0.193939),
    (-0.392484, 0.308192, -0.264632, -0.365476, -0.333965, 0.304462, -0.19329, -0.375196, -0.322727),
)


def test_brisque_with_the_authors_model(monkeypatch: pytest.MonkeyPatch) -> None:
    model = brisque_file.AUTHORS_MODEL
    features = torch.tensor(MATLAB_FEATURES, dtype=torch.float64).view(1, 36)
    assert read_regression(model)(features).item() == pytest.approx(52.521, abs=1e-3)
    measure = BRISQUE()
    for name in ("astronaut", "camera", "moon"):
        picture = photograph(name)
        expected = piq_brisque(picture, model, monkeypatch)
        assert measure(picture).item() == pytest.approx(expected, abs=0.05)


def test_invalid_input_of_brisque(tmp_path: Path) -> None:
    regression = read_regression(write_model(tmp_path / "allmodel"))
    with pytest.raises(ValueError, match="32x32"):
        brisque(torch.zeros(1, 3, 31, 64), regression)
    assert brisque(torch.full((1, 3, 64, 64), 0.5), regression).isnan().all()
    cut = tmp_path / "cut"
    cut.write_text((tmp_path / "allmodel").read_text()[:-800])
    for name, text in (("cut", cut.read_text()), ("other", "a picture of a cat"), ("empty", "")):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match=name):
            read_regression(tmp_path / name)


def unreachable(*_given: object, **_named: object) -> str:
    raise OSError("no network")


def test_missing_parameters_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUMIFACE_ASSETS", str(tmp_path))
    monkeypatch.setattr("lumiface.core.assets.cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr("pooch.retrieve", unreachable)
    with pytest.raises(AssetMissing, match="niqe_pris_params"):
        NIQE()
