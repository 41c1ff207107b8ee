"""Trained networks: those that ship, their metadata, working sizes, and files that cannot be used."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lumiface.core.errors import InputError, SettingError
from lumiface.faces.face import Face
from lumiface.faces.measure import FaceMeasures
from lumiface.registry import (
    WorkingSizes,
    build,
    default_model,
    find_spec,
    list_models,
    load_model,
    read_metadata,
    shipped_components,
    shipped_weights,
    trained_on_camera,
    working_sizes,
)
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.face_restorer import FaceRestorer
from lumiface.restoration.tasks import FACE_TASKS
from lumiface.training.checkpoint import save_weights


def save(path: Path, preset: str, network: Any = None, **settings: Any) -> Path:
    """A checkpoint of an untrained network."""
    network = build(preset) if network is None else network
    options = {"method": preset, "config": network.config, "provenance": {}} | settings
    save_weights(path, network.state_dict(), **options)
    return path


def save_old(path: Path, preset: str, provenance: dict[str, Any], **config: Any) -> Path:
    """A checkpoint as earlier versions wrote it: no score, no training data, no sizes."""
    network: Any = build(preset, config)
    facts = {"method": preset, "config": network.config.model_dump(mode="json"), "provenance": provenance}
    save_file(network.state_dict(), path, {"lumiface": json.dumps(facts)})
    return path


# --- models that ship ---------------------------------------------------------------------------------------


def test_shipped_models_load_and_state_their_score() -> None:
    assert list_models() == list(shipped_weights())
    low = torch.rand((1, 3, 16, 16), generator=torch.Generator().manual_seed(1)) * 0.3
    for name in list_models():
        metadata = read_metadata(shipped_weights()[name])
        assert metadata == read_metadata(name)
        score = metadata["score"]
        # A generative model is chosen by its similarity, not pixel by pixel.
        generative = score["name"] == "minus_lpips_squeeze"
        assert score["value"] > -0.2 if generative else (score["name"] == "psnr_y" and score["value"] > 20)
        network: Any = load_model(name)
        with torch.inference_mode():
            high = network(low)
        assert high.shape[-1] == 16 * network.config.scale
        assert high.isfinite().all()
    if list_models():
        assert default_model() in list_models()


def test_shipped_components_state_their_score() -> None:
    for name in shipped_components():
        metadata = read_metadata(name)
        assert find_spec(metadata["method"])[0].kind == "component"
        assert math.isfinite(metadata["score"]["value"])


def test_models_trained_on_camera_images_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores on pairs of different kinds cannot be compared: a camera's are harder than a benchmark's."""
    files: dict[str, Path] = {}
    for name, score, trained_on in (
        ("benchmark", 26.0, "benchmark"),
        ("camera", 24.0, "camera"),
        ("camera-worse", 23.0, "camera"),
        ("benchmark-worse", 25.0, "benchmark"),
        ("benchmark-not-validated", None, "benchmark"),
    ):
        settings: dict[str, Any] = {"trained_on": trained_on}
        if score is not None:
            settings["score"] = {"name": "psnr_y", "value": score}
        files[name] = save(tmp_path / f"{name}.safetensors", "lfsrnet-lite", **settings)
    monkeypatch.setattr("lumiface.registry.checkpoints.shipped_weights", lambda: files)
    assert default_model("joint") == "camera"
    assert trained_on_camera("camera-worse")
    assert not any(trained_on_camera(name) for name in ("benchmark", "benchmark-worse", "clahe"))
    assert trained_on_camera(files["camera"])
    del files["camera"], files["camera-worse"]
    assert default_model("joint") == "benchmark"
    with pytest.raises(InputError, match="no weights for the task 'blind' came with this installation"):
        default_model("blind")


