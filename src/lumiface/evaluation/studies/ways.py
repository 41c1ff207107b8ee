"""Ways to restore an aligned face that is dark and damaged: `restore`, its parts, and what it replaces."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lumiface.degradations.resample import resize
from lumiface.faces.align import TEMPLATE, TEMPLATE_BOX
from lumiface.faces.face import Face
from lumiface.faces.measure import measure_face
from lumiface.imaging.denoise import denoise_shadows
from lumiface.registry import default_model, load_model, working_sizes
from lumiface.restoration.auto_restorer import AutoRestorer
from lumiface.restoration.config import RestoreConfig
from lumiface.restoration.light.transfer import transfer_light

Way = Callable[[Tensor], Tensor]
"""A dark, damaged, aligned face (1, 3, S, S) in [0, 1] -> the restored face, of the same shape."""

RESTORE = "restore"
ZERO_DCE = "zero-dce-published"


def restoration_ways() -> dict[str, Way]:
    """`restore` with `task="auto"` (`RESTORE`) first, then every way with which it is compared.

    Raises:
        InputError: the weights of a compared method are not on this machine.
    """
    light = load_model(default_model("joint"))
    small = working_sizes(default_model("joint")).largest
    blind = load_model(default_model("blind"))
    side = working_sizes(default_model("blind")).largest
    lfsrnet, zero_dce, gamma = (load_model(name) for name in ("lfsrnet-base", ZERO_DCE, "gamma"))

    def blind_only(face: Tensor) -> Tensor:
        return resize(blind(resize(face, (side, side))), _size(face))

    def light_only(face: Tensor) -> Tensor:
        crop = resize(face, (small, small))
        return transfer_light(face, crop, light(crop).clamp(0.0, 1.0))

    return {
        RESTORE: restore_aligned(),
        "light only": light_only,
        "blind only": blind_only,
        "light, then blind": lambda face: blind_only(light_only(face)),
        "lumiface-x4-real": lambda face: light(resize(face, _quarter(face))),
        "lfsrnet-base": lambda face: lfsrnet(resize(face, _quarter(face))),
        "zero-dce, then blind": lambda face: blind_only(zero_dce(face)),
        "mean-gamma": gamma,
        "mean-gamma, then blind": lambda face: blind_only(gamma(face)),
    }


def restore_aligned(config: RestoreConfig | None = None) -> Way:
    """What `restore` makes of a photograph that is exactly one aligned face, whose place is known."""
    restorer = AutoRestorer(config or RestoreConfig(task="auto"), torch.device("cpu"))

    def restore_face(picture: Tensor) -> Tensor:
        side = picture.shape[-1]
        face = aligned_face(side)
        (result,) = restorer(picture, lambda: denoise_shadows(picture), [face], [measure_face(picture, face)])
        return resize(result.patch, (side, side))

    return restore_face


def aligned_face(side: int) -> Face:
    """The face that fills an aligned square of `side` pixels, by the template's landmarks."""
    x1, y1, x2, y2 = (side * value for value in TEMPLATE_BOX)
    return Face((x1, y1, x2, y2), 1.0, tuple((side * x, side * y) for x, y in TEMPLATE))


def _size(face: Tensor) -> tuple[int, int]:
    return face.shape[-2], face.shape[-1]


def _quarter(face: Tensor) -> tuple[int, int]:
    return face.shape[-2] // 4, face.shape[-1] // 4
