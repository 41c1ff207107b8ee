"""A folder as people have them: every picture is restored, or it is said which are not, and why."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin

from lumiface.core.errors import SettingError
from lumiface.imaging.codec.formats import UNREAD_SUFFIXES
from lumiface.imaging.codec.raster import Metadata
from lumiface.imaging.io import ImageInfo, Picture, read_picture, write_picture
from lumiface.restoration.batch import Box, Summary, restore_files
from lumiface.restoration.files import picture_files, result_file
from lumiface.restoration.files.jobs import plan_jobs
from lumiface.restoration.restored import Restored


class Doubler:
    """Twice the size, nothing else."""

    def __call__(self, picture: Picture, boxes: Sequence[Box] = (), scale: int | None = None) -> Restored:
        rgb, alpha = (
            None if planes is None else planes.repeat_interleave(2, -1).repeat_interleave(2, -2)
            for planes in (picture.rgb, picture.alpha)
        )
        assert rgb is not None
        return Restored(Picture(rgb, alpha, picture.info), 2, "joint", [], [])


class Unused:
    """For what must end before any work."""

    def __call__(self, picture: Picture, boxes: Sequence[Box] = (), scale: int | None = None) -> Restored:
        raise AssertionError("work has started")


def restore(*inputs: Path | str, output: Path | None = None, **settings: object) -> Summary:
    return restore_files([str(path) for path in inputs], output, Doubler(), **settings)


def save(path: Path, format_: str, alpha: int | None = None, frames: int = 1) -> Path:
    """A picture of a format under any name; with one transparent corner if `alpha` is 0."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = []
    for number in range(frames):
        samples = np.full((16, 24, 3 if alpha is None else 4), 90, np.uint8)
        samples[:, 4 * number : 4 * number + 4, :3] = 230
        if alpha is not None:
            samples[..., 3] = 255
            samples[:8, :8, 3] = alpha
        pictures.append(Image.fromarray(samples))
    if format_ == "HEIF":
        pytest.importorskip("pillow_heif").from_pillow(pictures[0]).save(path)
        return path
    first, *rest = pictures
    first.save(path, format_, **({"save_all": True, "append_images": rest} if rest else {}))
    return path


def names(folder: Path) -> list[str]:
    return sorted(file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())


# --- Nothing is left out in silence -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "format_", "result"),
    [
        ("x.jfif", "JPEG", "x.jpg"),
        ("x.JPE", "JPEG", "x.jpg"),
        ("x.gif", "GIF", "x.gif"),
        ("x.apng", "PNG", "x.apng"),
        ("x.avif", "AVIF", "x.avif"),
        ("IMG_1.HEIC", "HEIF", "IMG_1.HEIC"),
        ("x.heif", "HEIF", "x.heif"),
        ("scan", "PNG", "scan.png"),
        ("photo.2019", "JPEG", "photo.2019.jpg"),
        ("download.jpg_large", "WEBP", "download.jpg_large.webp"),
        ("x.mpo", "MPO", "x.jpg"),
        ("heic_named.jpg", "HEIF", "heic_named.jpg"),
        ("webp_named.jpeg", "WEBP", "webp_named.jpeg"),
    ],
)
def test_every_picture_in_a_folder_is_restored_in_the_format_of_its_name(tmp_path, name, format_, result):
    save(tmp_path / "in" / name, format_)
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    (tmp_path / "in" / "clip.mov").write_bytes(b"\0\0\0\x14ftypqt  " + bytes(40))
    summary = restore(tmp_path / "in", output=tmp_path / "out")
    assert (summary.failed, summary.remark_lines[1:], summary.exit_code) == ([], [], 0)
    assert names(tmp_path / "out") == [result]
    written = read_picture(tmp_path / "out" / result)
    assert written.info.format == picture_files.FORMAT_OF_SUFFIX[Path(result).suffix.lower()]
    assert written.rgb.shape == (1, 3, 32, 48)
    alone = restore(tmp_path / "in" / name)
    stem, ending = Path(result).stem, Path(result).suffix
    assert alone.restored == [tmp_path / "in" / f"{stem}_lumiface{ending}"]
    assert restore(tmp_path / "in" / name).skipped == {tmp_path / "in" / name: "already there"}


