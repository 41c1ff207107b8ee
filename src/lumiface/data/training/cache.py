"""Results of slow preparations of training data, kept in the user's cache folder."""

from __future__ import annotations

from collections.abc import Callable

from platformdirs import user_cache_path
from safetensors.torch import load_file, save
from torch import Tensor

from lumiface.core.files import write_bytes


def cached_tensors(folder: str, digest: str, compute: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors from the cache, or else computed and stored there; on the CPU.

    The file appears at once and complete, so concurrent runs may share the cache.

    Args:
        folder: below the user's cache folder of lumiface; one per kind of result.
        digest: identifies the inputs of the computation.
        compute: called if the cache has no such file.

    Raises:
        OutputError: the cache folder is not writable.
    """
    path = user_cache_path("lumiface") / folder / f"{digest}.safetensors"
    if path.is_file():
        return load_file(path)
    tensors = compute()
    write_bytes(path, save(tensors))
    return tensors
