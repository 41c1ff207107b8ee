"""Weights of other projects: the same network as its authors', what is said of it, what is refused."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from helpers import rand
from lumiface.core.errors import InputError, LumifaceError, SettingError
from lumiface.registry import (
    WorkingSizes,
    foreign_config,
    foreign_stages,
    foreign_task,
    load_model,
    working_sizes,
)
from lumiface.restoration.tasks import resolve_task
from lumiface.runtimes import load_network
from lumiface.runtimes.convert import torch_only

architectures = pytest.importorskip("spandrel.architectures")


def network_of(architecture: str, **settings: Any) -> nn.Module:
    """One of spandrel's networks with random weights."""
    torch.manual_seed(0)
    module = pytest.importorskip(f"spandrel.architectures.{architecture}")
    return getattr(module, architecture)(**settings).eval()


def esrgan(scale: int, channels: int = 3) -> nn.Module:
    settings = {"in_nc": channels, "out_nc": channels, "num_filters": 8, "num_blocks": 1, "scale": scale}
    return network_of("ESRGAN", **settings)


def swinir(scale: int, upsampler: str) -> nn.Module:
    size = {"img_size": 16, "window_size": 8, "depths": [2], "embed_dim": 12, "num_heads": [2]}
    return network_of("SwinIR", **size, mlp_ratio=2, upscale=scale, upsampler=upsampler)


def compact(scale: int) -> nn.Module:
    return network_of("Compact", num_feat=8, num_conv=2, upscale=scale)


@pytest.mark.parametrize(
    ("network", "name", "scale", "task"),
    [
        (esrgan(4), "ESRGAN", 4, "joint"),
        (esrgan(2), "ESRGAN", 2, "joint"),
        (compact(4), "RealESRGAN Compact", 4, "joint"),
        (swinir(2, "pixelshuffle"), "SwinIR", 2, "joint"),
        (swinir(4, "pixelshuffledirect"), "SwinIR", 4, "joint"),
        (swinir(1, ""), "SwinIR", 1, "blind"),
    ],
)
@torch.inference_mode()
def test_it_is_the_same_network(network: nn.Module, name: str, scale: int, task: str, tmp_path: Path) -> None:
    """Outputs equal those of the network itself, whatever the format, the wrapping and the batch."""
    picture = rand(2, 3, 21, 24)
    expected = torch.cat([network(one) for one in picture.split(1)]).clamp(0.0, 1.0)
    torch.save({"params_ema": network.state_dict()}, tmp_path / "wrapped.pth")
    torch.save(network.state_dict(), tmp_path / "bare.PTH")
    save_file(network.state_dict(), tmp_path / "safe.safetensors")
    for file in ("wrapped.pth", "bare.PTH", "safe.safetensors"):
        loaded: Any = load_model(tmp_path / file)
        assert expected.shape[-2:] == (21 * scale, 24 * scale)
        assert torch.equal(loaded(picture), expected)
        assert (loaded.config.architecture, loaded.config.scale) == (name, scale)
        assert foreign_config(tmp_path / file) == loaded.config
        assert foreign_task(loaded.config) == task
        assert resolve_task(None, str(tmp_path / file))[0].training_task == task
    assert foreign_config(tmp_path / "absent.pth") is None


def test_sizes_and_tasks_follow_the_scale(tmp_path: Path) -> None:
    large, same = tmp_path / "large.pth", tmp_path / "same.pth"
    torch.save(compact(2).state_dict(), large)
    torch.save(swinir(1, "").state_dict(), same)
    assert working_sizes(large) == WorkingSizes(32, 128, 256)
    assert working_sizes(same) == WorkingSizes(256, 256, 256)
    with pytest.raises(SettingError, match="not trained for the task blind"):
        resolve_task("blind", str(large))


def test_a_file_that_changes_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    for scale in (2, 4):
        torch.save(compact(scale).state_dict(), path)
        config = foreign_config(path)
        assert config is not None
        assert config.scale == scale


@torch.inference_mode()
def test_networks_that_redraw_faces_see_512_pixels(tmp_path: Path) -> None:
    size = {"ch": 32, "ch_mult": (1,) * 6, "num_res_blocks": 1, "attn_resolutions": (16,), "resolution": 512}
    codes = {"n_embed": 16, "embed_dim": 32, "z_channels": 32, "double_z": False, "enable_mid": True}
    network = network_of("RestoreFormer", **size, **codes, head_size=8, in_channels=3, out_ch=3, dropout=0.0)
    path = tmp_path / "face.pth"
    torch.save(network.state_dict(), path)
    loaded: Any = load_model(path)
    seen: list[Tensor] = []
    loaded.body.register_forward_hook(lambda _, inputs, output: seen.extend((inputs[0], output[0])))
    face = rand(1, 3, 512, 512)
    redrawn = loaded(face)
    torch.testing.assert_close(seen[0], 2 * face - 1)
    torch.testing.assert_close(redrawn, (0.5 * seen[1] + 0.5).clamp(0, 1))
    assert working_sizes(path) == WorkingSizes(512, 512, 512)
    assert loaded(rand(1, 3, 48, 48)).shape == (1, 3, 48, 48)
    assert seen[2].shape[-1] == 512


