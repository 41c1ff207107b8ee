"""Tables: plans, resumption, costs; and one table from training to its report."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lumiface.comparison.config import Budget, Table, read_budget, read_table
from lumiface.comparison.plan import PlannedRow, plan_rows, planned_runs
from lumiface.comparison.run import compare
from lumiface.comparison.scores import COST, STAGES, is_measured, read_stored
from lumiface.comparison.workers import Workers
from lumiface.core.errors import InputError, SettingError
from lumiface.core.settings import shipped_configs
from lumiface.evaluation.cost import measure_cost
from lumiface.registry import METHODS, build, needs_training

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
TRAINING = {
    "train": ["{data}/faces"],
    "validate_on": "{data}/faces",
    "sizes": [{"side": 16, "weight": 1.0}],
    "batch": 2,
    "steps": 6,
    "warmup": 1,
    "validate_every": 3,
    "save_every": 1,
}


def budget(**changes: Any) -> Budget:
    return Budget(description="a test", training=TRAINING, **changes)


def table(rows: dict[str, Any], **changes: Any) -> Table:
    return Table(title="a test", sets=["{data}/faces"], hr_size=64, rows=rows, **changes)


# --- plans --------------------------------------------------------------------------------------------------


def test_a_chain_trains_each_stage_for_its_own_task(tmp_path: Path) -> None:
    rows = plan_rows(
        table({"X": "edsr", "E + X": ["dln", "edsr"], "X + E": ["edsr", "dln"]}), budget(), tmp_path
    )
    tasks = {row.name: [(stage.method, stage.task) for stage in row.stages] for row in rows}
    assert tasks == {
        "X": [("edsr", "joint")],
        "E + X": [("dln", "enhance-small"), ("edsr", "sr")],
        "X + E": [("edsr", "sr-dark"), ("dln", "enhance")],
    }
    assert len(planned_runs(rows)) == 5


def test_equal_stages_are_one_run_and_every_setting_counts(tmp_path: Path) -> None:
    rows = {"a": ["dln", "edsr"], "b": ["dln", "srcnn"], "c": {"method": "edsr", "seed": 1}, "d": "edsr"}
    runs = planned_runs(plan_rows(table(rows), budget(), tmp_path))
    assert len(runs) == 5  # two rows share DLN
    longer = Budget(description="", training=TRAINING | {"steps": 7})
    assert not set(runs) & set(planned_runs(plan_rows(table(rows), longer, tmp_path)))
    narrowed = budget(networks={"dln": {"channels": 16}})
    others = planned_runs(plan_rows(table(rows), narrowed, tmp_path))
    assert {folder.name.split("-")[0] for folder in set(runs) ^ set(others)} == {"dln"}


def test_the_score_folder_does_not_depend_on_the_parent_folder(tmp_path: Path) -> None:
    rows = {"a": ["dln", "edsr"]}
    first, second = (plan_rows(table(rows), budget(), tmp_path / name)[0].score_folder for name in ("x", "y"))
    assert first.relative_to(tmp_path / "x") == second.relative_to(tmp_path / "y")


def test_methods_without_parameters_are_not_trained(tmp_path: Path) -> None:
    (row,) = plan_rows(table({"LIME": ["lime", "bicubic"]}), budget(), tmp_path)
    assert planned_runs([row]) == {}
    assert row.model == "lime + bicubic"
    assert all(stage.is_trained for stage in row.stages)


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ({"a": "dln"}, "row a: scales"),
        ({"a": ["edsr", "edsr"]}, "row a: scales"),
        ({"a": ["dln", "dln"]}, "row a: scales"),
        ({"a": {"method": "edsr", "network": {"scale": 2}}}, "row a: scales"),
        ({"a": "edssr"}, "no method or component is called 'edssr'"),
        ({"a": {"method": "edsr", "network": {"width": 2}}}, "edsr: setting width"),
    ],
)
def test_invalid_rows(tmp_path: Path, rows: dict[str, Any], line: str) -> None:
    with pytest.raises(SettingError, match=line) as caught:
        plan_rows(table(rows), budget(), tmp_path)
    assert "\n" not in str(caught.value)


def test_a_budget_with_an_unknown_setting_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="budget: learning_rate"):
        plan_rows(
            table({"a": "edsr"}), Budget(description="", training={**TRAINING, "learning_rate": 1}), tmp_path
        )


@pytest.mark.parametrize("file", sorted(CONFIGS.glob("compare/tables/*.yaml")), ids=lambda file: file.stem)
def test_tables_that_ship_can_be_planned_with_every_budget(file: Path, tmp_path: Path) -> None:
    shipped = read_table(file.stem)
    for budget_file in sorted(CONFIGS.glob("compare/budgets/*.yaml")):
        rows = plan_rows(shipped, read_budget(budget_file.stem), tmp_path)
        assert len({row.score_folder for row in rows}) == len(rows)
        images = {run.steps * run.batch for run in planned_runs(rows).values()}
        assert len(images) == 1  # equal budgets


@pytest.mark.parametrize("name", sorted(shipped_configs("compare/tables")))
def test_stored_scores_are_found_without_training(name: str) -> None:
    """A changed default or a renamed setting changes the hash of a run: then the folders must be renamed."""
    stored = CONFIGS.parent / "benchmarks" / "compare" / "tiny"
    table = read_table(name)
    rows = plan_rows(table, read_budget("tiny"), stored)
    assert [row.name for row in rows if not is_measured(table, row)] == []
    for row in rows:  # rows of an ablation that differ in the prior alone are told apart
        planned = [stage.run.model_dump(mode="json").get("prior") for stage in row.stages if stage.run]
        recorded = [stage["settings"].get("prior") for stage in read_stored(row, STAGES) if stage["settings"]]
        assert recorded == planned


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("rows: {a: edsr}", "title"),
        ("- a", "expected settings"),
        ("a: [", "not valid YAML"),
        (None, "no such"),
    ],
)
def test_invalid_table_files(tmp_path: Path, text: str | None, line: str) -> None:
    path = tmp_path / "t.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises((InputError, SettingError), match=line) as caught:
        read_table(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_table_based_on_another(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("base: prior3d-table1\ntitle: costs alone\nrows: {SCI: sci-published}\n")
    table, base = read_table(path), read_table("prior3d-table1")
    assert (table.title, list(table.rows)) == ("costs alone", ["SCI"])
    assert (table.sets, table.protocol, table.impossible) == (base.sets, base.protocol, base.impossible)
    path.write_text(f"base: {path}\ntitle: a circle\n")
    with pytest.raises(InputError, match="its own base") as caught:
        read_table(path)
    assert str(path) in str(caught.value)


# --- costs --------------------------------------------------------------------------------------------------


def count_by_hooks(network: nn.Module, low: torch.Tensor) -> int:
    """Operations of all convolutions and linear layers, by their shapes alone."""
    total = 0

    def add(layer: Any, inputs: Any, output: torch.Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.Linear):
            total += 2 * output.numel() * layer.in_features
        elif isinstance(layer, nn.ConvTranspose2d):
            total += 2 * inputs[0].numel() * layer.out_channels // layer.groups * layer.weight[0, 0].numel()
        else:
            total += 2 * output.numel() * layer.weight[0].numel()

    hooks = [
        layer.register_forward_hook(add)
        for layer in network.modules()
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear)
    ]
    network(low)
    for hook in hooks:
        hook.remove()
    return total


@pytest.mark.parametrize("name", [name for name in METHODS if needs_training(name)])
@torch.inference_mode()
def test_flops_are_those_of_the_layers_and_of_attention(name: str) -> None:
    network = build({"prior3d": "prior3d-small", "fusion_bfr": "fusion-bfr-64"}.get(name, name)).eval()
    low = torch.rand(1, 3, 32, 32)
    counted = round(measure_cost(network, 32, repeats=1).gflops * 1e9)
    with FlopCounterMode(display=False) as counter:
        network(low)
    assert counted == counter.get_total_flops()
    layers = count_by_hooks(network, low)
    # The products of attention, and of the prior's cameras and directions, are not part of a layer.
    if name in ("lfsrnet", "swinir", "omnisr", "ctcnet", "prior3d"):
        assert layers < counted < 1.5 * layers
    elif name in ("hvi-cidnet", "retinexformer", "restoreformer", "enlightengan", "zero-ig", "difface"):
        assert layers <= counted < 1.5 * layers
    elif name in ("fusion_bfr", "gfpgan"):  # nor are convolutions whose kernels are modulated per image
        assert layers < counted < 4.0 * layers
    else:
        assert counted == pytest.approx(layers, rel=1e-6)


def test_peak_memory_is_the_maximum_over_time() -> None:
    class Wide(nn.Module):
        def forward(self, low: torch.Tensor) -> torch.Tensor:
            wide = low.repeat(1, 64, 1, 1)  # 64 copies ...
            wide = wide.relu()  # ... twice, and then one
            return wide[:, :3].clone()

    cost = measure_cost(Wide(), 64, repeats=1)
    assert cost.peak_mib == pytest.approx(2 * 64 * 3 * 64 * 64 * 4 / 2**20, rel=0.02)
    assert cost.params == 0
    assert cost.ms_per_face > 0


# --- a whole table ------------------------------------------------------------------------------------------

ROWS = {
    "SRCNN": "srcnn-3-1-5",
    "DLN + SRCNN": [{"method": "dln", "network": {"channels": 8, "blocks": 1}}, "srcnn-3-1-5"],
    "LIME + bicubic": ["lime", "bicubic"],
}


def test_a_killed_table_resumes(tmp_path: Path, astronaut_uint8: np.ndarray) -> None:
    data, out = tmp_path / "faces", tmp_path / "out"
    data.mkdir()
    for number in range(4):
        crop = astronaut_uint8[20 + 4 * number :, 140 + 6 * number :][:160, :160]
        Image.fromarray(crop).resize((64, 64)).save(data / f"{number}.png")
    config = {"title": "a test", "sets": ["{data}/faces"], "hr_size": 64, "rows": ROWS, "figure_faces": 2}
    config["budget"] = str(tmp_path / "b.yaml")
    (tmp_path / "t.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (tmp_path / "b.yaml").write_text(yaml.safe_dump({"description": "a test", "training": TRAINING}))
    rows = tmp_path / "rows.json"
    command = [sys.executable, "-m", "lumiface", "compare", str(tmp_path / "t.yaml")]
    command += ["--data-root", str(tmp_path), "--out", str(out), "--json", str(rows), "--device", "cpu"]
    environment = os.environ | {"XDG_CACHE_HOME": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}

    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
        until = time.monotonic() + 240
        while not list(out.glob("runs/*/finished.json")):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGKILL)
    finished = {path: path.stat().st_mtime_ns for path in out.glob("runs/*/finished.json")}
    assert 1 <= len(finished) < 3
    assert not rows.exists()

    resumed = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=240
    )
    assert resumed.returncode == 0, resumed.stderr
    assert f"{3 - len(finished)} runs to train, {len(finished)} finished" in resumed.stdout
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    for weights in out.glob("runs/*/*.safetensors"):
        weights.unlink()  # a measured row no longer needs them
    log: list[str] = []
    again = compare(
        read_table(tmp_path / "t.yaml"),
        read_budget(tmp_path / "b.yaml"),
        out,
        Workers(str(tmp_path)),
        log.append,
    )
    assert log == ["writing the report"]  # nothing is trained or measured twice
    assert again.report is not None

    report = json.loads(rows.read_text())
    assert report["rows"] == json.loads(json.dumps(again.report["rows"]))
    by_name = {row["method"]: row for row in report["rows"]}
    assert list(by_name) == ["bicubic", "mean-gamma + bicubic", *ROWS, "oracle"]
    assert {row["set"] for row in by_name.values()} == {"faces"}
    for name in ROWS:
        row = by_name[name]
        low, high = row["psnr_y_ci"]
        assert low <= row["psnr_y"] <= high
        assert row["ms_per_face"] > 0
        assert row["images"] == 4
    assert [by_name[name]["budget_images"] for name in ROWS] == [12, 12, 0]
    assert [stage["task"] for stage in by_name["DLN + SRCNN"]["stages"]] == ["enhance-small", "sr"]
    assert min(by_name[name]["psnr_y_behind_best"] for name in ROWS) == 0
    assert report["budget"]["images"] == 12
    assert {"commits", "device", "versions"} <= set(report["origin"])
    assert "<table" in (out / "t" / "report.html").read_text(encoding="utf-8")


def test_a_missing_cost_needs_no_weights(tmp_path: Path) -> None:
    table = Table(title="t", sets=["{data}/faces.tar"], rows={"SRCNN": "srcnn"})  # type: ignore[arg-type]
    row = PlannedRow("SRCNN", (), tmp_path, "SRCNN")
    assert not is_measured(table, row)
    for name in ("faces.json", STAGES):
        (tmp_path / name).write_text("[]")
    assert is_measured(table, row)
    assert not (tmp_path / COST).exists()
