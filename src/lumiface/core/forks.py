"""Forked processes: the threads and the GPU of the parent do not survive a fork.

Without this, the first network that a forked child runs waits for ever for the parent's threads; so does
OpenCV when the child changes their number, so the parent ends them before. It is done at the fork itself, so
it holds whatever the child calls first.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

import torch

from lumiface.core.errors import SettingError

_gpu_in_use = False  # in the parent, at the time of the fork
_forked = False
_opencv_threads: int | None = None  # of the parent; it forks with one
_forking = threading.Lock()  # from before a fork to after it


def refuse_gpu(device: str | torch.device) -> None:
    """Raises SettingError if this is a forked process whose parent has used the GPU, and it is asked for."""
    if _forked and _gpu_in_use and str(device) != "cpu":
        raise SettingError(
            f"device {device} was in use when this process was forked; use the spawn start method"
        )


def _before() -> None:
    global _gpu_in_use, _opencv_threads
    _gpu_in_use = _gpu_in_use or torch.cuda.is_initialized()
    _forking.acquire()
    if (cv2 := _opencv()) is not None:
        _opencv_threads = cv2.getNumThreads()
        cv2.setNumThreads(1)


def _in_parent() -> None:
    if _opencv_threads is not None and (cv2 := _opencv()) is not None:
        cv2.setNumThreads(_opencv_threads)
    _forking.release()


def _in_child() -> None:
    global _forked
    _forked = True
    torch.set_num_threads(1)
    _forking.release()


def _opencv() -> Any:
    """OpenCV, once it is loaded completely."""
    cv2 = sys.modules.get("cv2")
    return cv2 if hasattr(cv2, "setNumThreads") else None


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