@pytest.mark.parametrize("suffix", sorted(UNREAD_SUFFIXES))
def test_kinds_that_are_not_read_are_counted_with_the_mend(tmp_path, suffix):
    save(tmp_path / "a.png", "PNG")
    for number in range(5):
        (tmp_path / f"b{number}{suffix}").write_bytes(b"unreadable")
    summary = restore(tmp_path)
    assert len(summary.restored) == 1
    assert summary.exit_code == 1
    (line,) = summary.remark_lines
    assert line == (
        f"not looked at: 5 {suffix} (b0{suffix}, b1{suffix}, b2{suffix}, …); save as PNG or JPEG first"
    )


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"8BPS\0\1", "PSD"),
        (b"%PDF-1.7\n", "PDF"),
        (b"P6\n# by a scanner\n8 8\n255\n", "PNM"),
        (b"P5 8 8 9\n", "PNM"),
    ],
)
def test_kinds_that_are_not_read_are_known_by_content_too(tmp_path, start, kind):
    (tmp_path / "layers").write_bytes(start + bytes(40))
    (tmp_path / "notes").write_text("P6 is the room of the meeting")
    summary = restore(tmp_path)
    assert summary.remark_lines == [f"not looked at: 1 {kind} (layers); save as PNG or JPEG first"]
    assert (summary.failed, summary.exit_code) == ([], 1)


def test_what_needs_a_library_is_counted_with_its_name(tmp_path, monkeypatch):
    for name in ("a.HEIC", "b.heif", "c.nef", "d.DNG"):
        (tmp_path / name).write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    save(tmp_path / "e.png", "PNG")
    monkeypatch.setattr(picture_files, "has_heif", lambda: False)
    monkeypatch.setattr(picture_files, "has_raw", lambda: False)
    assert restore(tmp_path).remark_lines == [
        'not looked at: 2 HEIC (a.HEIC, b.heif); pip install "lumiface[heif]"',
        'not looked at: 2 camera RAW (c.nef, d.DNG); pip install "lumiface[raw]"',
    ]


def test_hidden_files_and_results_are_left_without_a_word(tmp_path):
    save(tmp_path / ".thumb.png", "PNG")
    (tmp_path / "._x.psd").write_bytes(b"8BPS")
    save(tmp_path / ".thumbnails" / "1.png", "PNG")
    save(tmp_path / "a.png", "PNG")
    assert restore(tmp_path).remark_lines == []
    assert restore(tmp_path).exit_code == 0


def test_linked_folders_are_entered_once_and_never_without_end(tmp_path):
    folder = tmp_path / "in"
    save(folder / "own" / "a.png", "PNG")
    save(tmp_path / "disk" / "b.png", "PNG")
    (tmp_path / "disk" / "back").symlink_to(folder)
    (folder / "disk").symlink_to(tmp_path / "disk")
    (folder / "again").symlink_to(folder / "own")
    (folder / "own" / "up").symlink_to(folder)
    summary = restore(folder, output=tmp_path / "out")
    assert (names(tmp_path / "out"), summary.failed) == (["disk/b.png", "own/a.png"], [])


def test_a_broken_link_and_a_closed_folder_are_failures(tmp_path, monkeypatch):
    save(tmp_path / "a.png", "PNG")
    (tmp_path / "b.png").symlink_to(tmp_path / "gone.png")
    summary = restore(tmp_path)
    assert len(summary.failed) == 1
    assert "b.png" in summary.failed[0]

    def refusing(top: object, onerror: object = None, followlinks: bool = False) -> list[object]:
        assert callable(onerror)
        onerror(PermissionError(13, "Permission denied", str(tmp_path / "closed")))
        return []

    monkeypatch.setattr(os, "walk", refusing)
    assert any("closed cannot be entered" in line for line in plan_jobs([str(tmp_path)]).failures)


