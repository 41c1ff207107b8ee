"""Codes that look at the picture: the feature fusion block (§1.1, Fig. 2)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Multi-head attention with W_Q, W_K, W_V and W_O of one width (equations 1-3).

    Shape: queries (B, n, width) and keys (B, m, width) -> (B, n, width).
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"a width of {width} cannot be divided among {heads} heads")
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        q, k, v = (
            layer(tokens).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for layer, tokens in ((self.query, queries), (self.key, keys), (self.value, keys))
        )  # (B, heads, n, d)
        return self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class FeatureFusion(nn.Module):
    """The codes W+ refined once: by one another, then by the picture's features of one scale.

    NOTE(paper): layer norms before each attention, the ways around them, and what tells features at different
    places apart are not in the paper; without the last, attention would not know one eye from the other.

    Args:
        width: length of a code.
        channels: of the features.
        side: of the features, pixels.

    Shape: codes (B, n, width) and features (B, channels, side, side) -> (B, n, width).
    """

    def __init__(self, width: int, channels: int, side: int, heads: int) -> None:
        super().__init__()
        self.self_attention = Attention(width, heads)
        self.project = nn.Linear(width, width)
        self.cross_attention = Attention(width, heads)
        self.feature_proj = nn.Conv2d(channels, width, 1)
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, side * side, width))
        self.norm_codes, self.norm_query, self.norm_keys = (nn.LayerNorm(width) for _ in range(3))

    def forward(self, codes: Tensor, features: Tensor) -> Tensor:
        known = self.norm_codes(codes)
        codes = codes + self.project(self.self_attention(known, known))
        seen = self.norm_keys(self.feature_proj(features).flatten(2).transpose(1, 2) + self.pos_embed)
        return codes + self.cross_attention(self.norm_query(codes), seen)


class SFT(nn.Module):
    """Features of the picture lead half of the generator's channels (§1.2, equations 4 and 5).

    The first half of the channels is modulated (fidelity), the second stays the generator's own (realism).
    What the picture adds to the first half is multiplied by a share that can be chosen at run time.

    Shape: the generator's (B, C, H, W), the picture's (B, K, H, W), and a share in [0, 1], one for all or
    (B, 1, 1, 1) -> (B, C, H, W).
    """

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.sft_channels = channels // 2

        def branch() -> nn.Sequential:
            last = nn.Conv2d(features, self.sft_channels, 3, padding=1)
            # It begins by changing nothing, so that the pretrained generator is not thrown off its faces.
            nn.init.zeros_(last.weight)
            if last.bias is not None:
                nn.init.zeros_(last.bias)
            return nn.Sequential(nn.Conv2d(features, features, 3, padding=1), nn.LeakyReLU(0.2), last)

        self.gamma, self.beta = branch(), branch()

    def forward(self, generated: Tensor, features: Tensor, share: float | Tensor) -> Tensor:
        led, own = generated[:, : self.sft_channels], generated[:, self.sft_channels :]
        # NOTE(paper): γ is told as what it differs from 1.
        led = led + share * (self.gamma(features) * led + self.beta(features))
        return torch.cat([led, own], dim=1)
