"""Every shipped model by every engine, against torch; `auto`, its cache, and what is said of the rest."""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lumiface.core.errors import SettingError
from lumiface.registry import load_model, shipped_weights
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.restorer import Restorer
from lumiface.runtimes import cache, load
from lumiface.runtimes.check import Parity, compare, probes
from lumiface.runtimes.convert import to_onnx, torch_only
from lumiface.runtimes.engines import EngineNetwork, has_bf16
from lumiface.runtimes.load import load_network, measure
from lumiface.runtimes.names import Engine, Precision, require

HEAVY = ("lfsrnet-base", "lfsrnet-paper")  # ten seconds each; lfsrnet-lite is the same code
WHY = {name: torch_only(name, load_model(name)) for name in shipped_weights()}
PLAIN = [name for name, why in WHY.items() if why is None]
WAYS: list[tuple[Engine, Precision]] = [("onnx", "float32"), ("openvino", "float32"), ("openvino", "bf16")]


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A cache of its own, in which a network is converted once for all tests."""
    path = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "user_cache_path", lambda _name: path)
        yield path / "runtimes"


@pytest.fixture(scope="module")
def faces(astronaut_uint8: Any) -> list[Tensor]:
    """A face at several sizes, dark and bright, alone and in a batch."""
    photo = torch.from_numpy(astronaut_uint8.copy()).permute(2, 0, 1)[None].float() / 255
    face = photo[..., 0:256, 120:376]
    found: list[Tensor] = []
    for side in (32, 48, 72):
        small = F.interpolate(face, size=(side, side), mode="area")
        found += [
            (gain * small**power * 255).round() / 255 for gain, power in ((0.1, 1.3), (0.4, 1.6), (1, 1))
        ]
    batch = torch.cat([found[0], found[1], found[2]])
    return [*found, batch, found[4][..., :37, 3:30]]


def need(engine: Engine) -> None:
    try:
        require(engine)
    except SettingError as error:
        pytest.skip(str(error))


def test_the_plain_models_are_those_that_map_a_picture_to_a_picture() -> None:
    assert len(PLAIN) >= 8
    assert sorted(name for name, why in WHY.items() if why is not None) == [
        "fusion-bfr-128",
        "fusion-bfr-64",
        "prior3d-small",
    ]


@pytest.mark.parametrize(("engine", "precision"), WAYS)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name in HEAVY else name for name in PLAIN]
)
def test_outputs_are_torchs(name: str, engine: Engine, precision: Precision, faces: list[Tensor]) -> None:
    need(engine)
    network = load_network(name, "cpu", engine, precision)
    assert isinstance(network, EngineNetwork)
    parity = compare(load_model(name), network, faces)
    worst, least = {"float32": (2.0, 50.0), "bf16": (4.0, 45.0)}[precision]
    assert parity.worst <= worst, str(parity)
    assert parity.psnr >= least, str(parity)


@pytest.mark.parametrize("name", ["lumiface-x4", "lumiface-x4-real", "lumiface-photo-x4"])
def test_the_default_models_do_run_in_bf16_where_the_processor_can(name: str) -> None:
    need("openvino")
    network = load_network(name, "cpu", "openvino", "bf16")
    assert isinstance(network, EngineNetwork)
    assert network.precision == ("bf16" if has_bf16() else "float32")
    worst = compare(load_model(name), network, [probes(8)[0]]).worst
    assert (worst > 0.01) == has_bf16()  # what is said is what is done


@pytest.mark.parametrize("name", ["lumiface-x4", "lfsrnet-lite", "lumiface-photo-x2"])
def test_torch_in_another_layout_gives_the_same_up_to_rounding(name: str) -> None:
    network = load_network(name, "cpu", "torch")
    assert compare(load_model(name), network, probes(8)).worst < 0.01


@pytest.mark.parametrize("name", ["fusion-bfr-64", "prior3d-small"])
def test_other_models_run_by_torch_and_say_why(name: str) -> None:
    need("onnx")
    with pytest.warns(UserWarning, match=f"^{name} runs by torch: its ") as said:
        assert isinstance(load_network(name, "cpu", "onnx"), nn.Module)
    assert "\n" not in str(said[0].message)


def test_no_warning_where_no_engine_was_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(load.AUTO, "auto")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(load_network("fusion-bfr-64"), nn.Module)


@pytest.mark.parametrize(
    ("runtime", "precision", "device", "said"),
    [
        ("onnx", "bf16", "cpu", "runtime onnx has no bf16; use openvino, or float32"),
        ("torch", "bf16", "cpu", "runtime torch has no bf16"),
        ("onnx", "float32", "meta", "runtime onnx runs on the CPU, not on meta; use torch there"),
    ],
)
def test_combinations_that_do_not_exist(runtime: Any, precision: Any, device: str, said: str) -> None:
    need("onnx")
    with pytest.raises(SettingError, match=said):
        load_network("srcnn", device, runtime, precision)
    if device == "cpu":  # before any photograph, though `auto` loads its networks when they are needed
        with pytest.raises(SettingError, match=said):
            Restorer(config=RestoreConfig(runtime=runtime, precision=precision))


def test_an_engine_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lumiface.runtimes.names.find_spec", lambda _name: None)
    monkeypatch.setattr(load, "is_installed", lambda _engine: False)
    with pytest.raises(SettingError, match=r"needs the package openvino: pip install 'lumiface\[openvino\]'"):
        load_network("srcnn", "cpu", "openvino")
    monkeypatch.setenv(load.AUTO, "auto")
    assert isinstance(load_network("srcnn"), nn.Module)


def test_auto_tries_once_and_remembers(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    need("onnx")
    monkeypatch.setenv(load.AUTO, "auto")
    calls: list[int] = []

    def timed(networks: Any, picture: Tensor) -> dict[Engine, float]:
        calls.append(len(networks))
        return dict.fromkeys(networks, 10.0) | {"onnx": 2.0}

    monkeypatch.setattr(load, "measure", timed)
    first, second = load_network("srcnn"), load_network("srcnn")
    assert isinstance(first, EngineNetwork)
    assert isinstance(second, EngineNetwork)
    assert (first.engine, second.engine) == ("onnx", "onnx")
    assert len(calls) == 1
    (record,) = folder.glob("*-float32-*.json")
    assert json.loads(record.read_text())["milliseconds"]["onnx"] == 2.0
    record.write_text("{")  # damaged: tried again
    assert isinstance(load_network("srcnn"), EngineNetwork)
    assert len(calls) == 2


def test_auto_stays_with_torch_where_nothing_is_gained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(load.AUTO, "auto")
    monkeypatch.setattr(load, "measure", lambda networks, _picture: dict.fromkeys(networks, 1.0))
    assert isinstance(load_network("lumiface-photo-x2"), nn.Module)


def test_the_environment_says_what_auto_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(load.AUTO, "quick")
    with pytest.raises(SettingError, match="LUMIFACE_RUNTIME=quick: there is no such runtime"):
        load_network("srcnn")


def test_a_cached_model_of_another_network_is_converted_anew(folder: Path) -> None:
    need("onnx")
    load_network("srcnn", "cpu", "onnx")
    path = folder / f"{cache.digest_of('srcnn')}.onnx"
    for wrong in (to_onnx(load_model("lumiface-photo-x2")), b"no model"):
        path.write_bytes(wrong)
        network = load_network("srcnn", "cpu", "onnx")
        assert compare(load_model("srcnn"), network, probes(1)).holds("float32")
        assert path.read_bytes() != wrong


def test_outputs_are_compared_with_torch_once(monkeypatch: pytest.MonkeyPatch) -> None:
    need("onnx")
    load_network("srcnn", "cpu", "onnx")
    monkeypatch.setattr(load, "is_faithful", lambda *_args: pytest.fail("compared again"))
    assert isinstance(load_network("srcnn", "cpu", "onnx"), EngineNetwork)


def test_other_code_of_a_network_is_another_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    before = cache.digest_of("srcnn")
    monkeypatch.setattr(cache, "_digest_of_code", lambda: "changed")
    assert cache.digest_of("srcnn") != before


def test_a_network_that_is_right_at_one_size_only_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    need("onnx")
    shift = nn.Conv2d(3, 3, 1)
    monkeypatch.setattr(load, "converted", lambda *_args, **_more: to_onnx(shift))
    with pytest.raises(SettingError, match="srcnn by onnx does not give what torch gives; use the runtime"):
        load_network("srcnn", "cpu", "onnx")


def test_what_cannot_be_converted_is_one_line(capfd: pytest.CaptureFixture[str]) -> None:
    class Transposed(nn.Module):
        def forward(self, low: Tensor) -> Tensor:
            return low.mT  # the exporter does not know it, and would print the whole graph

    with pytest.raises(SettingError, match=r"^Transposed cannot be converted to ONNX \(.*\)$"):
        to_onnx(Transposed())
    assert capfd.readouterr() == ("", "")


def test_parity_of_wrong_outputs_is_infinitely_bad() -> None:
    picture = torch.full((1, 3, 8, 8), 0.5)
    nan = compare(lambda low: low, lambda low: low * torch.nan, [picture])
    shape = compare(lambda low: low, lambda low: low[..., 1:], [picture])
    assert nan == shape == Parity(float("inf"), float("-inf"))
    near = compare(lambda low: low, lambda low: low + 3 / 255, [picture])
    assert near.holds("bf16") is False  # 38 dB
    assert round(near.worst, 3) == 3.0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_a_forked_process_runs_by_torch() -> None:
    need("onnx")
    network = load_network("srcnn", "cpu", "onnx")
    low = probes(8)[0]
    expected = network(low)
    child = os.fork()
    if child == 0:
        close = torch.allclose(network(low), expected, atol=1e-4)
        os._exit(0 if close else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_the_trial_measures_each(folder: Path) -> None:
    del folder
    slow, quick = nn.Conv2d(3, 64, 9), nn.Identity()
    times = measure({"torch": slow, "onnx": quick}, torch.rand(1, 3, 64, 64))
    assert 0 < times["onnx"] < times["torch"]


def test_restorer_by_an_engine_gives_the_same_picture(astronaut: Tensor) -> None:
    need("onnx")
    from lumiface.imaging.io import Picture

    dark = Picture(0.3 * F.interpolate(astronaut, scale_factor=0.25, mode="area"))
    config = RestoreConfig(task="joint", scale=2)
    box = [(50.0, 8.0, 30.0, 40.0)]
    by_torch = Restorer(config=config)(dark, box).picture.rgb
    restorer = Restorer(config=config, runtime="onnx")
    assert restorer.config.runtime == "onnx"
    by_engine = restorer(dark, box).picture.rgb
    assert 255 * (by_engine - by_torch).abs().max() < 0.5
