"""The critic who judges features: what learns, what does not, and that the generator hears of it."""

from __future__ import annotations

import pytest
import torch

from conftest import Find, rand
from lumiface.losses.adversarial import critic_loss
from lumiface.papers.fusion_bfr.autoencoder import AutoencoderRecipe, AutoencoderRecipeConfig
from lumiface.papers.fusion_bfr.feature_critic import FeatureCritic
from lumiface.papers.fusion_bfr.generator import Generator, GeneratorConfig


@pytest.fixture
def critic(shared_asset: Find, monkeypatch: pytest.MonkeyPatch) -> FeatureCritic:
    monkeypatch.setenv("LUMIFACE_ASSETS", str(shared_asset("vgg_normalised_conv3_1.pth").parent))
    torch.manual_seed(0)
    recipe = AutoencoderRecipe(
        AutoencoderRecipeConfig(perceptual=0.0, adversarial=0.1, sees="features"), seed=0
    )
    found = recipe.critic_for(Generator(GeneratorConfig(resolution=32, latent=16, base=256, most=16)))
    assert isinstance(found, FeatureCritic)
    return found


def test_it_judges_every_place_of_every_scale(critic: FeatureCritic) -> None:
    verdicts = critic(2.0 * rand(2, 3, 32, 32) - 1.0)
    assert verdicts.shape == (2, 3 * 4**2)  # 32, 16 and 8 pixels, halved three times, twice and once


def test_only_the_heads_learn_to_tell_sharp_from_blurred(critic: FeatureCritic) -> None:
    sharp = 2.0 * rand(4, 3, 32, 32) - 1.0
    blurred = torch.nn.functional.avg_pool2d(sharp, 5, stride=1, padding=2)
    before = {name: value.clone() for name, value in critic.named_parameters()}
    optimizer = torch.optim.Adam([value for value in critic.parameters() if value.requires_grad], 1e-3)
    losses: list[float] = []
    for _ in range(10):
        loss = critic_loss(critic(sharp), critic(blurred))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.2 * losses[0]
    changed = {name for name, value in critic.named_parameters() if not torch.equal(value, before[name])}
    assert changed == {name for name in before if name.startswith("heads.")}


def test_the_picture_is_told_what_to_mend(critic: FeatureCritic) -> None:
    picture = (2.0 * rand(1, 3, 32, 32) - 1.0).requires_grad_()
    critic(picture).sum().backward()
    assert picture.grad is not None
    assert picture.grad.abs().max() > 0
