"""Training from a pack equals training from a folder of the decoded pictures."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from safetensors.torch import load_file

from example_runs import cpu_fabric
from lumiface.core.settings import find_config
from lumiface.data.sources import open_source
from lumiface.data.training.pack import pack_faces
from lumiface.imaging.io import decode_rgb8
from lumiface.training.read_config import read_config
from lumiface.training.run import train
from lumiface.training.task import Limits


def test_training_from_a_pack_equals_training_from_its_pictures(paired_faces: Path, tmp_path: Path) -> None:
    (tmp_path / "packed").mkdir()
    (tmp_path / "decoded").mkdir()
    pack = tmp_path / "packed" / "faces.pack"
    pack_faces([paired_faces], pack, max_bytes=30_000, log=lambda line: None)
    for name, data in open_source(pack).items():
        Image.fromarray(decode_rgb8(data, name)).save(tmp_path / "decoded" / name)
    tiny = {"batch": 2, "validate_every": 2, "warmup": 1, "validate_on": str(tmp_path / "decoded")}
    config = read_config(find_config("tiny"), tiny)
    for root in (pack, tmp_path / "decoded"):
        folder = tmp_path / "run" / root.stem
        train(config, folder, cpu_fabric(), data_root=str(root), limits=Limits(max_steps=4))
    one, other = (load_file(tmp_path / "run" / name / "last.safetensors") for name in ("faces", "decoded"))
    assert one.keys() == other.keys()
    assert all(one[key].equal(other[key]) for key in one)
