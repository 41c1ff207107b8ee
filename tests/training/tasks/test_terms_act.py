"""Every loss term of the shipped configurations moves its network, or PAPER.md names it as inert.

One row for each set of terms: real faces, the configuration's losses and weights, the shipped weights as
initial ones. A term is judged by the largest of its shares over the logged steps, where `INERT` is the limit.
"""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from example_runs import run_training
from helpers import Find
from lumiface.core.settings import shipped_configs
from lumiface.methods import __file__ as METHODS_FILE
from lumiface.training.gradients import INERT
from lumiface.training.read_config import read_config

FACES = "faces256-train-00.tar"
MESHES = "faces256-train-mesh468-00-02.npz"
NUM_FACES = 4


@dataclass(frozen=True)
class Row:
    """One run.

    Attributes:
        config, init_from: a shipped configuration, and the weights it begins with.
        terms, inert: the loss terms it must have, and those of them that PAPER.md of `paper` names as inert.
        settings, data, assets: changed settings; those that are files of test data, and of weights.
    """

    config: str
    init_from: str | None
    terms: set[str]
    inert: set[str] = field(default_factory=set)
    steps: int = 1
    settings: dict[str, Any] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    assets: dict[str, str] = field(default_factory=dict)
    paper: str = ""


FEW_PRIORS = {"faces": 2, "validate_faces": 1, "unpaired": ["{data}/few.tar"]}
ENHANCER = {"l1", "perceptual", "intra", "inter", "adversarial"}
QUICK = (
    Row("lfsrnet-lite-distill", "lfsrnet-lite", {"l1", "fft", "mask", "log_mse", "teacher"}),
    Row("lumiface-x4-real", "lumiface-x4", {"l1", "fft", "log_mse", "lpips", "identity"}),
    Row("fusion-bfr-64", "fusion-bfr-64", {"perceptual", "identity", "mrfr", "pixel"}),
)
SLOW = (
    Row("lfsrnet-paper", "lfsrnet-paper", {"l1", "fft", "mask"}),
    Row("lumiface-photo-x4-finetune", "lumiface-photo-x4", {"l1", "lpips"}),
    Row("face-embedder", None, {"cosine", "relation"}),
    Row("stylegan2-64-autoencoder", None, {"pixel", "latent_reg", "perceptual"}),
    Row(
        "fusion-bfr-128",
        "fusion-bfr-128",
        {"perceptual", "identity", "mrfr", "pixel", "adversarial"},
        assets={"prior": "trained/stylegan2-128.safetensors"},
    ),
    Row(
        "prior3d-lifter-small",
        None,
        {"colour", "depth", "opacity", "distortion", "perceptual", "mirror"},
        settings={"validate_faces": 1},
        data={"meshes": MESHES, "validate_meshes": MESHES},
    ),
    # The teacher equals the student at first: consistency between them begins with the second step.
    Row("prior3d-small", None, ENHANCER, inert={"intra"}, steps=8, settings=FEW_PRIORS, paper="prior3d"),
    Row("prior3d-ablation", None, ENHANCER, steps=8, settings=FEW_PRIORS),
)


@pytest.fixture(scope="module")
def few_faces(shared_data: Find, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first faces of the training set, under names that no set has."""
    folder = tmp_path_factory.mktemp("faces")
    with tarfile.open(shared_data(FACES)) as source, tarfile.open(folder / "few.tar", "w") as few:
        for _, member in zip(range(NUM_FACES), source, strict=False):
            few.addfile(member, source.extractfile(member))
    return folder


@pytest.mark.parametrize(
    "row",
    [
        *(pytest.param(row, id=row.config) for row in QUICK),
        *(pytest.param(row, id=row.config, marks=pytest.mark.slow) for row in SLOW),
    ],
)
def test_every_term_acts(
    row: Row,
    few_faces: Path,
    tmp_path: Path,
    shared_asset: Find,
    shared_data: Find,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LUMIFACE_ASSETS", str(shared_asset("vgg_normalised_conv3_1.pth").parent))
    settings: dict[str, Any] = row.settings | {key: str(shared_data(name)) for key, name in row.data.items()}
    settings |= {key: str(shared_asset(name)) for key, name in row.assets.items()}
    config = read_config(shipped_configs()[row.config])
    values: dict[str, Any] = config.model_dump() | {
        "train": ["{data}/few.tar"],
        "validate_on": "{data}/few.tar",
        "batch": 2,
        "precision": "32-true",
        "compile": "never",
        "gradients_every": 1,
        "validate_every": config.steps,
    }
    config = type(config)(**(values | settings))
    run_training(config, tmp_path / "run", few_faces, max_steps=row.steps, init_from=row.init_from)
    lines = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    shares: dict[str, float] = {}
    for line in lines:
        for name in (key for key in line if key.startswith("gradient_")):
            term = name.removeprefix("gradient_")
            shares[term] = max(shares.get(term, 0.0), line[name])
    assert row.terms <= set(shares)
    inert = {term for term, share in shares.items() if share < INERT}
    assert inert == row.inert, shares
    paper = Path(METHODS_FILE).parent / row.paper / "PAPER.md"
    for term in row.inert:
        assert any(f"`{term}`" in line and "inert" in line for line in paper.read_text().splitlines())
