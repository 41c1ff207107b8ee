"""MTCNN's three networks in PyTorch, with the weights that the `mtcnn` wheel carries.

Zhang, Zhang, Li, Qiao: "Joint Face Detection and Alignment using Multi-task Cascaded Convolutional
Networks", IEEE Signal Processing Letters 2016, figure 2. The wheel is MIT licensed and made for
TensorFlow; only its weight files are read here, the package itself is never imported.
"""

from __future__ import annotations

import hashlib
import importlib.util
import io
from pathlib import Path
from typing import Any, cast

import joblib  # pyright: ignore[reportMissingTypeStubs]
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lumiface.core.errors import AssetMissing

# The weight files are pickles inside lz4, so they are compared with these before they are opened.
_SHA256 = {
    "pnet": "ea6b0c3e685ebee3165326ad6484acc95f2ef78f1c94fbf40a55704fa989f7b5",
    "rnet": "cb00e6460f3c98b0bfafaba3c0a0ded4bdf6e62cee7174d969e8670d7e757fee",
    "onet": "94f6ea2f4cf985275ee958cdd762d17b6009348a4fb9d8c6be39ba73ffd22ca3",
}


class ChannelSlopes(nn.PReLU):
    """PReLU with a slope per channel, fast on tensors whose channels lie innermost (channels_last).

    There PyTorch's own runs over the few channels of one pixel at a time; here it runs over whole rows. The
    values are the same to the last bit.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that PReLU gives it
        if input.dim() != 4 or not input.is_contiguous(memory_format=torch.channels_last):
            return super().forward(input)
        batch, channels, height, width = input.shape
        rows = input.permute(0, 2, 3, 1).reshape(batch * height, width * channels)
        return (
            F.prelu(rows, self.weight.repeat(width)).view(batch, height, width, channels).permute(0, 3, 1, 2)
        )


class HalvingPool(nn.MaxPool2d):
    """The largest of every 2 x 2, at the rim of what there is; fast on channels_last, as `ChannelSlopes`."""

    def __init__(self) -> None:
        super().__init__(2, 2, ceil_mode=True)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that MaxPool2d gives it
        height, width = (side // 2 * 2 for side in input.shape[-2:])
        if min(height, width) == 0 or not input.is_contiguous(memory_format=torch.channels_last):
            return F.max_pool2d(input, 2, 2, ceil_mode=True)
        rows = input.permute(0, 2, 3, 1)
        halves = torch.maximum(rows[:, 0:height:2], rows[:, 1:height:2])
        if height < rows.shape[1]:
            halves = torch.cat([halves, rows[:, height:]], 1)
        quarters = torch.maximum(halves[:, :, 0:width:2], halves[:, :, 1:width:2])
        if width < rows.shape[2]:
            quarters = torch.cat([quarters, halves[:, :, width:]], 2)
        return quarters.permute(0, 3, 1, 2)


class ProposalNet(nn.Module):
    """P-Net: classifies every 12x12 window, two pixels apart, as face or not.

    Input (B, 3, H, W), H and W at least 12, RGB in [-1, 1]. Output: probability (B, h, w) and box
    corrections (B, 4, h, w) as fractions of the window, order x1, y1, x2, y2.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 10, 3),
            ChannelSlopes(10),
            HalvingPool(),
            nn.Conv2d(10, 16, 3),
            ChannelSlopes(16),
            nn.Conv2d(16, 32, 3),
            ChannelSlopes(32),
        )
        self.box = nn.Conv2d(32, 4, 1)
        self.face = nn.Conv2d(32, 2, 1)
        _load(self, "pnet")

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(_innermost(pictures))
        return self.face(features).softmax(1)[:, 1], self.box(features)


class RefineNet(nn.Module):
    """R-Net: classifies candidates (N, 3, 24, 24) -> probability (N,), box corrections (N, 4)."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 28, 3),
            ChannelSlopes(28),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Conv2d(28, 48, 3),
            ChannelSlopes(48),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(48, 64, 2),
            ChannelSlopes(64),
        )
        self.dense = nn.Sequential(nn.Linear(576, 128), ChannelSlopes(128))
        self.box = nn.Linear(128, 4)
        self.face = nn.Linear(128, 2)
        _load(self, "rnet")

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor]:
        features = self.dense(_flatten(self.features(_innermost(crops))))
        return self.face(features).softmax(1)[:, 1], self.box(features)


class OutputNet(nn.Module):
    """O-Net: the final classification of candidates, and five landmarks.

    (N, 3, 48, 48) -> probability (N,), box corrections (N, 4), points (N, 5, 2): x and y as fractions of
    the candidate's box, in the order left eye, right eye, nose, left and right mouth corner in the picture.
    """

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 32, 3),
            ChannelSlopes(32),
            nn.MaxPool2d(3, 2, ceil_mode=True),
            nn.Conv2d(32, 64, 3),
            ChannelSlopes(64),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(64, 64, 3),
            ChannelSlopes(64),
            nn.MaxPool2d(2, 2, ceil_mode=True),
            nn.Conv2d(64, 128, 2),
            ChannelSlopes(128),
        )
        self.dense = nn.Sequential(nn.Linear(1152, 256), ChannelSlopes(256))
        self.box = nn.Linear(256, 4)
        self.points = nn.Linear(256, 10)
        self.face = nn.Linear(256, 2)
        _load(self, "onet")

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        features = self.dense(_flatten(self.features(_innermost(crops))))
        points = self.points(features).unflatten(1, (2, 5)).transpose(1, 2)  # x0..x4, y0..y4 -> (N, 5, 2)
        return self.face(features).softmax(1)[:, 1], self.box(features), points


def _innermost(pictures: Tensor) -> Tensor:
    """Channels innermost in memory: up to three times as fast on a CPU, the same values."""
    return pictures.contiguous(memory_format=torch.channels_last)


def _flatten(features: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, W*H*C): the wheel's order, column by column with the channel innermost."""
    return features.permute(0, 3, 2, 1).flatten(1)


def _load(net: nn.Module, name: str) -> None:
    """Load the weights of `net` from the wheel's list of arrays: kernel, bias and slope, layer by layer."""
    arrays = iter(_arrays(name))
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d):
            layer.weight.data = next(arrays).permute(3, 2, 0, 1).contiguous()  # (h, w, in, out)
            layer.bias = nn.Parameter(next(arrays))
        elif isinstance(layer, nn.Linear):
            layer.weight.data = next(arrays).t().contiguous()  # (in, out)
            layer.bias = nn.Parameter(next(arrays))
        elif isinstance(layer, nn.PReLU):
            layer.weight.data = next(arrays).flatten()  # (1, 1, channels) or (units,)
    net.requires_grad_(False).eval()


def _arrays(name: str) -> list[Tensor]:
    spec = importlib.util.find_spec("mtcnn")  # finds the folder without importing the package (TensorFlow)
    folders = list(spec.submodule_search_locations or []) if spec else []
    path = Path(folders[0] if folders else "mtcnn") / "assets" / "weights" / f"{name}.lz4"
    if not path.is_file():
        raise AssetMissing(f"{path}: face detector weights not found; install them with `pip install mtcnn`")
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != _SHA256[name]:
        raise AssetMissing(f"{path}: unexpected content; reinstall with `pip install mtcnn==1.0.0`")
    return [torch.from_numpy(array) for array in cast("list[Any]", joblib.load(io.BytesIO(content)))]
