"""By groups of people: what is measured, whose groups they are, and how large the gaps may be."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from typer.testing import CliRunner

from helpers import write_crops
from lumiface.cli import app
from lumiface.core.errors import InputError
from lumiface.evaluation.bootstrap import bootstrap_gap, bootstrap_interval
from lumiface.evaluation.fairness import first_of_each, measure_fairness, read_groups, summarise
from lumiface.figures.console_tables import fairness_table
from lumiface.imaging.io import Picture
from lumiface.restoration.restored import Restored


def lighten_red(picture: Picture) -> Restored[Picture]:
    """Stands in for `Restorer`: the pictures of one group, which have no blue, become lighter by a tenth."""
    change = 1.0 if float(picture.rgb[:, 2].mean()) > 0.02 else 1.1
    rgb = (picture.rgb * change).clamp(0.0, 1.0)
    return Restored(replace(picture, rgb=rgb), 1, None)


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders of two faces of 96 pixels: grey ones, and the same without blue."""
    from skimage.data import astronaut

    folder = tmp_path_factory.mktemp("people")
    for name, mask in (("one", (1, 1, 1)), ("two", (1, 1, 0))):
        (folder / name).mkdir()
        grey = astronaut().mean(axis=2, keepdims=True)
        write_crops((grey * 0.85 * np.array(mask)).astype(np.uint8), folder / name, 2, 96)
    return folder


def test_means_gaps_and_what_stayed(people: Path) -> None:
    source, groups = read_groups(people)
    given: list[Tensor] = []

    def restorer(picture: Picture) -> Restored[Picture]:
        given.append(picture.rgb)
        return lighten_red(picture)

    summary = summarise(measure_fairness(source, groups, restorer))
    one, two = summary["groups"]["one"], summary["groups"]["two"]
    assert (one["pictures"], one["unchanged"], two["pictures"], two["unchanged"]) == (2, 2, 2, 0)
    assert (one["lit_luma"]["mean"], one["lit_chroma"]["mean"]) == (0.0, 0.0)
    assert two["lit_luma"]["mean"] == pytest.approx(10.0, abs=0.2)
    assert two["lit_chroma"]["mean"] == pytest.approx(10.0, abs=0.5)
    assert two["largest"] >= two["lit_luma"]["mean"]
    gap = summary["gaps"]["lit_luma"]
    assert (gap["high"], gap["low"]) == ("two", "one")
    assert gap["gap"] == pytest.approx(two["lit_luma"]["mean"])
    assert gap["ci"][0] <= gap["gap"] <= gap["ci"][1]
    # The n-th picture of each group is darkened alike; here red and green are the same.
    dark = given[1::2]
    assert all(torch.equal(one[:, :2], two[:, :2]) for one, two in zip(dark[:2], dark[2:], strict=True))
    assert not torch.equal(dark[0], given[0])
    text = json.dumps(summary, allow_nan=False)
    assert json.loads(text)["groups"]["one"]["dark_psnr_y"]["mean"] > 5.0
    table = fairness_table(summary, "title")
    assert [*table.columns[0].cells] == ["one", "two", "gap", "from", "to"]
    assert len(table.columns) == 10


def test_groups_are_listed_or_folders_or_begin_the_names(people: Path, tmp_path: Path) -> None:
    source, groups = read_groups(people)
    assert groups == ["one"] * 2 + ["two"] * 2
    some, of = first_of_each(source, groups, 1)
    assert (some.names, of) == (("one/00.png", "two/00.png"), ["one", "two"])
    folder = tmp_path / "named"
    folder.mkdir()
    for name in ("x_0.png", "x_1.png", "y_0.png"):
        Image.new("RGB", (8, 8)).save(folder / name)
    assert read_groups(folder)[1] == ["x", "x", "y"]
    listed = tmp_path / "named.jsonl"
    listed.write_text('{"file": "x_1.png", "group": "z"}\n{"file": "y_0.png", "luma": 1}\n')
    assert read_groups(folder)[1] == ["x", "z", "y"]
    listed.write_text("no json\n")
    with pytest.raises(InputError, match=r"named.jsonl: each line is"):
        read_groups(folder)
    with pytest.raises(InputError, match=r"one has no groups to compare; name them in one.jsonl"):
        read_groups(people / "one")


def test_the_interval_of_a_gap() -> None:
    rng = np.random.default_rng(3)
    alike = [rng.normal(0.0, 1.0, 200) for _ in range(2)]
    low, high = bootstrap_gap(alike, seed=0)
    assert 0.0 <= low < high < 0.5
    apart = [alike[0], alike[1] + 2.0]
    low, high = bootstrap_gap(apart, seed=0)
    assert low < abs(apart[1].mean() - apart[0].mean()) < high
    # As wide as the two means together: the root of twice the variance of a mean.
    assert high - low == pytest.approx(2 * 1.96 * math.sqrt(2 / 200), rel=0.15)
    interval = bootstrap_interval(alike[0], seed=0)
    assert interval is not None
    assert interval[1] - interval[0] == pytest.approx(2 * 1.96 * math.sqrt(1 / 200), rel=0.15)


def test_the_command_line_measures_the_default_restoration(people: Path, tmp_path: Path) -> None:
    run = CliRunner().invoke
    target = tmp_path / "a.json"
    options = [
        "evaluate",
        "--fairness",
        str(people),
        "--limit",
        "1",
        "--json",
        str(target),
        "--device",
        "cpu",
    ]
    result = run(app, options)
    assert result.exit_code == 0, result.output
    assert "2 faces" in result.output
    found = json.loads(target.read_text())
    assert found["protocol"] == {"data": people.name, "scale": 1, "darkening": "llf at full size", "seed": 0}
    assert found["groups"]["one"]["dark_psnr_y"]["mean"] > 10.0
    for wrong, said in (([*options, "--data", "x"], "leave out --data"), (["evaluate"], "--data is missing")):
        result = run(app, wrong)
        assert (result.exit_code, said in result.output) == (2, True)
