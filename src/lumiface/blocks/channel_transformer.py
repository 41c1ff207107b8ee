"""A transformer block with attention among channels: its cost is linear in the number of pixels.

Zamir, Arora, Khan, Hayat, Khan, Yang: "Restormer: Efficient Transformer for High-Resolution Image
Restoration" (CVPR 2022), §3, Fig. 2: multi-Dconv head transposed attention, gated-Dconv feed-forward network.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from lumiface.blocks.layer_norm import LayerNorm2d


class ChannelTransformer(nn.Module):
    """Attention among channels, then a gated feed-forward net, both with depthwise 3x3 (§3.1, §3.2).

    Shape: (B, C, H, W) -> (B, C, H, W).
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        hidden = int(channels * 2.66)
        self.norm_attention = LayerNorm2d(channels)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1, bias=False)
        self.qkv_depthwise = nn.Conv2d(
            3 * channels, 3 * channels, 3, padding=1, groups=3 * channels, bias=False
        )
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.project = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm_gate = LayerNorm2d(channels)
        self.widen = nn.Conv2d(channels, 2 * hidden, 1, bias=False)
        self.widen_depthwise = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=False)
        self.narrow = nn.Conv2d(hidden, channels, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        features = features + self._attend(self.norm_attention(features))
        gate, value = self.widen_depthwise(self.widen(self.norm_gate(features))).chunk(2, dim=1)
        return features + self.narrow(F.gelu(gate) * value)

    def _attend(self, features: Tensor) -> Tensor:
        height, width = features.shape[-2:]
        q, k, v = rearrange(  # pixels before channels: a view where memory is channels_last
            self.qkv_depthwise(self.qkv(features)),
            "b (three h c) y x -> three b h (y x) c",
            three=3,
            h=self.heads,
        )
        q, k = F.normalize(q, dim=-2), F.normalize(k, dim=-2)
        affinity = (q.mT @ k * self.temperature).softmax(dim=-1)  # (B, heads, C/heads, C/heads)
        mixed = v @ affinity.mT  # (B, heads, H·W, C/heads)
        return self.project(rearrange(mixed, "b h (y x) c -> b (h c) y x", y=height, x=width))
