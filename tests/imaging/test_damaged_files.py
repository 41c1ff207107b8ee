"""Five hundred damaged files of every format: each gives a picture or one line, in time, and nothing else.

Run as a script, this file restores one folder into another, so that a crash or a hang of a decoder ends the
script alone.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

FILES, PER_PROCESS, SECONDS = 500, 100, 90
HEADER = 160


def photo(mode: str = "RGB") -> Image.Image:
    rng = np.random.default_rng(0)
    smooth = cv2.resize(rng.integers(0, 256, (5, 7, 4), dtype=np.uint8), (56, 40))
    return Image.fromarray(smooth).convert(mode)


def saved(format_: str, mode: str = "RGB", **options: object) -> bytes:
    out = io.BytesIO()
    photo(mode).save(out, format_, **options)
    return out.getvalue()


def animated(format_: str) -> bytes:
    frames = [photo().rotate(90 * number) for number in range(1, 4)]
    return saved(format_, save_all=True, append_images=frames)


def wide(suffix: str) -> bytes:
    return cv2.imencode(suffix, np.asarray(photo()).astype(np.uint16) * 257)[1].tobytes()


def heic() -> bytes:
    out = io.BytesIO()
    pytest.importorskip("pillow_heif").from_pillow(photo()).save(out)
    return out.getvalue()


def dng() -> bytes:
    """Bayer samples in the layout of a DNG."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    pytest.importorskip("rawpy", reason="rawpy is not installed: pip install 'lumiface[raw]'")
    samples = np.random.default_rng(0).integers(0, 4096, (64, 96)).astype("<u2")
    directory = ImageFileDirectory_v2(b"II*\0\0\0\0\0")
    tags: dict[int, object] = {
        254: 0, 256: 96, 257: 64, 258: 16, 259: 1, 262: 32803, 271: "Lumiere", 272: "One", 273: 0, 277: 1,
        278: 64, 279: samples.nbytes, 33421: (2, 2), 33422: bytes([0, 1, 1, 2]), 50706: bytes([1, 4, 0, 0]),
        50717: 4095,
    }  # fmt: skip
    for tag in (33422, 50706):
        directory.tagtype[tag] = 1
    directory.tagtype[33421] = 3
    for tag, value in tags.items():
        directory[tag] = value
    return b"II*\0\x08\0\0\0" + directory.tobytes(8) + samples.tobytes()


ORIGINALS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "JPEG": (".jpg", lambda: saved("JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0", dpi=(300, 300))),
    "progressive JPEG": (".jpg", lambda: saved("JPEG", progressive=True)),
    "CMYK": (".jpg", lambda: saved("JPEG", "CMYK")),
    "PNG": (".png", lambda: saved("PNG", "RGBA")),
    "PNG of 16 bits": (".png", lambda: wide(".png")),
    "WebP": (".webp", lambda: saved("WEBP")),
    "TIFF": (".tif", lambda: saved("TIFF")),
    "LZW TIFF": (".tif", lambda: saved("TIFF", compression="tiff_lzw")),
    "TIFF of 16 bits": (".tif", lambda: wide(".tif")),
    "BMP": (".bmp", lambda: saved("BMP")),
    "GIF": (".gif", lambda: saved("GIF")),
    "AVIF": (".avif", lambda: saved("AVIF")),
    "HEIC": (".heic", heic),
    "RAW": (".dng", dng),
    "animated GIF": (".gif", lambda: animated("GIF")),
    "animated WebP": (".webp", lambda: animated("WEBP")),
    "animated PNG": (".png", lambda: animated("PNG")),
    "animated AVIF": (".avif", lambda: animated("AVIF")),
    "pages": (".tif", lambda: animated("TIFF")),
}


def damaged(original: bytes, seed: int) -> bytes:
    """Bytes flipped, cut off, headers that lie, blocks lost or repeated: one or two of these."""
    rng = np.random.default_rng(seed)
    data = bytearray(original)
    for _ in range(int(rng.integers(1, 3))):
        size = max(len(data), 8)
        match int(rng.integers(0, 6)):
            case 0:  # flipped anywhere
                for at in rng.integers(0, len(data), int(rng.integers(1, 20))):
                    data[at] ^= 1 << int(rng.integers(0, 8))
            case 1:  # flipped in the header
                for at in rng.integers(0, min(len(data), HEADER), int(rng.integers(1, 6))):
                    data[at] = int(rng.integers(0, 256))
            case 2:  # cut off
                del data[int(rng.integers(1, size)) :]
            case 3:  # a size that lies
                at = int(rng.integers(0, min(len(data), HEADER)))
                data[at : at + 4] = rng.choice(
                    [b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\0\1\0\0"]
                )
            case 4:  # a block lost
                at = int(rng.integers(0, size))
                del data[at : at + int(rng.integers(1, 64))]
            case _:  # a block of zeros
                at, length = int(rng.integers(0, size)), int(rng.integers(1, 200))
                data[at : at + length] = bytes(len(data[at : at + length]))
        if not data:
            break
    return bytes(data)


def restore_folder(source: Path, target: Path) -> dict[str, object]:
    """What the command does with a folder, with a restorer that changes nothing."""
    from lumiface.imaging.io import Picture
    from lumiface.restoration.batch import restore_files
    from lumiface.restoration.restored import Restored

    class Same:
        def __call__(self, picture: Picture, boxes: object = ()) -> Restored:
            return Restored(picture, 1, "joint", [], [])

    warnings.simplefilter("error")
    summary = restore_files([str(source)], target, Same(), max_megapixels=1.0)
    return {
        "restored": len(summary.restored),
        "failed": summary.failed,
        "faults": [f"{type(fault).__name__}: {fault}" for fault in summary.faults],
    }


@pytest.mark.slow
@pytest.mark.parametrize("kind", ORIGINALS)
def test_damaged_files_give_a_picture_or_one_line(tmp_path, kind):
    suffix, make = ORIGINALS[kind]
    original = make()
    restored = 0
    for start in range(0, FILES, PER_PROCESS):
        source = tmp_path / f"in{start}"
        source.mkdir()
        for seed in range(start, start + PER_PROCESS):
            (source / f"{seed}{suffix}").write_bytes(damaged(original, seed))
        before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
        target = tmp_path / "out" / str(start)
        done = subprocess.run(
            [sys.executable, __file__, str(source), str(target)],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            cwd=tmp_path,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr[-2000:]
        outcome = json.loads(done.stdout)
        assert outcome["faults"] == []
        assert len(outcome["failed"]) + outcome["restored"] == PER_PROCESS
        for line in outcome["failed"]:
            assert "\n" not in line
            assert str(source) in line
            assert "bug in lumiface" not in line
        restored += outcome["restored"]
        after = {file for file in tmp_path.rglob("*") if file.is_file()}
        assert all(file.read_bytes() == content for file, content in before.items())
        assert all(target in file.parents for file in after - set(before))
    assert restored < FILES  # of PNG, whose parts have checksums, every damage is noticed


if __name__ == "__main__":
    print(json.dumps(restore_folder(Path(sys.argv[1]), Path(sys.argv[2]))))
