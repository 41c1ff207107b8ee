"""Results in parts, and back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gpu.parts import MAX_FILES, DamagedResultsError, collect, fitting, write_parts

SIZES = {"a/weights": 50_000, "b/weights": 30_000, "b/log": 100}


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Results in parts of 30,000 bytes, with their report."""
    rng, root, out = np.random.default_rng(0), tmp_path / "staging", tmp_path / "out"
    for name, size in SIZES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(rng.bytes(size))
    digests = write_parts(root, [root / name for name in SIZES], out, part_bytes=30_000)
    (out / "report.json").write_text(json.dumps({"files": digests}))
    return out


def test_parts_are_small_and_make_the_same_files_again(written: Path, tmp_path: Path) -> None:
    parts = sorted(written.glob("results.tar.part-*"))
    assert len(parts) >= 3
    assert all(part.stat().st_size <= 30_000 for part in parts)
    assert len(list(written.iterdir())) <= MAX_FILES
    assert collect(written, tmp_path / "back") == list(SIZES)
    for name in SIZES:
        assert (tmp_path / "back" / name).read_bytes() == (tmp_path / "staging" / name).read_bytes()


def test_a_changed_or_missing_part_is_named(written: Path, tmp_path: Path) -> None:
    part = written / "results.tar.part-1"
    data = bytearray(part.read_bytes())
    data[7] ^= 1
    part.write_bytes(bytes(data))
    with pytest.raises(DamagedResultsError, match=r"part-1 was changed"):
        collect(written, tmp_path / "back")
    part.unlink()
    with pytest.raises(DamagedResultsError, match=r"part-1 is absent"):
        collect(written, tmp_path / "back")


def test_later_results_replace_earlier_ones(written: Path, tmp_path: Path) -> None:
    root = tmp_path / "staging"
    write_parts(root, [root / "b/log"], written)
    assert [path.name for path in written.glob("*part*")] == ["results.tar.part-0"]


def test_more_parts_than_come_back_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(100_000))
    with pytest.raises(ValueError, match="parts; no more than 6"):
        write_parts(tmp_path, [tmp_path / "file"], tmp_path / "out", part_bytes=10_000)


def test_the_first_files_that_fit_are_kept(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("best", "discriminator", "last", "log")]
    for file, size in zip(files, (50_000, 60_000, 30_000, 10), strict=True):
        file.write_bytes(bytes(size))
    kept, left = fitting(files, max_bytes=100_000)
    assert [path.name for path in kept] == ["best", "last", "log"]
    assert [path.name for path in left] == ["discriminator"]