# --- Animations and pages -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "format_"),
    [("x.gif", "GIF"), ("x.webp", "WEBP"), ("x.png", "PNG"), ("x.tif", "TIFF"), ("x.avif", "AVIF")],
)
def test_all_frames_and_pages_come_out(tmp_path, name, format_):
    save(tmp_path / name, format_, frames=3)
    summary = restore(tmp_path / name, output=tmp_path / "out")
    assert (summary.failed, summary.remark_lines) == ([], [])
    out = Image.open(tmp_path / "out" / name)
    assert (out.n_frames, out.size) == (3, (48, 32))
    for number in range(3):
        out.seek(number)
        assert int(np.asarray(out.convert("L")).mean(axis=0).argmax()) // 8 == number


@pytest.mark.parametrize(
    ("name", "format_", "target", "kind"),
    [
        ("x.gif", "GIF", "y.jpg", "frames"),
        ("x.tif", "TIFF", "y.png", "pages"),
        ("x.webp", "WEBP", "y.tif", "frames"),
    ],
)
def test_where_one_has_room_the_first_is_kept_and_it_is_said(tmp_path, name, format_, target, kind):
    save(tmp_path / name, format_, frames=3)
    summary = restore(tmp_path / name, output=tmp_path / target)
    (line,) = summary.remark_lines
    assert line == f"{tmp_path / name}: first of 3 {kind} kept: {Path(target).suffix} holds one"
    assert getattr(Image.open(tmp_path / target), "n_frames", 1) == 1


@pytest.mark.parametrize("format_", ["GIF", "PNG", "WEBP", "TIFF"])
def test_frames_are_of_one_size_though_their_faces_ask_for_several_scales(tmp_path, format_):
    class Chooser(Doubler):
        """Enlarges the first picture only, unless told otherwise."""

        count = 0

        def __call__(self, picture: Picture, boxes: Sequence[Box] = (), scale: int | None = None) -> Restored:
            self.count += 1
            if scale == 2 or (scale is None and self.count == 1):
                return super().__call__(picture, boxes)
            return Restored(picture, 1, None, [], [])

    path = save(tmp_path / f"x.{format_.lower()}", format_, frames=3)
    summary = restore_files([str(path)], None, Chooser())
    assert summary.failed == []
    result = Image.open(summary.restored[0])
    assert (result.n_frames, result.size) == (3, (48, 32))
    result.seek(2)  # pages have their own sizes
    assert result.size == ((24, 16) if format_ == "TIFF" else (48, 32))


def test_partial_transparency_that_gif_has_no_place_for_is_said(tmp_path):
    save(tmp_path / "soft.png", "PNG", alpha=128)
    save(tmp_path / "hard.png", "PNG", alpha=0)
    (line,) = restore(tmp_path / "soft.png", output=tmp_path / "x.gif").remark_lines
    assert line.endswith("not kept, because .gif has no place for it: partial transparency (it is on or off)")
    assert restore(tmp_path / "hard.png", output=tmp_path / "y.gif").remark_lines == []


def test_an_animation_too_large_for_memory_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(result_file, "MAX_ANIMATION_MEGAPIXELS", 0.004)
    save(tmp_path / "x.gif", "GIF", frames=3)
    (line,) = restore(tmp_path / "x.gif").remark_lines
    assert "first of 3 frames kept: together they exceed 0.004 megapixels; use a smaller --scale" in line


# --- Names and wishes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["y.gif", "y.avif", "y.heic", "y.HEIF", "y.jfif", "y.jpe", "y.tiff", "y.bmp"]
)
@pytest.mark.parametrize("source", ["x.jpg", "x", "x.png"])
def test_the_wish_decides(tmp_path, name, source):
    save(tmp_path / source, "PNG")
    summary = restore(tmp_path / source, output=tmp_path / name)
    assert (summary.failed, summary.restored) == ([], [tmp_path / name])
    wanted = picture_files.FORMAT_OF_SUFFIX[Path(name).suffix.lower()]
    assert read_picture(tmp_path / name).info.format == wanted


