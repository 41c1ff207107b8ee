"""A small video."""

from __future__ import annotations

from pathlib import Path

import pytest

from clips import colours, write_video


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """12 frames with sound."""
    return write_video(tmp_path / "clip.mp4", [colours(index) for index in range(12)])
