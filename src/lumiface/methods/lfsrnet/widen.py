"""Initialisation of a wide LFSRNet from a trained narrow one, which preserves its function.

After Chen, Goodfellow, Shlens: "Net2Net: Accelerating Learning via Knowledge Transfer" (ICLR 2016); not part
of LFSRNet's paper. Here new channels are not copies. Weights *to* them are zero, so that the output is kept;
weights *from* them are random, so that their gradients differ from the first step on. Two exceptions:

    layer norm   computes mean and variance over all channels, including new ones. If the old channels' mean
                 is small compared to their deviation, the latter shrinks by sqrt(narrow / wide), and so does
                 the scale.
    attention    divides by sqrt(C / heads), which the queries compensate.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lumiface.core.errors import SettingError
from lumiface.methods.lfsrnet.model import LFSRNet

MAY_DIFFER = ("channels", "upsampler")
"""The settings in which the two networks may differ."""


@torch.no_grad()
def widen(narrow: LFSRNet, wide: LFSRNet) -> None:
    """Initialise `wide` (just built, with random weights) from the weights of `narrow`.

    Raises:
        SettingError: `wide` is narrower, or differs in more than channels and upsampler.
    """
    before, after = narrow.config, wide.config
    if before.model_dump(exclude=set(MAY_DIFFER)) != after.model_dump(exclude=set(MAY_DIFFER)):
        raise SettingError("the initial network may differ in channels and upsampler at most")
    if before.channels > after.channels or (before.upsampler, after.upsampler) == ("pixelshuffle", "resize"):
        names = [f"{one.channels} channels and {one.upsampler}" for one in (after, before)]
        raise SettingError(f"{names[0]} cannot be initialised from {names[1]}; name a narrower network")
    ratio, heads = before.channels / after.channels, before.heads
    target = wide.state_dict()
    for key, old in narrow.state_dict().items():
        new = target[key]
        if key.startswith("upsample.steps.") and before.upsampler != after.upsampler:
            old = _to_pixel_shuffle(old)
        if ".norm_" in key:
            new.zero_()
            new[: len(old)] = old * ratio**0.5 if key.endswith("weight") else old
        elif ".qkv." in key:
            old, grouped = (tensor.unflatten(0, (3, heads, -1)).clone() for tensor in (old, new))
            old[0] *= ratio**-0.5
            for index in range(3):  # of q, k, v only new keys stay random: the new queries are zero
                _put(
                    old[index], grouped[index], (1,) if key.endswith("bias") else (1, 2), keep_new=index == 1
                )
            new.copy_(grouped.flatten(0, 2))
        elif key.endswith(".project.weight") and ".maxvit." in key:
            grouped = new.unflatten(1, (heads, -1)).clone()
            _put(old.unflatten(1, (heads, -1)), grouped, (0, 2))
            new.copy_(grouped.flatten(1))
        elif key.startswith("upsample.steps.") and after.upsampler == "pixelshuffle":
            grouped = new.unflatten(0, (-1, 4)).clone()
            _put(old.unflatten(0, (-1, 4)), grouped, (0,) if key.endswith("bias") else (0, 2))
            new.copy_(grouped.flatten(0, 1))
        elif "position_" in key:
            new.copy_(old)
        else:
            _put(old, new, tuple(range(min(old.dim(), 2))))


def _put(old: Tensor, new: Tensor, axes: tuple[int, ...], *, keep_new: bool = False) -> None:
    """Write `old` into the first positions of `new` along `axes`: the outputs' axis, then the inputs'.

    Weights of new outputs become zero unless `keep_new`; weights of new inputs stay random.
    """
    outputs, inputs = axes[0], axes[1:]
    if not keep_new:
        new.narrow(outputs, old.shape[outputs], new.shape[outputs] - old.shape[outputs]).zero_()
    view = new.narrow(outputs, 0, old.shape[outputs])
    for axis in inputs:
        view = view.narrow(axis, 0, old.shape[axis])
    view.copy_(old)


def _to_pixel_shuffle(tensor: Tensor) -> Tensor:
    """A 3 x 3 convolution after nearest x2 -> the equivalent one before a pixel shuffle.

    Of the three rows under the kernel, two are copies of the same input row: which two depends on whether the
    output row is the upper or the lower of its pair; columns likewise.

    Shape: (C, D, 3, 3) -> (4·C, D, 3, 3), or a bias (C,) -> (4·C,).
    """
    if tensor.dim() == 1:
        return tensor.repeat_interleave(4)
    folds = tensor.new_tensor(
        [[[1, 0, 0], [0, 1, 1], [0, 0, 0]], [[0, 0, 0], [1, 1, 0], [0, 0, 1]]]
    )  # (2, small, large)
    folded = torch.einsum("cdyx,iYy,jXx->cijdYX", tensor, folds, folds)  # (C, 2, 2, D, 3, 3)
    return folded.flatten(0, 2)
