"""Diffusion: its equations, a distribution with known solution, and the denoiser."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from helpers import rand
from lumiface.blocks.diffusion import NoiseSchedule, Predicts
from lumiface.geometry.camera import camera_angles, orbit_camera
from lumiface.methods.prior3d import prior as prior_module
from lumiface.methods.prior3d.denoiser import (
    AdaptiveFusion,
    Denoiser,
    DenoiserConfig,
    time_embedding,
)
from lumiface.methods.prior3d.plane_normalizer import TriplaneNormalizer
from lumiface.methods.prior3d.prior import Prior, PriorConfig, orthonormalize_camera
from lumiface.methods.prior3d.prior_recipe import PriorRecipe, PriorRecipeConfig
from lumiface.methods.prior3d.render import RenderConfig
from lumiface.methods.prior3d.triplane import TriPlaneConfig

SMALL = DenoiserConfig(components=12, side=16, widths=(16, 24, 32), condition=16, embedding=32, steps=50)


def test_one_step_of_noise_equals_many() -> None:
    # Equation 1 applied t times has the mean and variance of equation 2.
    schedule = NoiseSchedule(20)
    mean, variance = 1.0, 0.0
    for t in range(1, 21):
        beta = schedule.beta[t - 1].item()
        mean, variance = mean * (1 - beta) ** 0.5, variance * (1 - beta) + beta
        x = schedule.add_noise(torch.ones(1, 1, 1, 1), torch.zeros(1, 1, 1, 1), torch.tensor([t]))
        assert x.item() == pytest.approx(mean, rel=1e-5)
        noise = schedule.add_noise(torch.zeros(1, 1, 1, 1), torch.ones(1, 1, 1, 1), torch.tensor([t]))
        assert noise.item() ** 2 == pytest.approx(variance, rel=1e-4)
    assert schedule.alpha_bar[-1] < 1e-3  # no signal is left at t = T


def test_noise_from_inverts_add_noise() -> None:
    schedule, clean, noise = NoiseSchedule(100), rand(3, 2, 4, 4), torch.randn(3, 2, 4, 4)
    t = torch.tensor([1, 50, 90])
    noisy = schedule.add_noise(clean, noise, t)
    torch.testing.assert_close(schedule.noise_from(noisy, clean, t), noise, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("sampler", ["ddpm", "ddim"])
@pytest.mark.parametrize("predicts", ["clean", "noise"])
def test_sampling_recovers_a_known_distribution(sampler: str, predicts: Predicts) -> None:
    # x_0 ~ N(2, 0.5²): the optimal estimate is linear in x_t; sampling must give N(2, 0.5²).
    schedule = NoiseSchedule(200)

    def estimate(x: Tensor, t: Tensor) -> Tensor:
        bar = schedule.alpha_bar[t - 1].float()[:, None, None, None]
        if predicts == "noise":
            return (1 - bar).sqrt() * (x - 2.0 * bar.sqrt()) / (0.25 * bar + 1 - bar)
        return 2.0 + 0.25 * bar.sqrt() * (x - 2.0 * bar.sqrt()) / (0.25 * bar + 1 - bar)

    generator = torch.Generator().manual_seed(0)
    start = torch.randn(20_000, 1, 1, 1, generator=generator)
    if sampler == "ddpm":
        samples = schedule.ddpm(estimate, start, generator, predicts=predicts)
    else:
        samples = schedule.ddim(estimate, start, 50, predicts=predicts)
        assert torch.equal(samples, schedule.ddim(estimate, start, 50, predicts=predicts))
    assert samples.mean().item() == pytest.approx(2.0, abs=0.02)
    assert samples.std().item() == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("clip", [None, 6.0])
def test_the_exact_noise_leads_back_to_x_0(clip: float | None) -> None:
    # An oracle knows x_0 and returns the noise in x_t, at the paper's T = 1000.
    schedule, clean = NoiseSchedule(1000), torch.randn(2, 3, 4, 4, generator=torch.Generator().manual_seed(1))

    def noise(x: Tensor, t: Tensor) -> Tensor:
        return schedule.noise_from(x.double(), clean.double(), t)

    start = torch.randn(clean.shape, generator=torch.Generator().manual_seed(2)).double()
    sampled = schedule.ddpm(noise, start, torch.Generator().manual_seed(3), predicts="noise", clip=clip)
    torch.testing.assert_close(sampled.float(), clean, atol=1e-5, rtol=0)
    sampled = schedule.ddim(noise, start, 7, clip, predicts="noise")
    torch.testing.assert_close(sampled.float(), clean, atol=1e-5, rtol=0)


def test_predictions_of_noise_and_of_x_0_sample_the_same() -> None:
    schedule, start = NoiseSchedule(60), torch.randn(2, 3, 4, 4).double()

    def clean(x: Tensor, t: Tensor) -> Tensor:
        return torch.tanh(x + t[:, None, None, None] / 60)

    def noise(x: Tensor, t: Tensor) -> Tensor:
        return schedule.noise_from(x, clean(x, t), t)

    one = schedule.ddpm(clean, start, torch.Generator().manual_seed(0))
    other = schedule.ddpm(noise, start, torch.Generator().manual_seed(0), predicts="noise")
    torch.testing.assert_close(one, other, atol=1e-8, rtol=0)
    for clip in (None, 0.5):
        other = schedule.ddim(noise, start, 9, clip, predicts="noise")
        torch.testing.assert_close(schedule.ddim(clean, start, 9, clip), other, atol=1e-8, rtol=0)


def test_the_loss_of_a_noise_predictor_is_equation_6() -> None:
    torch.manual_seed(0)
    prior = small_prior(denoiser=SMALL.model_dump() | {"predicts": "noise"})
    planes, camera = torch.randn(2, 3, 4, 16, 16), orbit_camera(30 * torch.rand(2, 3))
    seen: list[tuple[Tensor, Tensor]] = []

    def oracle(noisy: Tensor, image: Tensor, t: Tensor) -> Tensor:
        noise = prior.denoiser.schedule.noise_from(noisy, prior.normalizer.normalise(planes, camera), t)
        seen.append((noise, t))
        return noise + error

    for weighting in ("none", "deviation"):
        recipe = PriorRecipe(PriorRecipeConfig.model_validate({"weighting": weighting}), 0)
        error = torch.linspace(0.0, 1.0, 37)[None, :, None, None]
        terms = recipe(prior, oracle, rand(2, 3, 32, 32), planes, camera, torch.Generator().manual_seed(0))  # pyright: ignore[reportArgumentType]
        plain = error.square().mean()
        weighted = (prior.normalizer.importance() * error.flatten().square()).sum()
        expected = plain if weighting == "none" else weighted
        assert terms["noise"].item() == pytest.approx(expected.item(), rel=1e-3)
    assert not torch.isclose(plain, weighted, rtol=0.05)
    # The noise of all steps is N(0, 1), and t covers 1 ... T.
    assert torch.cat([noise for noise, _ in seen]).std().item() == pytest.approx(1.0, abs=0.02)


def test_all_channels_are_kept_as_they_are() -> None:
    torch.manual_seed(0)
    planes = torch.randn(5, 3, 4, 16, 16) * torch.arange(1.0, 13.0).reshape(1, 3, 4, 1, 1)
    camera = orbit_camera(20 * torch.randn(5, 3))
    normalizer = TriplaneNormalizer(4, 16, 12)
    normalizer.calibrate(planes, camera)
    assert torch.equal(normalizer.basis, torch.eye(12))
    clean = normalizer.normalise(planes, camera)
    flat = planes.flatten(1, 2)
    torch.testing.assert_close(clean[:, :12], (flat - flat.mean(dim=0)) / normalizer.std[:, None, None])
    assert clean[:, :12].square().mean(dim=(0, 2, 3)).sub(1.0).abs().max() < 1e-4
    torch.testing.assert_close(normalizer.denormalise(clean)[0], planes, atol=1e-4, rtol=1e-4)


def test_settings_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="the planes have 12 channels"):
        small_prior(denoiser=SMALL.model_dump() | {"components": 13})
    with pytest.raises(ValueError, match="a regression has no noise to predict"):
        small_prior(denoiser=SMALL.model_dump() | {"predicts": "noise"}, estimator="regression")


def test_the_denoiser_accepts_any_image_size() -> None:
    torch.manual_seed(0)
    denoiser = Denoiser(SMALL)
    x = torch.randn(2, 12 + 25, 16, 16)
    for size in ((64, 64), (37, 50)):
        assert denoiser(x, rand(2, 3, *size), torch.tensor([1, 50])).shape == x.shape
    assert not any("BatchNorm" in type(layer).__name__ for layer in denoiser.modules())


def test_the_output_depends_on_image_and_time() -> None:
    torch.manual_seed(0)
    denoiser, x = Denoiser(SMALL), torch.randn(1, 37, 16, 16)
    for block in denoiser.modules():  # blocks are initially the identity; give them random weights
        if hasattr(block, "conv2"):
            torch.nn.init.normal_(block.conv2.weight, std=0.05)
    output = denoiser(x, rand(1, 3, 32, 32), torch.tensor([10]))
    assert not torch.allclose(output, denoiser(x, rand(1, 3, 32, 32, seed=1), torch.tensor([10])))
    assert not torch.allclose(output, denoiser(x, rand(1, 3, 32, 32), torch.tensor([40])))
    steps = time_embedding(torch.arange(1, 51), 32)
    assert torch.cdist(steps, steps).fill_diagonal_(9.0).min() > 0.05  # all embeddings differ


def test_fusion_weights_channels_by_a_softmax() -> None:
    torch.manual_seed(0)
    fusion, backbone, condition = AdaptiveFusion(8, 4), rand(2, 8, 5, 5), rand(2, 4, 5, 5, seed=1)
    torch.nn.init.zeros_(fusion.excite.weight)
    torch.nn.init.zeros_(fusion.excite.bias)  # uniform attention: as without attention
    plain = backbone + fusion.project(torch.cat([backbone, condition], dim=1))
    torch.testing.assert_close(fusion(backbone, condition), plain)


def test_normalisation_is_inverted() -> None:
    torch.manual_seed(0)
    planes = torch.randn(5, 3, 4, 16, 16) * torch.arange(1.0, 13.0).reshape(1, 3, 4, 1, 1)
    camera = orbit_camera(20 * torch.randn(5, 3))
    planes[:, 0, 0] = planes[:, 0, 1]  # eleven components hold all twelve channels
    normalizer = TriplaneNormalizer(4, 16, 11)
    normalizer.calibrate(planes, camera)
    clean = normalizer.normalise(planes, camera)
    assert clean.shape == (5, 11 + 25, 16, 16)
    assert clean[:, :11].mean(dim=0).abs().max() < 1e-4
    products = torch.einsum("bkyx,blyx->kl", clean[:, :11], clean[:, :11]) / (5 * 16 * 16)
    torch.testing.assert_close(products, torch.eye(11), atol=1e-3, rtol=0)
    restored_planes, restored_camera = normalizer.denormalise(clean)
    torch.testing.assert_close(restored_planes, planes, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(restored_camera, camera, atol=1e-5, rtol=1e-4)
    # Weights decrease with the variance; constant entries (the intrinsics) have weight 0.
    importance = normalizer.importance()
    assert importance.sum().item() == pytest.approx(1.0, abs=1e-5)
    assert (importance[:11].diff() <= 0).all()
    assert importance[11 + 16 :].sum() == 0
    # ... and their predictions are ignored.
    wrong = clean.clone()
    wrong[:, 11 + 16 :] += 0.5
    torch.testing.assert_close(normalizer.denormalise(wrong)[1], camera, atol=1e-5, rtol=1e-4)


def test_few_components_suffice_for_planes_of_low_rank() -> None:
    torch.manual_seed(0)
    basis, coefficients = torch.randn(2, 12), torch.randn(6, 2, 16, 16)
    planes = (7.0 + torch.einsum("kc,bkyx->bcyx", basis, coefficients)).unflatten(1, (3, 4))
    camera = orbit_camera(20 * torch.randn(6, 3))
    normalizer = TriplaneNormalizer(4, 16, 2)
    normalizer.calibrate(planes, camera)
    torch.testing.assert_close(
        normalizer.denormalise(normalizer.normalise(planes, camera))[0], planes, atol=1e-4, rtol=1e-4
    )


def test_predicted_cameras_are_orthonormalized() -> None:
    angles = torch.tensor([[15.0, -5.0, 2.0], [-25.0, 10.0, 0.0]])
    camera = orbit_camera(angles)
    torch.testing.assert_close(orthonormalize_camera(camera), camera, atol=1e-6, rtol=1e-5)
    rough = orthonormalize_camera(
        camera + 0.02 * torch.randn(2, 25, generator=torch.Generator().manual_seed(0))
    )
    axes = rough[:, :16].reshape(2, 4, 4)[:, :3, :3]
    torch.testing.assert_close(axes @ axes.mT, torch.eye(3).expand(2, 3, 3), atol=1e-5, rtol=0)
    assert (camera_angles(rough) - angles).abs().max() < 5


def small_prior(**settings: Any) -> Prior:
    planes, rays = TriPlaneConfig(channels=4, side=16, hidden=8), RenderConfig(coarse=4, fine=4)
    given = {"planes": planes.model_dump(), "denoiser": SMALL.model_dump(), "render": rays.model_dump()}
    return Prior(PriorConfig.model_validate(given | {"sampling_steps": 4} | settings))


@pytest.mark.parametrize(
    ("estimator", "sampler", "predicts"),
    [
        ("diffusion", "ddim", "clean"),
        ("diffusion", "ddpm", "clean"),
        ("diffusion", "ddim", "noise"),
        ("diffusion", "ddpm", "noise"),
        ("regression", "ddim", "clean"),
    ],
)
def test_sampling_is_deterministic_per_image(
    estimator: str, sampler: str, predicts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    denoiser = SMALL.model_dump() | {"predicts": predicts}
    prior = small_prior(estimator=estimator, sampler=sampler, denoiser=denoiser).eval()
    images = rand(3, 3, 40, 40)
    prior.normalizer.calibrate(torch.randn(4, 3, 4, 16, 16), orbit_camera(30 * torch.rand(4, 3)))
    with torch.no_grad():
        batch, again = prior.sample(images), prior.sample(images)
        single = prior.sample(images[1:2])
        rendering = prior.render(batch, (8, 8))
    assert torch.equal(batch.planes, again.planes)
    torch.testing.assert_close(single.planes, batch.planes[1:2], atol=2e-3, rtol=2e-3)
    torch.testing.assert_close(single.camera, batch.camera[1:2], atol=2e-3, rtol=2e-3)
    with torch.no_grad():
        monkeypatch.setattr(prior_module, "RAYS", 16)  # two rows at a time
        by_rows = prior.render(batch, (8, 8))
    torch.testing.assert_close(by_rows.colour, rendering.colour)
    torch.testing.assert_close(by_rows.depth, rendering.depth)
    mean_only = prior.config.model_copy(update={"temperature": 0.0})
    assert Prior(mean_only)._initial_noise(images).abs().max() == 0
    assert prior._initial_noise(images).std().item() == pytest.approx(1.0, abs=0.05)
    assert rendering.colour.shape == (3, 3, 8, 8)
    assert rendering.depth.shape == (3, 1, 8, 8)