def test_models_of_earlier_versions_are_ranked_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        name: save_old(
            tmp_path / f"{name}.safetensors",
            "lfsrnet-lite",
            {"best_psnr_y": score, "run": {"recipe": recipe}},
            channels=16,
            blocks=1,
        )
        for name, score, recipe in (
            ("benchmark", 26.0, {}),
            ("camera", 24.0, {"camera": {}}),
            ("camera-worse", 23.0, {"camera": {"lit": 0.2}}),
            ("benchmark-worse", 25.0, {"camera": None}),
        )
    }
    monkeypatch.setattr("lumiface.registry.checkpoints.shipped_weights", lambda: files)
    assert default_model("joint") == "camera"
    assert trained_on_camera("camera-worse")
    assert not any(trained_on_camera(name) for name in ("benchmark", "benchmark-worse"))
    del files["camera"], files["camera-worse"]
    assert default_model("joint") == "benchmark"


# --- metadata -----------------------------------------------------------------------------------------------


def test_metadata_are_read_as_they_were_written(tmp_path: Path) -> None:
    provenance = {"step": 3, "versions": {"torch": "2"}}
    score, sizes = {"name": "psnr_y", "value": 21.5}, WorkingSizes(24, 48, 72)
    path = save(
        tmp_path / "model.safetensors",
        "srcnn",
        provenance=provenance,
        score=score,
        trained_on="camera",
        sizes=sizes,
    )
    metadata = read_metadata(path)
    assert metadata == {
        "method": "srcnn",
        "config": {"variant": "9-5-5", "scale": 4},
        "score": score,
        "trained_on": "camera",
        "sizes": {"smallest": 24, "largest": 48, "trusted": 72},
        "provenance": provenance,
    }
    assert working_sizes(path) == sizes
    plain = read_metadata(save(tmp_path / "plain.safetensors", "srcnn"))
    assert (plain["score"], plain["trained_on"], plain["sizes"]) == (None, "benchmark", None)


@pytest.mark.parametrize(
    ("provenance", "score", "trained_on"),
    [
        ({"best_psnr_y": 20.5, "step": 7}, {"name": "psnr_y", "value": 20.5}, "benchmark"),
        (
            {"best_minus_lpips_squeeze": -0.25, "run": {"recipe": {"camera": None}}},
            {"name": "minus_lpips_squeeze", "value": -0.25},
            "benchmark",
        ),
        (
            {"best_psnr_y": 20.5, "run": {"recipe": {"camera": {"lit": 0.2}}}},
            {"name": "psnr_y", "value": 20.5},
            "camera",
        ),
        ({"run": {"recipe": {"camera": {}}}}, None, "camera"),
        ({"run": {"name": "trial"}}, None, "benchmark"),
        ({"best_psnr_y": -math.inf, "step": 7}, None, "benchmark"),  # before the first validation
        ({}, None, "benchmark"),
    ],
)
def test_metadata_of_earlier_versions_have_the_current_fields(
    tmp_path: Path, provenance: dict[str, Any], score: dict[str, Any] | None, trained_on: str
) -> None:
    path = save_old(tmp_path / "old.safetensors", "srcnn", provenance)
    metadata = read_metadata(path)
    assert metadata["score"] == score
    assert metadata["trained_on"] == trained_on
    assert metadata["sizes"] is None
    assert metadata["provenance"] == {
        key: value for key, value in provenance.items() if not key.startswith("best_")
    }
    assert trained_on_camera(path) == (trained_on == "camera")
    assert working_sizes(path) == working_sizes("srcnn")
    assert load_model(path).training is False


# --- working sizes ------------------------------------------------------------------------------------------

TINY_RESTORER: dict[str, Any] = {
    "encoder": {"resolution": 128, "latent": 16, "channel_base": 256, "max_channels": 8},
    "generator": {"resolution": 128, "latent": 16, "mapping": 1, "channel_base": 256, "max_channels": 8},
    "fusions": 1,
    "heads": 2,
}


