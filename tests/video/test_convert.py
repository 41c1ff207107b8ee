"""A whole video: times, sound and size of the result, interruption, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import lumiface
from clips import Inverting, colours, write_video
from lumiface.core.errors import LumifaceError, OutputError, SettingError
from lumiface.video import convert
from lumiface.video.convert import restore_video
from lumiface.video.frames import describe_video, read_frames

TIMES = [0, 40, 70, 120, 190, 230, 270, 300, 350, 390, 430, 470]


def packets(path: Path, kind: str) -> list[tuple[Any, bytes]]:
    with av.open(str(path)) as container:
        stream = next(stream for stream in container.streams if stream.type == kind)
        return [
            (packet.pts * packet.time_base, bytes(packet))
            for packet in container.demux(stream)
            if packet.pts is not None
        ]


def frames(path: Path) -> list[np.ndarray]:
    return [frame.rgb for frame in read_frames(path, describe_video(path))]


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_pictures_change_and_times_and_sound_do_not(tmp_path: Path, suffix: str) -> None:
    source = write_video(tmp_path / "in.mp4", [colours(i) for i in range(12)], TIMES)
    target = tmp_path / f"out{suffix}"
    seen: list[tuple[int, int]] = []
    summary = restore_video(
        source, target, Inverting(2), progress=lambda done, total, _: seen.append((done, total))
    )
    assert (summary.frames, summary.resumed, summary.scale, summary.notes) == (12, 0, 2, [])
    assert seen == [(done, 12) for done in range(1, 13)]
    sound, made = packets(target, "audio"), [float(time) for time, _ in packets(target, "video")]
    assert [data for _, data in sound] == [data for _, data in packets(source, "audio")]
    # Matroska begins at 0: all streams are moved alike.
    start = made[0]
    assert [time - start for time in made] == pytest.approx([time / 1000 for time in TIMES], abs=0.0011)
    before, after = packets(source, "audio")[0][0], sound[0][0]
    assert float(after) - start == pytest.approx(float(before), abs=0.0011)
    info = describe_video(target)
    assert (info.height, info.width, info.matrix) == (96, 128, 5)
    for index, rgb in enumerate(frames(target)):
        apart = np.abs(rgb.astype(int) - (255 - colours(index, (96, 128)).astype(int)))
        assert apart[:, [16, 40, 88, 112]].max() <= 6
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["in.mp4", target.name])


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_the_result_says_that_it_was_restored(tmp_path: Path, suffix: str) -> None:
    source, results = write_video(tmp_path / "in.mp4", [colours(i) for i in range(3)]), list[Any]()
    for number, restorer in enumerate((Inverting(2), Inverting(1), Inverting(1, mark=False))):
        target = tmp_path / f"{number}{suffix}"
        restore_video(source, target, restorer)
        results.append(lumiface.read_provenance(target))
        source = target
    first, again, unmarked = results
    assert (first["scale"], first["actions"]) == (2, ["c2pa.adjustedColor", "c2pa.resized"])
    assert first["settings"] == {"faces": "none", "scale": 2}
    assert [entry["scale"] for entry in again["history"]] == [2]
    assert unmarked == again  # that of its input stays


def test_an_odd_size_gets_its_last_pixels_again(tmp_path: Path) -> None:
    source = write_video(tmp_path / "in.mkv", [colours(0)] * 2, sound=False)
    info = describe_video(source)
    restorer = Inverting()
    restorer.paint = lambda rgb, *_: rgb[..., :47, :63]
    restore_video(source, tmp_path / "out.mkv", restorer)
    assert frames(tmp_path / "out.mkv")[0].shape == (info.height, info.width, 3)


def test_an_interrupted_run_goes_on(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whole parts are kept, the result is that of a run in one piece, and nothing is left behind."""
    monkeypatch.setattr(convert, "_PART_SECONDS", 0.16)  # four frames
    monkeypatch.setattr(convert, "_WARM_UP_SECONDS", 0.04)
    restore_video(clip, tmp_path / "whole.mp4", Inverting(1))

    def stop(done: int, *_: Any) -> None:
        if done == 7:
            raise KeyboardInterrupt

    target = tmp_path / "out.mp4"
    with pytest.raises(KeyboardInterrupt):
        restore_video(clip, target, Inverting(1), progress=stop)
    assert not target.exists()
    parts = tmp_path / ".out.mp4.parts"
    assert sorted(path.name for path in parts.iterdir()) == ["00000000-4.nut", "made-with.txt"]
    second = Inverting(1)
    summary = restore_video(clip, target, second)
    assert (summary.frames, summary.resumed) == (12, 4)
    assert second.painted == 12 - 4 + 1
    assert packets(target, "video") == packets(tmp_path / "whole.mp4", "video")
    assert not parts.exists()


def test_parts_of_another_run_are_not_used(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convert, "_PART_SECONDS", 0.16)

    def stop(done: int, *_: Any) -> None:
        if done == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore_video(clip, tmp_path / "out.mp4", Inverting(1), progress=stop)
    other = Inverting(1, strength=0.5)
    assert restore_video(clip, tmp_path / "out.mp4", other).resumed == 0


def test_parts_made_with_replaced_weights_are_not_used(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convert, "_PART_SECONDS", 0.16)
    weights = tmp_path / "own.safetensors"

    def stop(done: int, *_: Any) -> None:
        if done == 7:
            raise KeyboardInterrupt

    for replacement, resumed in (None, 4), ("other weights", 0):
        weights.write_text("weights")
        first = Inverting(1, background_model=str(weights))
        with pytest.raises(KeyboardInterrupt):
            restore_video(clip, tmp_path / "out.mp4", first, progress=stop, overwrite=True)
        if replacement is not None:
            weights.write_text(replacement)
        again = Inverting(1, background_model=str(weights))
        assert restore_video(clip, tmp_path / "out.mp4", again, overwrite=True).resumed == resumed


def test_what_is_refused(clip: Path, tmp_path: Path) -> None:
    there = tmp_path / "there.mp4"
    there.write_bytes(b"keep")
    for target, line in (
        (clip, "is the input itself"),
        (tmp_path / "out.avi", r"videos are written as \.mp4, \.mkv, \.mov"),
        (there, "already there; use --overwrite"),
    ):
        with pytest.raises(LumifaceError, match=line):
            restore_video(clip, target, Inverting())
    assert there.read_bytes() == b"keep"
    with pytest.raises(SettingError, match="from 0, the best, to 51"):
        restore_video(clip, tmp_path / "out.mp4", Inverting(), quality=60)
    with pytest.raises(OutputError):
        restore_video(clip, tmp_path / "no" / "file.txt" / "out.mp4", _writing_fails(tmp_path))
    assert restore_video(clip, there, Inverting(), overwrite=True).frames == 12


def _writing_fails(folder: Path) -> Inverting:
    (folder / "no").mkdir()
    (folder / "no" / "file.txt").write_bytes(b"a file, not a folder")
    return Inverting()
