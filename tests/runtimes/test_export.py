"""`lumiface export`: what is in the file, that it is right, and one line for what cannot be exported."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from lumiface.cli import app
from lumiface.registry import load_model
from lumiface.runtimes.check import probes
from lumiface.runtimes.export import PREFIX, export_model

DOC = Path(__file__).parents[2] / "docs" / "use" / "export.md"


@pytest.fixture(scope="module")
def onnx_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    path = tmp_path_factory.mktemp("export") / "new" / "lumiface-x4.onnx"
    exported = export_model("lumiface-x4", path)
    assert exported.files == [path]
    assert exported.parity.worst < 0.1
    assert list(path.parent.iterdir()) == [path]  # no draft is left
    return path


def test_the_metadata_say_what_a_caller_must_know(onnx_file: Path) -> None:
    import onnx

    model = onnx.load(onnx_file)
    facts = {entry.key.removeprefix(PREFIX): entry.value for entry in model.metadata_props}
    assert facts["scale"] == "4"
    assert facts["sizes"] == "32-96"
    assert (facts["colour"], facts["range"], facts["layout"]) == ("RGB", "0-1", "NCHW, float32")
    assert (facts["task"], facts["aligned_face"]) == ("joint", "yes")
    assert facts["licence"] == "non-commercial"
    assert model.producer_name == "lumiface"
    assert [axis.dim_param for axis in model.graph.input[0].type.tensor_type.shape.dim] == [
        "batch",
        "",
        "height",
        "width",
    ]


def test_batches_and_sizes_are_open(onnx_file: Path) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(onnx_file), providers=["CPUExecutionProvider"])
    network: Any = load_model("lumiface-x4")
    for low in probes(4, ((32, 32), (19, 33), (50, 7))):
        (large,) = session.run(None, {"input": low.numpy()})
        with torch.inference_mode():
            torch.testing.assert_close(torch.from_numpy(large), network(low), atol=1e-4, rtol=0)


def test_openvinos_file_has_its_weights_beside_it(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    path = tmp_path / "photo.xml"
    exported = export_model("lumiface-photo-x2", path, "openvino")
    assert exported.files == [path, path.with_suffix(".bin")]
    graph = openvino.Core().read_model(path)
    assert graph.get_rt_info(["lumiface", "scale"]).astype(str) == "2"
    assert graph.get_rt_info(["lumiface", "tiling"]).astype(str) == "yes"
    low = probes(2)[-1]
    large = openvino.Core().compile_model(graph, "CPU")(low.numpy())[0]
    assert large.shape == (2, 3, 2 * low.shape[2], 2 * low.shape[3])


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["fusion-bfr-64", "-o", "{tmp}/a.onnx"], 2, "cannot be exported: its fidelity"),
        (["prior3d-small", "-o", "{tmp}/a.onnx"], 2, "cannot be exported: its 3D prior"),
        (["clahe", "-o", "{tmp}/a.onnx"], 2, "cannot be exported: it has no file of trained weights"),
        (["lumiface-x5", "-o", "{tmp}/a.onnx"], 1, "lumiface-x5: no such model"),
        (["srcnn", "-o", "{tmp}/a.xml"], 2, "the name of a file of the format onnx ends in .onnx"),
        (["srcnn", "--format", "coreml", "-o", "{tmp}/a.onnx"], 2, "choose from onnx, openvino"),
        (["srcnn", "-o", "{tmp}/file/a.onnx"], 1, "cannot be written"),
        (["srcnn", "-o", "{tmp}/folder.onnx"], 1, "is a folder; name a file in it"),
    ],
)
def test_one_line_for_what_cannot_be(arguments: list[str], code: int, said: str, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.onnx").mkdir()
    result = CliRunner().invoke(app, ["export", *(text.format(tmp=tmp_path) for text in arguments)])
    assert result.exit_code == code
    (line,) = [line for line in result.stderr.splitlines() if line]
    assert said in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder.onnx"]


def test_a_wrong_file_never_appears(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from lumiface.runtimes import export
    from lumiface.runtimes.convert import to_onnx

    other = to_onnx(load_model("lumiface-photo-x4"))
    monkeypatch.setattr(export, "to_onnx", lambda _network: other)
    target = tmp_path / "srcnn.onnx"
    target.write_text("before")
    result = CliRunner().invoke(app, ["export", "srcnn", "-o", str(target)])
    assert result.exit_code == 2
    assert "srcnn cannot be exported: in this format it differs by worst pixel" in result.stderr
    assert target.read_text() == "before"
    assert list(tmp_path.iterdir()) == [target]


def test_the_lines_of_the_page_work_as_written(
    onnx_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, astronaut_uint8: np.ndarray
) -> None:
    """The first block of Python, in a folder with the two files that it names."""
    (code,) = re.findall(r"```python\n(.*?)```", DOC.read_text(encoding="utf-8"), flags=re.DOTALL)[:1]
    assert "lumiface" not in re.sub(r'"[^"]*"', "", code)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lumiface-x4.onnx").write_bytes(onnx_file.read_bytes())
    face = Image.fromarray(astronaut_uint8[0:256, 120:376] // 4).resize((48, 48))
    face.save("face.png")
    exec(compile(code, str(DOC), "exec"), {})
    large = np.asarray(Image.open("face-x4.png"))
    assert large.shape == (192, 192, 3)
    assert large.mean() > 1.5 * np.asarray(face).mean()