@pytest.mark.parametrize("name", ["y.psd", "y.jxl", "y.dng", "y.jp2"])
def test_a_wish_that_cannot_be_met_is_refused_before_work(tmp_path, name):
    save(tmp_path / "x.png", "PNG")
    with pytest.raises(
        SettingError, match=rf"{name}: this format cannot be written; name a file that ends in one of"
    ):
        restore_files([str(tmp_path / "x.png")], tmp_path / name, Unused())
    assert names(tmp_path) == ["x.png"]


def test_heic_is_refused_before_work_without_its_library(tmp_path, monkeypatch):
    save(tmp_path / "x.png", "PNG")
    monkeypatch.setattr(picture_files, "missing_for_writing", lambda _: "HEIC needs pillow-heif")
    with pytest.raises(SettingError, match=r"y\.heic: HEIC needs pillow-heif"):
        restore_files([str(tmp_path / "x.png")], tmp_path / "y.heic", Unused())


def test_two_files_never_share_a_result(tmp_path):
    save(tmp_path / "in" / "edge.jfif", "JPEG")
    save(tmp_path / "in" / "edge.jpg", "JPEG")
    save(tmp_path / "in" / "edge.jpe", "JPEG")
    first = restore(tmp_path / "in", output=tmp_path / "out")
    assert first.failed == []
    assert names(tmp_path / "out") == ["edge.jfif.jpg", "edge.jpe.jpg", "edge.jpg"]
    again = restore(tmp_path / "in" / "edge.jfif", output=tmp_path / "out")
    assert list(again.skipped) == [tmp_path / "in" / "edge.jfif"]


# --- Transparency -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".jpg", ".jfif", ".bmp"])
def test_transparency_under_a_name_without_it(tmp_path, suffix):
    save(tmp_path / "in" / f"opaque{suffix}", "PNG", alpha=255)
    save(tmp_path / "in" / f"cut{suffix}", "PNG", alpha=0)
    summary = restore(tmp_path / "in", output=tmp_path / "out")
    assert summary.failed == []
    ending = ".bmp" if suffix == ".bmp" else ".jpg"
    assert names(tmp_path / "out") == ["cut.png", f"opaque{ending}"]
    (line,) = summary.remark_lines
    assert (
        line == f"{tmp_path / 'in' / f'cut{suffix}'}: written as .png, because {ending} has no transparency"
    )
    assert sorted(restore(tmp_path / "in", output=tmp_path / "out").skipped.values()) == ["already there"] * 2


def test_no_result_and_no_input_is_lost_to_the_png_beside(tmp_path):
    save(tmp_path / "in" / "cut.jpg", "PNG", alpha=0)
    save(tmp_path / "in" / "cut.png", "PNG", alpha=0)
    before = (tmp_path / "in" / "cut.png").read_bytes()
    restore(tmp_path / "in", output=tmp_path / "out")
    assert names(tmp_path / "out") == ["cut.jpg.png", "cut.png"]
    # The result of cut.png, named cut.jpg in its own folder, may not take the place of its input.
    restore(tmp_path / "in" / "cut.png", output=tmp_path / "in" / "cut2.jpg")
    save(tmp_path / "solo" / "x.png", "PNG", alpha=0)
    kept = (tmp_path / "solo" / "x.png").read_bytes()
    restore(tmp_path / "solo" / "x.png", output=tmp_path / "solo" / "x.jpg")
    assert names(tmp_path / "solo") == ["x.jpg.png", "x.png"]
    assert (tmp_path / "solo" / "x.png").read_bytes() == kept
    assert (tmp_path / "in" / "cut.png").read_bytes() == before


def test_remarks_are_grouped_with_their_files(tmp_path):
    for name in "abcde":
        Image.new("RGB", (8, 8)).save(tmp_path / f"{name}.jpg", exif=b"Exif\0\0rubbish")
    (line,) = restore(tmp_path).remark_lines
    assert line.endswith("c.jpg and 2 more: its EXIF is damaged and dropped")


