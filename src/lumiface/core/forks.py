"""Forked processes: the threads and the GPU of the parent do not survive a fork.

Without this, the first network that a forked child runs waits for ever for the parent's threads. It is done
at the fork itself, so it holds whatever the child calls first.
"""

from __future__ import annotations

import os
import sys

import torch

from lumiface.core.errors import SettingError

_gpu_in_use = False  # in the parent, at the time of the fork
_forked = False


def refuse_gpu(device: str | torch.device) -> None:
    """Raises SettingError if this is a forked process whose parent has used the GPU, and it is asked for."""
    if _forked and _gpu_in_use and str(device) != "cpu":
        raise SettingError(
            f"device {device} was in use when this process was forked; use the spawn start method"
        )


def _before() -> None:
    global _gpu_in_use
    _gpu_in_use = _gpu_in_use or torch.cuda.is_initialized()


def _in_child() -> None:
    global _forked
    _forked = True
    torch.set_num_threads(1)
    if (cv2 := sys.modules.get("cv2")) is not None:
        cv2.setNumThreads(1)


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(before=_before, after_in_child=_in_child)
