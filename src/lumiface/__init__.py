"""lumiface: bring faces out of the dark.

    >>> import lumiface
    >>> result = lumiface.restore("party.jpg", "party-bright.jpg")
    >>> brighter = lumiface.restore(array).picture

`restore` does one photograph; a `Restorer` keeps its networks for many. Both take paths, bytes, file objects,
images of Pillow and numpy arrays. `load_model` gives a network alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lumiface.registry import list_models, load_model
    from lumiface.restoration.provenance.read import read_provenance
    from lumiface.restoration.restore import restore
    from lumiface.restoration.restorer import Restorer

__version__ = "0.1.0"

__all__ = ["Restorer", "__version__", "list_models", "load_model", "read_provenance", "restore"]

_HOMES = {
    "restore": "lumiface.restoration.restore",
    "Restorer": "lumiface.restoration.restorer",
    "load_model": "lumiface.registry",
    "list_models": "lumiface.registry",
    "read_provenance": "lumiface.restoration.provenance.read",
}


def __getattr__(name: str) -> Any:
    """Public names are looked up when first used, so that `import lumiface` is quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'lumiface' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