def test_texts_of_a_png_go_through_the_batch(tmp_path):
    texts = PngImagePlugin.PngInfo()
    texts.add_text("parameters", "Steps: 20")
    Image.new("RGB", (8, 8)).save(tmp_path / "x.png", pnginfo=texts)
    (result,) = restore(tmp_path / "x.png").restored
    assert Image.open(result).info["parameters"] == "Steps: 20"


@pytest.mark.parametrize(
    ("suffix", "lost"), [(".jpg", "16 bits, texts"), (".webp", "16 bits, texts, DPI"), (".tif", "texts")]
)
def test_what_another_format_cannot_hold_is_said(tmp_path, suffix, lost):
    metadata = Metadata(text=(("parameters", "Steps: 20"),), dpi=(300, 300))
    wide = Picture(torch.rand(1, 3, 8, 8), None, ImageInfo(bits=16, metadata=metadata))
    write_picture(wide, tmp_path / "x.png")
    assert restore(tmp_path / "x.png", output=tmp_path / "y.png").remark_lines == []
    (line,) = restore(tmp_path / "x.png", output=tmp_path / f"y{suffix}").remark_lines
    assert line.endswith(f": not kept, because {suffix} has no place for it: {lost}")


# --- The inputs that were handed in -------------------------------------------------------------------------


@pytest.fixture(scope="module")
def handed(cases, tmp_path_factory) -> tuple[Path, Summary]:
    out = tmp_path_factory.mktemp("handed")
    return out, restore_files([str(cases)], out, Doubler())


def test_of_the_handed_inputs_only_broken_ones_fail(handed):
    out, summary = handed
    assert sorted(Path(line.split(" cannot")[0]).name for line in summary.failed) == [
        "IMG_0001.HEIC",  # a header alone
        "truncated.jpg",
    ]
    assert {"edge.jpg", "old.jpg", "anim.gif", "real.avif", "opaque_rgba.jpg"} <= set(names(out))
    assert "cutout_really_png.png" in names(out)
    assert summary.exit_code == 1


@pytest.mark.parametrize("name", ["anim.gif", "anim.webp", "anim.png", "pages.tif"])
def test_all_frames_of_the_handed_animations(handed, name):
    assert Image.open(handed[0] / name).n_frames == 3


@pytest.mark.parametrize("name", ["p3.jpg", "p3.png", "prophoto.png", "gama_linear16.png"])
def test_the_handed_pictures_of_other_profiles_look_alike(handed, name):
    wanted = "plain.png" if name.startswith("gama") else "srgb.png"
    shown, reference = (read_picture(handed[0] / file).rgb * 255 for file in (name, wanted))
    assert float((shown - reference).abs().mean()) < 1.5


def test_the_handed_metadata_is_kept(handed, cases):
    for suffix in (".jpg", ".png", ".webp", ".tif"):
        before = read_picture(cases / f"meta{suffix}").info.metadata
        after = read_picture(handed[0] / f"meta{suffix}").info.metadata
        assert (after.xmp is None, after.iptc, after.comment) == (
            before.xmp is None,
            before.iptc,
            before.comment,
        )
        assert after.text == before.text
        assert after.dpi == pytest.approx(before.dpi, abs=0.01)


def test_a_file_of_the_user_is_never_replaced(tmp_path):
    """Neither the one that he named, however old, nor the .png that a transparent result takes instead."""
    save(tmp_path / "in" / "cut.png", "PNG", alpha=0)
    for name in ("result.png", "old.jpg"):
        (tmp_path / name).write_bytes(b"mine")
        os.utime(tmp_path / name, (0, 0))
    summary = restore(tmp_path / "in" / "cut.png", output=tmp_path / "result.jpg")
    assert summary.restored == [tmp_path / "result.jpg.png"]
    summary = restore(tmp_path / "in" / "cut.png", output=tmp_path / "old.jpg")
    assert list(summary.skipped.values()) == ["already there"]
    assert {(tmp_path / name).read_bytes() for name in ("result.png", "old.jpg")} == {b"mine"}
