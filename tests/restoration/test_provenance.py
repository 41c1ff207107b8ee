"""What a result says of itself: in every format that has a place for it, beside what was there before."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import lumiface
from lumiface.core.errors import InputError
from lumiface.faces.measure import FaceMeasures
from lumiface.imaging.codec.formats import WRITABLE, Format
from lumiface.imaging.codec.raster import Metadata, Timing
from lumiface.imaging.frames import read_pictures
from lumiface.imaging.io import ImageInfo, Picture, read_picture, write_picture
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.files.jobs import Job
from lumiface.restoration.files.result_file import ResultFile
from lumiface.restoration.provenance.mark import marked, record_of
from lumiface.restoration.provenance.record import DRAWN, LIT, SOURCE_TYPES, Record, describe
from lumiface.restoration.restored import FaceReport, Restored
from lumiface.restoration.restorer import Restorer
from lumiface.restoration.trust import Trust

IPTC_TYPE = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}DigitalSourceType"
TOOL = "{http://ns.adobe.com/xap/1.0/}CreatorTool"
OURS = "{urn:x-lumiface:provenance/}"
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmp:CreatorTool="Camera 5"'
    b' xmlns:i="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" i:DigitalSourceType="%s">'
    b'<dc:creator xmlns:dc="x:">Lumiere</dc:creator></rdf:Description></rdf:RDF></x:xmpmeta>'
)
CAMERA = XMP % f"{SOURCE_TYPES}digitalCapture".encode()
QUICK = RestoreConfig(task="joint", scale=1)
RECORD: Record = {
    "software": "lumiface 0",
    "task": "joint",
    "models": ["a"],
    "scale": 1,
    "settings": {},
    "source_type": LIT,
    "actions": ["c2pa.adjustedColor"],
    "faces": [],
}


@pytest.fixture(scope="module")
def restorer() -> Restorer:
    return Restorer(config=QUICK)


@pytest.fixture(scope="module")
def dark() -> np.ndarray:
    """(120, 120, 3) uint8: a small, dark face."""
    from skimage.data import astronaut

    face = np.asarray(Image.fromarray(astronaut()[:320, 60:380]).resize((120, 120), Image.Resampling.BOX))
    return (0.7 * (0.95 * face / 255.0) ** 3 * 255.0 + 0.5).astype(np.uint8)


@pytest.fixture(scope="module")
def result(restorer: Restorer, dark: np.ndarray) -> Restored[Picture]:
    """Restored from a JPEG with the XMP of a camera."""
    out = io.BytesIO()
    Image.fromarray(dark).save(out, "JPEG", xmp=CAMERA, comment=b"by uncle Bob", quality=95)
    rgb = torch.from_numpy(dark).permute(2, 0, 1)[None] / 255.0
    info = ImageInfo("JPEG", metadata=Metadata(xmp=CAMERA, comment=b"by uncle Bob"))
    return restorer(Picture(rgb, None, info))


def properties(xmp: bytes | str) -> dict[str, str]:
    """Of a packet, by another parser; a property that stands twice is an error of the packet."""
    found: dict[str, str] = {}
    rdf = ET.fromstring(xmp.strip(b"\0") if isinstance(xmp, bytes) else xmp)
    for description in rdf[0]:
        pairs = [
            *description.attrib.items(),
            *((child.tag, "".join(child.itertext())) for child in description),
        ]
        for name, value in pairs:
            assert name not in found or name.endswith("about")
            found[name] = value
    return found


def xmp_by_another_library(path: Path) -> bytes | str:
    if path.suffix == ".heic":
        return pytest.importorskip("pillow_heif").open_heif(path).info["xmp"]
    with Image.open(path) as image:
        return image.tag_v2[700] if path.suffix == ".tif" else image.info["xmp"]  # type: ignore[attr-defined]


@pytest.mark.parametrize("format_", WRITABLE)
def test_every_format_says_what_it_has_a_place_for(
    result: Restored[Picture], tmp_path: Path, format_: Format
) -> None:
    if format_ == "HEIF":
        pytest.importorskip("pillow_heif")
    path = tmp_path / f"x{WRITABLE[format_].suffix}"
    write_picture(result.picture, path)
    record = lumiface.read_provenance(path)
    if format_ == "BMP":
        assert record is None
        return
    assert record is not None
    assert record["software"] == f"lumiface {lumiface.__version__}"
    assert record["models"] == ["lumiface-x4-real"]
    assert record["settings"] == {"task": "joint", "scale": 1}
    assert (record["task"], record["scale"], record["source_type"]) == ("joint", 1, DRAWN)
    assert [face["treatment"] for face in record["faces"]] == ["restored"]
    assert record["faces"][0]["box"] == pytest.approx(result.faces[0].box, abs=0.06)
    if format_ == "GIF":
        with Image.open(path) as image:
            lines = image.info["comment"].decode().splitlines()
        assert lines[0] == "by uncle Bob"
        assert json.loads(lines[1].removeprefix("lumiface: ")) == record
        return
    found = properties(xmp_by_another_library(path))
    assert found[IPTC_TYPE] == DRAWN
    assert json.loads(found[OURS + "restoration"]) == record
    assert found[OURS + "actions"] == "c2pa.editedc2pa.adjustedColor"
    # A camera made it; and its own data are there.
    assert (found[TOOL], found["{x:}creator"]) == ("Camera 5", "Lumiere")
    assert record["source_type_before"] == f"{SOURCE_TYPES}digitalCapture"
    if format_ == "PNG":
        with Image.open(path) as image:
            assert json.loads(image.info["lumiface"]) == record


def test_all_kinds_that_carry_metadata_have_it(restorer: Restorer, dark: np.ndarray, tmp_path: Path) -> None:
    image = restorer(Image.fromarray(dark)).picture
    assert properties(image.info["xmp"])[TOOL] == f"lumiface {lumiface.__version__}"
    assert json.loads(image.info["lumiface"])["source_type"] == DRAWN
    out = io.BytesIO()
    Image.fromarray(dark).save(out, "BMP")
    made = restorer(out.getvalue())
    assert made.picture[:2] == b"BM"
    said = "BMP has no place for metadata: the result does not say that it was restored"
    assert said in made.notes
    (tmp_path / "a.bmp").write_bytes(out.getvalue())
    assert said in lumiface.restore(tmp_path / "a.bmp", tmp_path / "b.bmp", config=QUICK).notes


def test_nothing_is_said_where_nothing_was_changed_or_it_is_turned_off(
    restorer: Restorer, dark: np.ndarray
) -> None:
    options: list[dict[str, Any]] = [
        {"mark": False},
        {"strength": 0.0},
        {"faces": "none", "background": "keep"},
    ]
    config, info = restorer.config, ImageInfo(metadata=Metadata(xmp=CAMERA))
    picture = Picture(torch.from_numpy(dark).permute(2, 0, 1)[None] / 255.0, None, info)
    try:
        for changed in options:
            restorer.config = config.model_copy(update=changed)
            assert restorer(picture).picture.info == info, changed
        restorer.config = config.model_copy(update={"strength": 0.0, "background_model": "bicubic"})
        larger = restorer(picture, scale=2).picture.info.metadata
    finally:
        restorer.config = config
    record = record_of(larger)
    assert record is not None
    assert (record["actions"], record["source_type"], record["models"]) == (["c2pa.resized"], LIT, [])


def test_a_second_restoration_replaces_the_first_which_becomes_history() -> None:
    metadata = Metadata(xmp=CAMERA, comment=b"by uncle Bob")
    for number in range(12):
        drawn = {"source_type": DRAWN} if number == 3 else {}
        metadata, damaged = marked(metadata, RECORD | {"scale": number} | drawn)
        assert not damaged
        assert metadata.xmp is not None
        assert metadata.xmp.count(b"<rdf:Description") == 2
    record = record_of(metadata)
    assert record is not None
    assert (record["scale"], record["source_type"]) == (11, DRAWN)  # what was drawn once stays drawn
    assert [entry["scale"] for entry in record["history"]] == list(range(3, 11))
    assert all("history" not in entry and "faces" not in entry for entry in record["history"])
    assert metadata.comment == b"by uncle Bob"


@pytest.mark.parametrize(("name", "kept"), [("trainedAlgorithmicMedia", True), ("negativeFilm", False)])
def test_a_picture_made_by_a_network_is_not_called_less(name: str, kept: bool) -> None:
    metadata, _ = marked(Metadata(xmp=XMP % (SOURCE_TYPES + name).encode()), RECORD)
    assert metadata.xmp is not None
    assert properties(metadata.xmp)[IPTC_TYPE] == (SOURCE_TYPES + name if kept else LIT)


@pytest.mark.parametrize("damaged", [CAMERA[:-30], b"\xff\xfe\0", CAMERA.replace(b"<x:", b"<y:")])
def test_damaged_xmp_gives_way_and_that_is_said(restorer: Restorer, dark: np.ndarray, damaged: bytes) -> None:
    rgb = torch.from_numpy(dark).permute(2, 0, 1)[None] / 255.0
    info = restorer(Picture(rgb, None, ImageInfo(metadata=Metadata(xmp=damaged)))).picture.info
    assert "its XMP is damaged and dropped" in info.remarks
    assert info.metadata.xmp is not None
    assert properties(info.metadata.xmp)[IPTC_TYPE] == DRAWN


def test_xmp_that_fills_a_jpeg(tmp_path: Path) -> None:
    """Its room is 64 kB: the record becomes shorter, or goes to the comment."""
    faces = [{"box": [0.0, 1.0, 2.0, 3.0], "treatment": "restored", "own_light": 0.0}] * 60
    for length, place in ((62_000, "xmp"), (66_000, "comment")):
        padded = CAMERA.replace(b"Lumiere", b"L" * length)
        metadata, _ = marked(Metadata(xmp=padded), RECORD | {"faces": faces})
        write_picture(Picture(torch.rand(1, 3, 8, 8), None, ImageInfo(metadata=metadata)), tmp_path / "x.jpg")
        record = lumiface.read_provenance(tmp_path / "x.jpg")
        assert record is not None
        stored = read_picture(tmp_path / "x.jpg").info.metadata
        assert (stored.xmp is not None) == (place == "xmp")
        assert len(record.get("faces", [])) == (0 if place == "xmp" else 60)


def test_an_animation_is_marked_by_its_first_changed_frame_and_a_page_by_its_own(tmp_path: Path) -> None:
    rgb = torch.zeros(1, 3, 16, 16)
    note = marked(Metadata(), RECORD)[0]
    infos = [ImageInfo(metadata=found, timing=Timing(100, 0)) for found in (Metadata(), note, Metadata())]
    for name in ("x.webp", "x.png", "x.gif", "x.tif"):
        target = tmp_path / name
        Image.new("RGB", (16, 16)).save(
            tmp_path / f"in-{name}",
            save_all=True,
            append_images=[Image.new("RGB", (16, 16), i) for i in ("red", "blue")],
        )
        file = read_pictures(tmp_path / f"in-{name}")
        writer = ResultFile(Job(tmp_path / f"in-{name}", target), frozenset(), file, 95)
        for number, info in enumerate(infos):
            writer.add(Restored(Picture(rgb + number / 3.0, None, info), 1, None))
        writer.write()
        assert lumiface.read_provenance(target) == RECORD, name


def test_only_what_others_wrote_is_said_to_be_lost(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "in.png")
    for before, target, lost in (
        (Metadata(), "x.bmp", "that it was restored"),
        (Metadata(xmp=CAMERA), "x.gif", "XMP"),
        (Metadata(), "x.gif", None),
        (Metadata(), "x.jpg", None),
    ):
        picture = Picture(torch.rand(1, 3, 8, 8), None, ImageInfo(metadata=marked(before, RECORD)[0]))
        file = ResultFile(
            Job(tmp_path / "in.png", tmp_path / target), frozenset(), read_pictures(tmp_path / "in.png"), 95
        )
        file.add(Restored(picture, 1, None))
        said = [f"not kept, because {Path(target).suffix} has no place for it: {lost}"] if lost else []
        assert list(file.remarks) == said


def test_figures_and_names_but_no_folders(restorer: Restorer) -> None:
    measures = FaceMeasures(64.0, 0.1, 60.0)
    trust = Trust(0.61234567, 0.4, consistency=31.0, limits=("small",))
    face = FaceReport((1.23, 2.0, 3.0, 4.0), 0.9, measures, "restored", 0.25, trust=trust, drawn=True)

    class Maker:
        config = RestoreConfig(background_model="/home/ann/private/up.pth", strength=0.5)

        class face_restorer:  # noqa: N801
            @staticmethod
            def models(measures: list[FaceMeasures]) -> list[str]:
                return ["/home/ann/private/mine.safetensors"] if measures else []

            @staticmethod
            def possible_models() -> list[str]:
                return []

    record = describe(Maker(), "joint", 4, [face] * 70)  # type: ignore[arg-type]
    assert record["models"] == ["mine.safetensors", "up.pth"]
    assert record["settings"] == {"background_model": "up.pth", "strength": 0.5}
    assert "/home" not in json.dumps(record)
    assert record["faces"][0]["trust"]["identity"] == 0.6123
    assert record["faces"][0]["box"] == [1.2, 2.0, 3.0, 4.0]
    assert (len(record["faces"]), record["faces_left_out"]) == (64, 6)
    relit = replace(face, treatment="relit", drawn=False)
    assert describe(Maker(), "joint", 4, [relit])["source_type"] == LIT  # type: ignore[arg-type]


def test_files_without_a_record_and_files_that_are_none(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    assert lumiface.read_provenance(tmp_path / "a.png") is None
    hostile = Metadata(comment=b"lumiface: " + b"[" * 50_000 + b"\nlumiface: []")
    assert record_of(hostile) is None
    (tmp_path / "b.png").write_text("no picture")
    for name in ("b.png", "c.png"):
        with pytest.raises(InputError, match=name):
            lumiface.read_provenance(tmp_path / name)
