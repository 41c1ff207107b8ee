"""A wide LFSRNet that begins as a narrow one: what was learnt is kept, and the new channels learn from there.

After Chen, Goodfellow, Shlens: "Net2Net: Accelerating Learning via Knowledge Transfer" (ICLR 2016); LFSRNet's
paper has nothing of it. Here new channels are not copies. What leads *to* them is zero, so nothing changes;
what leads *away* from them is random, so that their gradients differ from the first step on. Two exceptions:

    layer norm   takes mean and variance over all channels, new ones included. Where the old channels' mean is
                 small beside their deviation, the latter shrinks by sqrt(narrow / wide): so does the scale.
    attention    divides by sqrt(C / heads), for which the queries make up.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lumiface.core.errors import SettingError
from lumiface.methods.lfsrnet.model import LFSRNet

WIDER = ("channels", "upsampler")
"""The settings in which the two networks may differ."""


@torch.no_grad()
def widen(narrow: LFSRNet, wide: LFSRNet) -> None:
    """Give `wide` (freshly built, its weights random) the weights of `narrow`.

    Raises:
        SettingError: `wide` is not wider, or differs in more than channels and upsampler.
    """
    before, after = narrow.config, wide.config
    if before.model_dump(exclude=set(WIDER)) != after.model_dump(exclude=set(WIDER)):
        raise SettingError("a network starts from another that differs in channels and upsampler at most")
    if before.channels > after.channels or (before.upsampler, after.upsampler) == ("pixelshuffle", "resize"):
        names = [f"{one.channels} channels and {one.upsampler}" for one in (after, before)]
        raise SettingError(f"{names[0]} cannot start from {names[1]}; name a narrower network")
    share, heads = before.channels / after.channels, before.heads
    target = wide.state_dict()
    for key, old in narrow.state_dict().items():
        new = target[key]
        if key.startswith("upsample.steps.") and before.upsampler != after.upsampler:
            old = _shuffled(old)
        if ".norm_" in key:
            new.zero_()
            new[: len(old)] = old * share**0.5 if key.endswith("weight") else old
        elif ".qkv." in key:
            old, grouped = (tensor.unflatten(0, (3, heads, -1)).clone() for tensor in (old, new))
            old[0] *= share**-0.5
            for part in range(3):  # of the three, only new keys are random: no query asks for them yet
                _put(old[part], grouped[part], (1,) if key.endswith("bias") else (1, 2), keep_new=part == 1)
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
    """Write `old` into the first places of `new` along `axes`: first the outputs' axis, then the inputs'.

    What leads to new outputs becomes zero unless `keep_new`; what leads away from new inputs stays random.
    """
    outputs, inputs = axes[0], axes[1:]
    if not keep_new:
        new.narrow(outputs, old.shape[outputs], new.shape[outputs] - old.shape[outputs]).zero_()
    place = new.narrow(outputs, 0, old.shape[outputs])
    for axis in inputs:
        place = place.narrow(axis, 0, old.shape[axis])
    place.copy_(old)


def _shuffled(tensor: Tensor) -> Tensor:
    """A 3 x 3 convolution after nearest x2 -> the one that does the same before a pixel shuffle.

    Of the three rows that a large pixel sees, two lie in one small pixel: which two depends on whether it is
    the upper or the lower of its pair; columns likewise.

    Shape: (C, D, 3, 3) -> (4·C, D, 3, 3), or a bias (C,) -> (4·C,).
    """
    if tensor.dim() == 1:
        return tensor.repeat_interleave(4)
    folds = tensor.new_tensor(
        [[[1, 0, 0], [0, 1, 1], [0, 0, 0]], [[0, 0, 0], [1, 1, 0], [0, 0, 1]]]
    )  # (2, small, large)
    folded = torch.einsum("cdyx,iYy,jXx->cijdYX", tensor, folds, folds)  # (C, 2, 2, D, 3, 3)
    return folded.flatten(0, 2)
