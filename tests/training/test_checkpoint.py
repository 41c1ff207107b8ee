"""Training states on disk: what comes back, and what cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from example_runs import paired_config, run_training
from lumiface.core.errors import InputError
from lumiface.training.checkpoint import load_state, save_state


def test_a_state_is_read_as_it_was_written(tmp_path: Path) -> None:
    network = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(network.parameters(), betas=(0.8, 0.99))
    network(torch.rand(4, 3)).sum().backward()
    optimizer.step()
    parts = {
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "recipe": {"random": torch.Generator().get_state(), "count": 3, "name": None},
    }
    path = tmp_path / "deep" / "state.safetensors"
    save_state(path, parts, {"step": 12, "best_psnr_y": -float("inf")})
    loaded, facts = load_state(path)
    assert facts == {"step": 12, "best_psnr_y": -float("inf")}
    assert loaded["recipe"]["count"] == 3
    assert loaded["recipe"]["name"] is None
    assert torch.equal(loaded["recipe"]["random"], parts["recipe"]["random"])
    assert set(loaded["optimizer"]["state"]) == {0, 1}  # integers, not text
    other = torch.optim.Adam(torch.nn.Linear(3, 2).parameters())
    other.load_state_dict(loaded["optimizer"])
    assert tuple(other.param_groups[0]["betas"]) == (0.8, 0.99)
    for index, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            assert torch.equal(other.state_dict()["state"][index][key], value)
    assert [file.name for file in path.parent.iterdir()] == ["state.safetensors"]  # no partial file beside it


def test_a_damaged_state_is_one_line(tmp_path: Path, paired_faces: Path) -> None:
    path = tmp_path / "state.safetensors"
    save_state(path, {"network": {"weight": torch.rand(100)}}, {"step": 1})
    whole = path.read_bytes()
    for size in (0, 5, 100, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(InputError, match="not a training state") as caught:
            load_state(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="not a training state"):
        run_training(paired_config(), tmp_path, paired_faces)
