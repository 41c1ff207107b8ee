"""Where a network runs outside of training."""

from __future__ import annotations

import torch

from lumiface.core.errors import SettingError


def choose_device(name: str = "auto") -> torch.device:
    """A device by its name ("cpu", "cuda", "cuda:1", "mps"); "auto" takes the first GPU, or else the CPU.

    Raises:
        SettingError: no such device, or not on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        torch.empty(0, device=name)
        return torch.device(name)
    except (RuntimeError, AssertionError) as error:
        what = str(error).strip().splitlines()[0].rstrip(".")
        raise SettingError(f"device {name} is not on this machine ({what}); try cpu or cuda") from error
