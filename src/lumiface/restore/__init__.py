"""Inference: photographs in, restored photographs out."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any


class _CallablePackage(ModuleType):
    """Importing any module of this package binds the package to the name of the public function
    `lumiface.restore`; so the package can be called like that function."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        from lumiface.restore.restorer import restore

        return restore(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
