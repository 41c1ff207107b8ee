"""State dicts from before a rename: nested modules, current keys, two renames on one path."""

from __future__ import annotations

from typing import ClassVar

import pytest
import torch
from torch import nn

from lumiface.blocks.old_keys import current_keys


class Inner(nn.Module):
    old_child_names: ClassVar[dict[str, str]] = {"places": "pos_embed", "read": "proj"}

    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Linear(2, 3)
        self.pos_embed = nn.Parameter(torch.randn(4))


class Outer(nn.Module):
    old_child_names: ClassVar[dict[str, str]] = {"lead": "blocks", "mean": "average"}

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(Inner() for _ in range(2))
        self.read = nn.Linear(3, 1)  # not renamed here, though `Inner` has renamed a child of that name
        self.register_buffer("average", torch.zeros(2))


OLD = {
    "blocks.0.pos_embed": "lead.0.places",  # two renames on one path
    "blocks.0.proj.weight": "lead.0.read.weight",
    "blocks.1.proj.bias": "blocks.1.read.bias",  # one of two
    "average": "mean",
}


def test_old_keys_become_the_current_ones() -> None:
    network, expected = Outer(), Outer().state_dict()
    old = {OLD.get(key, key): value for key, value in expected.items()}
    assert set(OLD.values()) <= set(old)
    found = current_keys(network, old)
    assert list(found) == list(expected)  # in the same order
    assert all(found[key] is value for key, value in expected.items())
    network.load_state_dict(found)


def test_current_and_unknown_keys_pass_unchanged() -> None:
    network = Outer()
    state = network.state_dict()
    assert current_keys(network, state) == state
    assert list(current_keys(network, {"elsewhere.lead.0": torch.zeros(1)})) == ["elsewhere.lead.0"]
    assert list(current_keys(nn.Linear(1, 1), {"weight": torch.zeros(1)})) == ["weight"]


def test_a_module_within_another_class_of_the_same_child_name() -> None:
    wrapped = nn.Sequential(Outer(), nn.Linear(2, 2))
    keys = current_keys(wrapped, {"0.lead.1.places": torch.zeros(4), "1.weight": torch.zeros(2, 2)})
    assert list(keys) == ["0.blocks.1.pos_embed", "1.weight"]


def test_one_tensor_under_two_names_is_refused() -> None:
    with pytest.raises(ValueError, match="average twice"):
        current_keys(Outer(), {"mean": torch.zeros(2), "average": torch.zeros(2)})