@pytest.fixture(params=["tiny", "tiny, earlier version", "trained"])
def restorer_of_128(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A blind restorer whose generator synthesises faces of 128 pixels."""
    if request.param == "trained":
        find = request.getfixturevalue("shared_asset")
        return str(find("trained/fusion-bfr-128.safetensors"))
    path = tmp_path / "restorer.safetensors"
    torch.manual_seed(0)
    if request.param == "tiny":
        sizes = WorkingSizes(128, 128, 128)
        return str(save(path, "fusion_bfr", build("fusion_bfr", TINY_RESTORER), sizes=sizes))
    return str(save_old(path, "fusion_bfr", {"best_minus_lpips_squeeze": -0.2}, **TINY_RESTORER))


def test_a_restorer_of_128_pixels_is_given_faces_of_128(
    restorer_of_128: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert working_sizes(restorer_of_128) == WorkingSizes(128, 128, 128)
    restorer = FaceRestorer(
        FACE_TASKS["blind"], restorer_of_128, RestoreConfig(task="blind"), torch.device("cpu")
    )
    shapes: list[torch.Size] = []

    class Identity(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            shapes.append(image.shape)
            return image

    monkeypatch.setattr(restorer, "network", Identity())
    photo = torch.rand(1, 3, 300, 300, generator=torch.Generator().manual_seed(0))
    x, y = 150.0, 140.0
    points = ((x - 35, y - 20), (x + 35, y - 20), (x, y + 15), (x - 30, y + 50), (x + 30, y + 50))
    face = Face((60.0, 40.0, 240.0, 260.0), 0.99, points)
    (restored,) = restorer(photo, photo, [face], [FaceMeasures(side=200.0, light=0.5, detail=80.0)])
    assert shapes == [(1, 3, 128, 128)]
    assert restored.patch.shape == (1, 3, 128, 128)
    assert restored.report.treatment == "restored"


def test_working_sizes_of_methods_and_chains() -> None:
    assert working_sizes("lfsrnet-lite") == WorkingSizes(smallest=32, largest=64, trusted=96)
    assert working_sizes("clahe") == WorkingSizes(smallest=256, largest=256, trusted=256)
    assert working_sizes("fusion-bfr-512") == WorkingSizes(512, 512, 512)
    assert working_sizes("clahe + bicubic") == working_sizes("bicubic")


# --- files that cannot be used ------------------------------------------------------------------------------


def test_files_that_are_no_models(tmp_path: Path) -> None:
    def refusal(path: Path) -> str:
        with pytest.raises(InputError) as caught:
            load_model(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    assert "no such model" in refusal(tmp_path / "gone.safetensors")
    whole = save(tmp_path / "whole.safetensors", "srcnn-3-1-5").read_bytes()
    cut = tmp_path / "cut.safetensors"
    for size in (0, 4, 200, len(whole) - 1):
        cut.write_bytes(whole[:size])
        assert "damaged" in refusal(cut)
    foreign = tmp_path / "foreign.safetensors"
    save_file({"x": torch.zeros(1)}, foreign)
    assert "not written by lumiface" in refusal(foreign)
    other: Any = build("srcnn")
    mixed = save(tmp_path / "mixed.safetensors", "srcnn-9-1-5", method="srcnn", config=other.config)
    assert "do not fit" in refusal(mixed)


def test_a_component_is_loaded_by_its_kind_alone(tmp_path: Path) -> None:
    generator: Any = build("stylegan2", TINY_RESTORER["generator"])
    path = save(tmp_path / "generator.safetensors", "stylegan2", generator)
    for name in (path, f"{path} + clahe"):
        with pytest.raises(SettingError, match="stylegan2 is a component of a method"):
            load_model(name)
    assert load_model(path, kind="stylegan2").training is False


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "model.safetensors", "srcnn-3-1-5")
    with pytest.raises(InputError, match=r"holds srcnn-3-1-5, not stylegan2; name the file of a stylegan2"):
        load_model(path, kind="stylegan2")
    for kind in ("srcnn", "srcnn-3-1-5"):  # by the entry's or the preset's name
        network = load_model(path, kind=kind)
        assert all(torch.equal(value, load_file(path)[key]) for key, value in network.state_dict().items())
