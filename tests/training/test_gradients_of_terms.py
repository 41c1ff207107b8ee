"""How much each term of a loss moves a network."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from example_runs import paired_config, run_training
from lumiface.training.gradients import gradient_shares
from lumiface.training.loop import shares_are_due


def test_shares_are_norms_over_the_largest() -> None:
    layer = nn.Linear(3, 1, bias=False)
    value = layer(torch.ones(2, 3)).sum()
    terms = {"large": 4.0 * value, "small": 0.001 * value, "none": torch.ones(()), "unused": value.detach()}
    shares = gradient_shares(terms, layer.parameters())
    assert shares == pytest.approx({"large": 1.0, "small": 0.00025, "none": 0.0, "unused": 0.0})
    (4.0 * value).backward()  # the graph is still there
    assert layer.weight.grad is not None


def test_nothing_is_measured_of_one_term_or_without_gradients() -> None:
    layer = nn.Linear(3, 1)
    value = layer(torch.ones(2, 3)).sum()
    assert gradient_shares({"only": value}, layer.parameters()) == {}
    assert gradient_shares({"one": value, "two": value}, layer.requires_grad_(False).parameters()) == {}


@pytest.mark.parametrize(
    ("compile_", "device", "first", "due"),
    [
        ("never", "cpu", True, True),
        ("gpu", "cpu", True, True),
        ("gpu", "cuda", True, False),
        ("parts", "cuda", True, True),
        ("always", "cpu", True, False),
        ("never", "cpu", False, False),
    ],
)
def test_when_they_are_measured(compile_: str, device: str, first: bool, due: bool) -> None:
    fabric: Any = SimpleNamespace(device=torch.device(device), is_global_zero=first)
    config = paired_config(compile=compile_, gradients_every=10)
    assert shares_are_due(9, config, cast("Any", fabric)) == due
    assert not shares_are_due(8, config, cast("Any", fabric))
    assert not shares_are_due(9, paired_config(gradients_every=0), cast("Any", fabric))


def test_a_run_logs_them_and_names_inert_terms(
    paired_faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = paired_config(gradients_every=3, recipe={"mask": 1e-9})
    run_training(config, tmp_path / "run", paired_faces)
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    shares = [line for line in lines if "gradient_l1" in line]
    assert [line["step"] for line in shares] == list(range(3, config.steps + 1, 3))
    assert all(max(line["gradient_l1"], line["gradient_fft"]) == 1.0 for line in shares)
    assert "inert beside the largest gradient: mask" in capsys.readouterr().out
    plain = paired_config(gradients_every=0, recipe={"mask": 1e-9})
    run_training(plain, tmp_path / "plain", paired_faces)  # measuring changes nothing
    one, other = (load_file(tmp_path / name / "last.safetensors") for name in ("run", "plain"))
    assert all(torch.equal(one[key], other[key]) for key in other)
