"""Published networks as the package spandrel (MIT) implements them: imported on demand, it is optional."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from lumiface.core.errors import SettingError


def load_architecture(method: str, architecture: str) -> Any:
    """The class of a network of spandrel.

    Args:
        method: who asks for it, for the message.
        architecture: the name of the class, and of its folder in `spandrel.architectures`.

    Raises:
        SettingError: the package is not installed.
    """
    try:
        module = import_module(f"spandrel.architectures.{architecture}")
    except ImportError as error:
        raise SettingError(f"{method} needs spandrel: pip install 'lumiface[peers]'") from error
    return getattr(module, architecture)