def test_torch_runs_them_and_nothing_else(tmp_path: Path) -> None:
    path = str(tmp_path / "x.pth")
    torch.save(compact(2).state_dict(), path)
    network = load_network(path)
    assert torch_only(path, load_model(path)) == "its weights are of another project"
    picture = rand(1, 3, 8, 8)
    pytest.importorskip("onnxruntime")
    with pytest.warns(UserWarning, match="runs by torch: its weights are of another project"):
        named = load_network(path, runtime="onnx")
    assert torch.equal(named(picture), network(picture))


class Harmful:
    """Unpickled carelessly, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.parametrize("zipped", [True, False])
def test_objects_beside_weights_are_refused_and_not_run(tmp_path: Path, *, zipped: bool) -> None:
    path, folder = tmp_path / "harm.pth", tmp_path / "made"
    content = {"params": compact(2).state_dict(), "more": Harmful(folder)}
    if zipped:
        torch.save(content, path)
    else:
        path.write_bytes(pickle.dumps(Harmful(folder), protocol=2))
    with pytest.raises(InputError, match=r"harm\.pth holds Python objects beside its weights"):
        load_model(path)
    assert not folder.exists()


def test_a_refused_pickle_is_the_only_line(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    path, folder = tmp_path / "harm.pkl", tmp_path / "made"
    path.write_bytes(pickle.dumps(Harmful(folder), protocol=4))  # torch warns of protocols it did not choose
    with pytest.raises(InputError, match=r"harm\.pkl cannot be read"):
        load_model(path)
    assert not recwarn.list
    assert not folder.exists()


def test_the_reason_of_a_damaged_file_is_one_whole_sentence(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    broken(path)
    with pytest.raises(InputError, match=r"failed finding central directory\); get it again"):
        load_model(path)


def test_the_stages_of_a_chain_are_known_one_by_one(tmp_path: Path) -> None:
    one, other = tmp_path / "one.pth", tmp_path / "other + more.pth"
    torch.save(compact(2).state_dict(), one)
    torch.save(esrgan(2).state_dict(), other)
    assert [config.name for config in foreign_stages(f"lumiface-x4 + {one}")] == ["one.pth"]
    assert [config.name for config in foreign_stages(f"{one} + {one}")] == ["one.pth", "one.pth"]
    assert [config.name for config in foreign_stages(other)] == ["other + more.pth"]
    assert foreign_stages("lumiface-x4") == []


def broken(path: Path) -> None:
    torch.save(esrgan(4).state_dict(), path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def without_a_part(path: Path) -> None:
    state = esrgan(4).state_dict()
    state.pop("model.1.sub.0.RDB2.conv1.0.weight")
    torch.save(state, path)


def without_a_number(path: Path) -> None:
    state = compact(2).state_dict()
    next(iter(state.values())).view(-1)[0] = torch.nan
    torch.save(state, path)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (broken, "cannot be read"),
        (without_a_part, "cannot be read"),
        (lambda path: path.write_bytes(b""), "cannot be read"),
        (lambda path: path.write_bytes(b"\xff\xd8\xff\xe0 a photograph"), "cannot be read"),
        (lambda path: torch.save([1, 2], path), "name another file"),
        (lambda path: torch.save(nn.Linear(3, 4).state_dict(), path), "no architecture that spandrel knows"),
        (lambda path: torch.save(esrgan(2, channels=1).state_dict(), path), "does not map RGB to RGB"),
        (without_a_number, "some of its weights are not finite"),
        (Path.mkdir, "is a folder"),
    ],
)
def test_other_files_are_refused_in_one_line(make: Any, says: str, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    make(path)
    with pytest.raises(LumifaceError, match=says) as refused:
        load_model(path)
    assert "weights.pth" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


def test_without_spandrel_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.pth"
    torch.save(compact(2).state_dict(), path)
    monkeypatch.setitem(sys.modules, "spandrel", None)  # what the import system takes for "not there"
    with pytest.raises(SettingError, match=r"pip install 'lumiface\[peers\]'"):
        load_model(path)


def test_they_are_no_weights_to_train_on(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    torch.save(compact(2).state_dict(), path)
    with pytest.raises(InputError, match="not written by lumiface"):
        load_model(path, kind="lfsrnet")
