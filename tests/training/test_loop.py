"""The training loop on pairs: resuming, gradients that are not finite, runs by the clock, distillation."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from example_runs import STEPS, paired_config, run_training
from helpers import Find, train_on_two
from lumiface.core.errors import LumifaceError, SettingError
from lumiface.methods.lfsrnet.recipe import LFSRNetRecipe
from lumiface.metrics.lpips import LPIPS
from lumiface.registry import load_model, read_metadata
from lumiface.training import logger
from lumiface.training.checkpoint import load_state
from lumiface.training.optimizer_step import MAX_NONFINITE_STEPS


def log_lines(folder: Path) -> list[dict[str, float]]:
    """The lines of a run's log without the speed, which no two runs have in common."""
    speed = ("images_per_s", "share_of_peak")
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in speed} for line in lines]


# --- losses of a run ----------------------------------------------------------------------------------------


def test_distillation_brings_outputs_nearer_to_the_teacher(paired_faces: Path, tmp_path: Path) -> None:
    """Of two runs that differ in nothing else, the one with a teacher ends nearer to the teacher."""
    run_training(paired_config(seed=7), tmp_path / "teacher", paired_faces)
    teacher = str(tmp_path / "teacher" / "last.safetensors")
    distilled = paired_config(steps=25, teacher=teacher, distill_weight=20.0)
    run_training(paired_config(steps=25), tmp_path / "alone", paired_faces)
    run_training(distilled, tmp_path / "distilled", paired_faces)
    low = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 0.3
    with torch.inference_mode():
        target = load_model(teacher)(low)
        far, near = (
            float((load_model(tmp_path / name / "last.safetensors")(low) - target).abs().mean())
            for name in ("alone", "distilled")
        )
    assert near < 0.8 * far


def test_lpips_is_a_term_of_the_loss(paired_faces: Path, tmp_path: Path, shared_asset: Find) -> None:
    shared_asset("lpips_squeeze.pt")
    config = paired_config(
        lpips=0.5, batch=2, validate_every=1000, sizes=[{"side": 16, "weight": 1.0}], steps=50
    )
    run_training(config, tmp_path / "run", paired_faces)
    line = log_lines(tmp_path / "run")[0]
    assert 0.05 < line["lpips"] < 0.5
    assert line["loss"] == pytest.approx(sum(line[term] for term in ("l1", "fft", "mask", "lpips")))


