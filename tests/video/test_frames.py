"""Reading videos: every frame, its time and its colours, and what cannot be read in one line."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from clips import SIZE, colours, write_video
from lumiface.core.errors import InputError
from lumiface.video.frames import describe_video, read_frames


def test_what_a_file_says(clip: Path) -> None:
    info = describe_video(clip)
    assert (info.height, info.width) == SIZE
    assert (info.rate, info.frames, info.aspect) == (25, 12, 1)


@pytest.mark.parametrize("matrix", [1, 5, 6])
def test_frames_have_their_colours_and_times(tmp_path: Path, matrix: int) -> None:
    """Also with times that are not even, as phones record them."""
    times = [0, 40, 70, 120, 190]
    path = write_video(tmp_path / "uneven.mkv", [colours(i) for i in range(5)], times, matrix=matrix)
    info = describe_video(path)
    frames = list(read_frames(path, info))
    assert [frame.pts * info.time_base for frame in frames] == [Fraction(time, 1000) for time in times]
    assert [frame.index for frame in frames] == list(range(5))
    for frame in frames:
        apart = np.abs(frame.rgb.astype(int) - colours(frame.index))[:, [8, 20, 44, 56]]
        assert apart.max() <= 4


def test_a_large_video_without_a_matrix_is_bt_709(tmp_path: Path) -> None:
    large = write_video(tmp_path / "a.mkv", [colours(0, (720, 720))], sound=False, matrix=2)
    small = write_video(tmp_path / "b.mkv", [colours(0)], sound=False, matrix=2)
    assert (describe_video(large).matrix, describe_video(small).matrix) == (1, 5)


def test_high_dynamic_range_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "hdr.mkv", [colours(0)], sound=False, color_trc=16)
    with pytest.raises(InputError, match=r"hdr\.mkv is of high dynamic range \(PQ\)"):
        describe_video(path)


def test_what_is_no_video(tmp_path: Path) -> None:
    file = tmp_path / "notes.mp4"
    file.write_bytes(b"no video at all")
    with pytest.raises(InputError, match=r"notes\.mp4 cannot be read as a video"):
        describe_video(file)
    with pytest.raises(InputError, match="no such file"):
        describe_video(tmp_path / "absent.mp4")
