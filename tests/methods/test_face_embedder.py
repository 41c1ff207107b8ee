"""The face embedder and its recipe."""

from __future__ import annotations

import pytest
import torch

from helpers import rand
from lumiface.registry import build, build_recipe, load_model, read_metadata


def test_embeddings_have_unit_length_and_a_gradient() -> None:
    network = build("face-embedder").train()
    crops = rand(3, 3, 112, 112).requires_grad_()
    embedding = network(crops)
    assert embedding.shape == (3, 128)
    assert torch.allclose(embedding.norm(dim=1), torch.ones(3), atol=1e-5)
    embedding[0].sum().backward()
    assert crops.grad is not None
    assert float(crops.grad.abs().sum()) > 0.0


def test_damage_is_a_function_of_the_seed_and_leaves_the_first_part_clean() -> None:
    recipe = build_recipe("face-embedder", {"shift": 0.0, "zoom": 0.0, "turn": 0.0, "light": 0.0}, 0)
    faces = rand(4, 3, 16, 16, seed=1).repeat_interleave(8, 2).repeat_interleave(8, 3)

    def damaged(seed: int) -> torch.Tensor:
        return recipe.degrade(faces, torch.Generator().manual_seed(seed))

    assert damaged(0).shape == (4, 3, 112, 112)
    assert torch.equal(damaged(0), damaged(0))
    difference = (damaged(0) - damaged(1)).abs().mean(dim=(1, 2, 3))
    assert float(difference[0]) == 0.0
    assert bool((difference[1:] > 0.0).all())


def test_the_loss_vanishes_where_the_teacher_is_matched() -> None:
    recipe = build_recipe("face-embedder", {}, 0)
    target = torch.nn.functional.normalize(rand(4, 128) - 0.5)
    terms = recipe(target, target)
    assert sum(term.item() for term in terms.values()) == pytest.approx(0.0, abs=1e-5)
    terms = recipe(-target, target)
    assert terms["cosine"].item() == pytest.approx(2.0, abs=1e-5)
    assert terms["relation"].item() == pytest.approx(0.0, abs=1e-5)  # mirrored, people are as different


def test_what_ships_is_small_and_deterministic() -> None:
    network = load_model("face-embedder", kind="face-embedder")
    assert not network.training
    assert sum(value.numel() for value in network.state_dict().values()) * 2 <= 4_000_000
    crops = rand(2, 3, 112, 112)
    assert torch.equal(network(crops)[:1], network(crops)[:1])
    assert read_metadata("face-embedder")["method"] == "face-embedder"