def test_lpips_sees_the_same_part_of_both_pictures_and_another_one_at_each_step(
    paired_faces: Path, tmp_path: Path, shared_asset: Find, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared_asset("lpips_squeeze.pt")
    seen: list[tuple[Tensor, Tensor]] = []

    def record(self: LPIPS, output: Tensor, target: Tensor) -> Tensor:
        seen.append((output.detach(), target))
        return (output - target).abs().mean()[None]

    monkeypatch.setattr(LPIPS, "forward", record)
    sizes = [{"side": 16, "weight": 1.0}]
    for name, shift in (("whole", 0), ("shifted", 8)):
        config = paired_config(
            lpips=0.5,
            lpips_shift=shift,
            lr=1e-9,
            batch=2,
            validate_every=1000,
            sizes=sizes,
            steps=4,
            warmup=0,
        )
        run_training(config, tmp_path / name, paired_faces)
    whole, shifted = seen[:4], seen[4:]
    places: set[tuple[int, int]] = set()
    for (output, target), (part, part_of_target) in zip(whole, shifted, strict=True):
        assert part.shape[-2:] == (56, 56)
        found = [
            (top, left)
            for top in range(9)
            for left in range(9)
            if torch.equal(target[..., top : top + 56, left : left + 56], part_of_target)
        ]
        assert len(found) == 1
        (top, left) = found[0]
        torch.testing.assert_close(output[..., top : top + 56, left : left + 56], part, atol=1e-3, rtol=0)
        places.add(found[0])
    assert len(places) > 1


def test_identity_is_a_term_of_the_loss(paired_faces: Path, tmp_path: Path, shared_asset: Find) -> None:
    shared_asset("mobilefacenet.pt")
    config = paired_config(identity=0.5, batch=2, validate_every=1000, steps=50)
    run_training(config, tmp_path / "run", paired_faces)
    line = log_lines(tmp_path / "run")[0]
    # Half the mean absolute difference of embeddings of unit length: 0 when equal, 0.06 when unrelated.
    assert 0.01 < line["identity"] < 0.07
    assert line["loss"] == pytest.approx(sum(line[term] for term in ("l1", "fft", "mask", "identity")))


def test_a_teacher_of_another_scale_is_refused(paired_faces: Path, tmp_path: Path) -> None:
    twice = {"channels": 16, "blocks": 1, "upsampler": "resize", "scale": 2}
    run_training(paired_config(network=twice), tmp_path / "twice", paired_faces, max_steps=1)
    teacher = str(tmp_path / "twice" / "last.safetensors")
    with pytest.raises(SettingError, match="enlarges 2 times; the run needs 4"):
        run_training(paired_config(teacher=teacher), tmp_path / "run", paired_faces, max_steps=1)


def test_training_improves_validation(paired_faces: Path, tmp_path: Path) -> None:
    config = paired_config(steps=60, validate_every=20, lr=3e-3, ema=0.9)
    result = run_training(config, tmp_path / "run", paired_faces)
    scores = [line["psnr_y"] for line in log_lines(tmp_path / "run") if "psnr_y" in line]
    assert scores[-1] > scores[0] + 1
    assert result.best == max(scores)
    assert result.monitor == "psnr_y"
    assert (tmp_path / "run" / "validation.png").is_file()
    assert list((tmp_path / "run" / "tensorboard").iterdir())


@pytest.mark.slow
def test_two_processes_train_one_run(paired_faces: Path, tmp_path: Path) -> None:
    folder = train_on_two(paired_config(), paired_faces, tmp_path / "two")
    assert load_state(folder / "state.safetensors")[1]["step"] == STEPS


# --- stopped and resumed ------------------------------------------------------------------------------------

KILLED_AT_STEP_8 = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
from lightning.fabric import Fabric
from lumiface.data.training import cache
from lumiface.training import logger
from lumiface.training.config import TrainConfig
from lumiface.training.run import train

config, folder, data, cache_folder = sys.argv[1:]
cache.user_cache_path = lambda name: Path(cache_folder) / name
logger.LOG_EVERY = 1
log_step = logger.RunLogger.log_step

def log_step_and_die(self, step, *values):
    log_step(self, step, *values)
    if step == 8:
        os.kill(os.getpid(), signal.SIGKILL)

logger.RunLogger.log_step = log_step_and_die
fabric = Fabric(accelerator="cpu", devices=1, precision="32-true")
train(TrainConfig.model_validate_json(config), Path(folder), fabric, data_root=data)
"""


def test_a_killed_run_resumes_bit_for_bit(
    paired_faces: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logger, "LOG_EVERY", 1)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    uninterrupted = run_training(paired_config(), whole, paired_faces)

    arguments = [paired_config().model_dump_json(), str(killed), str(paired_faces), str(cache)]
    process = subprocess.run(
        [sys.executable, "-c", KILLED_AT_STEP_8, *arguments], capture_output=True, text=True, check=False
    )
    assert process.returncode == -9, process.stderr
    assert load_state(killed / "state.safetensors")[1]["step"] == 6
    assert log_lines(killed)[-1]["step"] == 8  # two steps further than the state: they will be repeated

    resumed = run_training(paired_config(), killed, paired_faces)
    assert (resumed.step, resumed.best) == (STEPS, uninterrupted.best)
    for name in ("last", "best"):
        one, other = (load_file(folder / f"{name}.safetensors") for folder in (killed, whole))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    assert log_lines(killed) == log_lines(whole)
    steps = [line["step"] for line in log_lines(whole) if "loss" in line]
    assert steps == list(range(1, STEPS + 1))
    assert [line["step"] for line in log_lines(whole) if "psnr_y" in line] == [4, 8, STEPS]


def test_a_run_stopped_by_its_limits_resumes(paired_faces: Path, tmp_path: Path) -> None:
    once = run_training(paired_config(), tmp_path / "once", paired_faces)
    parts = tmp_path / "parts"
    assert run_training(paired_config(), parts, paired_faces, max_steps=5).step == 5
    assert run_training(paired_config(), parts, paired_faces, max_minutes=0.0).step == 5
    assert run_training(paired_config(), parts, paired_faces).step == STEPS
    resumed = load_file(parts / "last.safetensors")
    uninterrupted = load_file(once.weights.with_name("last.safetensors"))
    assert all(torch.equal(resumed[key], uninterrupted[key]) for key in resumed)
    metadata = read_metadata(parts / "last.safetensors")
    assert metadata["provenance"]["step"] == STEPS
    assert metadata["provenance"]["run"] == paired_config().model_dump()
    assert metadata["provenance"]["faces"] == 8
    assert metadata["score"] == {"name": "psnr_y", "value": once.best}
    assert metadata["trained_on"] == "benchmark"
    assert metadata["sizes"] == {"smallest": 16, "largest": 24, "trusted": 36}
    # What was trained is a model like any other, and another run can start from it.
    config = paired_config(lr=1e-12)
    started = run_training(config, tmp_path / "next", paired_faces, max_steps=1, init_from=str(once.weights))
    before, after = load_model(once.weights), load_model(started.weights)
    for one, other in zip(before.parameters(), after.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=0)


def test_a_run_whose_network_has_a_list_of_settings_resumes(paired_faces: Path, tmp_path: Path) -> None:
    config = paired_config(
        method="ctcnet",
        network={"channels": 8, "transformers": [1, 1, 1], "refinements": 1},
        sizes=[{"side": 16, "weight": 1.0}],
        batch=2,
        steps=2,
        warmup=1,
        validate_every=2,
    )
    assert run_training(config, tmp_path, paired_faces, max_steps=1).step == 1
    assert run_training(config, tmp_path, paired_faces).step == 2


def test_a_timed_run_ends_with_a_validation(paired_faces: Path, tmp_path: Path) -> None:
    timed = paired_config(minutes=0.03, steps=3, validate_every=10**9, warmup=0)
    result = run_training(timed, tmp_path / "run", paired_faces)
    assert result.step > 1
    assert result.weights.name == "best.safetensors"
    again = run_training(timed, tmp_path / "run", paired_faces)  # its minutes are over
    assert again.step == result.step


# --- gradients that are not finite --------------------------------------------------------------------------


def poison(monkeypatch: pytest.MonkeyPatch, is_poisoned: Callable[[int], bool]) -> None:
    """Make the inputs of some training steps (counted from 0) NaN."""
    degrade, calls = LFSRNetRecipe.degrade, iter(range(10**6))

    def poisoned(self: LFSRNetRecipe, *arguments: Any) -> tuple[Tensor, Tensor]:
        low, target = degrade(self, *arguments)
        return (low * torch.nan if is_poisoned(next(calls)) else low), target

    monkeypatch.setattr(LFSRNetRecipe, "degrade", poisoned)


def test_a_nonfinite_step_is_skipped_and_logged(
    paired_faces: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    poison(monkeypatch, lambda call: call in (3, 4))
    assert run_training(paired_config(), tmp_path / "run", paired_faces).step == STEPS
    weights = load_file(tmp_path / "run" / "last.safetensors")
    assert all(bool(value.isfinite().all()) for value in weights.values())
    output = " ".join(capsys.readouterr().out.split())
    assert "step 3: the gradient is not finite; step skipped (1 in a row)" in output
    assert "step 4: the gradient is not finite; step skipped (2 in a row)" in output


def test_a_run_whose_gradients_stay_nonfinite_ends(
    paired_faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, lambda call: call >= 2)
    config = paired_config(steps=100, validate_every=100, save_every=2)
    with pytest.raises(LumifaceError, match="not finite; lower lr") as caught:
        run_training(config, tmp_path / "run", paired_faces)
    assert "\n" not in str(caught.value)
    parts, facts = load_state(tmp_path / "run" / "state.safetensors")
    assert facts["step"] <= 2 + MAX_NONFINITE_STEPS
    assert all(bool(value.isfinite().all()) for value in parts["networks"]["network"].values())
