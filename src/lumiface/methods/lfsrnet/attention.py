"""Attention layers of LFSRNet: MaxViT's two axes, squeeze-and-excitation, and ESA.

All of them keep the shape of their input. In the transformer blocks the layout is `(B, H, W, C)`, the memory
format of `channels_last` convolutions, so no copy is made.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


class ChannelAttention(nn.Module):
    """Squeeze-and-excitation: each channel times a weight in (0, 1) computed from all channel means.

    Used twice in the paper: inside the FSEU (§2.2, "SE") and before the upsampling, where it filters the
    low-light noise of the shallow features (§2.3, "CA").

    Shape: (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        hidden = max(channels // reduction, 4)
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.excite = nn.Conv2d(hidden, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        means = features.mean(dim=(2, 3), keepdim=True)  # (B, C, 1, 1)
        return features * torch.sigmoid(self.excite(F.relu(self.squeeze(means))))


class EnhancedSpatialAttention(nn.Module):
    """ESA: one weight per pixel and channel, from a wide neighbourhood at 1/6 of the resolution.

    RFANet's block in RLFN's slimmer form (the paper's references 39 and 40). Strided layers are padded, so
    that features of any size down to 1x1 are possible.

    Shape: (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        slim = max(channels // 4, 8)
        self.reduce = nn.Conv2d(channels, slim, 1)
        self.skip = nn.Conv2d(slim, slim, 1)
        self.stride = nn.Conv2d(slim, slim, 3, stride=2, padding=1)
        self.widen = nn.Conv2d(slim, slim, 3, padding=1)
        self.expand = nn.Conv2d(slim, channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        reduced = self.reduce(features)  # (B, slim, H, W)
        wide = F.max_pool2d(self.stride(reduced), kernel_size=7, stride=3, padding=3)
        wide = self.widen(wide)
        wide = F.interpolate(wide, size=reduced.shape[-2:], mode="bilinear", align_corners=False)
        return features * torch.sigmoid(self.expand(wide + self.skip(reduced)))


class AxisAttention(nn.Module):
    """Self-attention in groups of `side` x `side` pixels along one of MaxViT's two axes, then a linear FFN.

    "block" groups neighbouring pixels (windows of side x side); "grid" groups pixels at distances H/side and
    W/side, so that each group spans the whole image (§2.2, Fig. 3). Both cost O(H·W).

    Args:
        channels: C, a multiple of `heads`.
        axis: "block" or "grid".
        side: P or G, height and width of a group in pixels; H and W must be multiples of it.
        heads: attention heads.
        shift: cyclic shift of the windows in pixels, so that window borders differ between blocks.

    Shape: (B, H, W, C) -> (B, H, W, C).
    """

    position_index: Tensor

    def __init__(self, channels: int, axis: str, side: int, heads: int, shift: int = 0) -> None:
        super().__init__()
        self.axis, self.side, self.heads, self.shift = axis, side, heads, shift
        self.norm_attention = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.project = nn.Linear(channels, channels)
        self.norm_ffn = nn.LayerNorm(channels)
        self.ffn = nn.Sequential(
            nn.Linear(channels, 2 * channels), nn.GELU(), nn.Linear(2 * channels, channels)
        )
        self.position_bias = nn.Parameter(torch.zeros(heads, (2 * side - 1) ** 2))
        nn.init.trunc_normal_(self.position_bias, std=0.02)
        self.register_buffer("position_index", _relative_positions(side), persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        if self.shift:
            # NOTE(paper): it has no shifted windows. The shift is cyclic and has no mask: windows at the rim
            # hold pixels of the opposite rim, which attend to one another.
            features = torch.roll(features, (-self.shift, -self.shift), dims=(1, 2))
        _, height, width, _ = features.shape
        layout = "b (y p) (x q) c" if self.axis == "block" else "b (p y) (q x) c"
        sizes = {"p": self.side, "q": self.side, "y": height // self.side, "x": width // self.side}
        # All layers but the attention see single pixels, so they work in groups, too: of what is copied
        # between the two orders there is C, where queries, keys and values would be 3C.
        tokens = rearrange(features, f"{layout} -> (b y x) (p q) c", **sizes)
        tokens = tokens + self._attend(self.norm_attention(tokens))
        tokens = tokens + self.ffn(self.norm_ffn(tokens))
        features = rearrange(tokens, f"(b y x) (p q) c -> {layout}", **sizes)
        if self.shift:
            features = torch.roll(features, (self.shift, self.shift), dims=(1, 2))
        return features

    def _attend(self, tokens: Tensor) -> Tensor:
        """(groups, side², C), of pixels of a group among themselves."""
        # Three products: a view of a third of one of 3C would be copied by each engine.
        q, k, v = (
            rearrange(F.linear(tokens, weight, bias), "n t (h c) -> n h t c", h=self.heads)
            for weight, bias in zip(self.qkv.weight.chunk(3), self.qkv.bias.chunk(3), strict=True)
        )  # (groups, heads, side², C / heads)
        bias = self.position_bias[:, self.position_index]  # (heads, side², side²)
        # In plain steps where they are needed: torch's fused attention has no gradient of a bias, and its
        # substitute is slower; and it cannot be exported, for its result has another order in memory.
        if self.training or torch.compiler.is_compiling():
            affinity = (q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1) + bias  # (groups, heads, side², side²)
            mixed = affinity.softmax(dim=-1) @ v
        else:
            mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias[None])
        return self.project(rearrange(mixed, "n h t c -> n t (h c)"))


class MaxViTBlock(nn.Module):
    """Block attention, then grid attention: first local structure, then global illumination.

    Shape: (B, C, H, W) -> (B, C, H, W); H and W must be multiples of `window` and `grid`.
    """

    def __init__(self, channels: int, window: int, grid: int, heads: int, shift: int = 0) -> None:
        super().__init__()
        self.block = AxisAttention(channels, "block", window, heads, shift)
        self.grid = AxisAttention(channels, "grid", grid, heads)

    def forward(self, features: Tensor) -> Tensor:
        tokens = features.permute(0, 2, 3, 1)  # (B, H, W, C), a view where memory is channels_last
        return self.grid(self.block(tokens)).permute(0, 3, 1, 2)


def _relative_positions(side: int) -> Tensor:
    """(side², side²) indices into a table of the (2·side−1)² displacements between two pixels of a group."""
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    y, x = y.flatten(), x.flatten()
    dy = y[:, None] - y[None, :] + side - 1
    dx = x[:, None] - x[None, :] + side - 1
    return dy * (2 * side - 1) + dx
