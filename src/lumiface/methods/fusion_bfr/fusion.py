"""Attention of the latents on the image's features (§1.1, Fig. 2) and spatial feature transform (§1.2)."""

from __future__ import annotations

from typing import ClassVar

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
    """One refinement of W+: self-attention, then cross-attention on the image's features of one scale.

    NOTE(paper): layer norms before each attention, the residual connections and the position embedding are
    not in the paper; without the embedding, attention could not distinguish the two eyes.

    Args:
        width: length of a latent.
        channels: of the features.
        size: height and width of the features, pixels.
        heads: of each attention.

    Shape: latents (B, n, width) and features (B, channels, size, size) -> (B, n, width).
    """

    old_child_names: ClassVar[dict[str, str]] = {
        "among": "self_attention",
        "across": "cross_attention",
        "read": "feature_proj",
        "places": "pos_embed",
        "norm_codes": "norm_latents",
    }

    def __init__(self, width: int, channels: int, size: int, heads: int) -> None:
        super().__init__()
        self.self_attention = Attention(width, heads)
        self.project = nn.Linear(width, width)
        self.cross_attention = Attention(width, heads)
        self.feature_proj = nn.Conv2d(channels, width, 1)
        self.pos_embed = nn.Parameter(0.02 * torch.randn(1, size * size, width))
        self.norm_latents, self.norm_query, self.norm_keys = (nn.LayerNorm(width) for _ in range(3))

    def forward(self, latents: Tensor, features: Tensor) -> Tensor:
        normalized = self.norm_latents(latents)
        latents = latents + self.project(self.self_attention(normalized, normalized))
        keys = self.norm_keys(self.feature_proj(features).flatten(2).transpose(1, 2) + self.pos_embed)
        return latents + self.cross_attention(self.norm_query(latents), keys)


class SFT(nn.Module):
    """Spatial feature transform of half of the generator's channels by the image's features (§1.2, eq. 4, 5).

    The first half of the channels is modulated (fidelity), the second half stays unchanged (realism). The
    fidelity, which multiplies the change of the first half, can be chosen at run time.

    Shape: generator features (B, C, H, W), image features (B, K, H, W), and the fidelity in [0, 1], a number
    or (B, 1, 1, 1) -> (B, C, H, W).
    """

    def __init__(self, channels: int, features: int) -> None:
        super().__init__()
        self.sft_channels = channels // 2

        def branch() -> nn.Sequential:
            last = nn.Conv2d(features, self.sft_channels, 3, padding=1)
            # Zero initialisation: training starts with the pretrained generator unchanged.
            nn.init.zeros_(last.weight)
            if last.bias is not None:
                nn.init.zeros_(last.bias)
            return nn.Sequential(nn.Conv2d(features, features, 3, padding=1), nn.LeakyReLU(0.2), last)

        self.gamma, self.beta = branch(), branch()

    def forward(self, generated: Tensor, features: Tensor, fidelity: float | Tensor) -> Tensor:
        modulated, unchanged = generated[:, : self.sft_channels], generated[:, self.sft_channels :]
        # NOTE(paper): the network predicts γ - 1.
        modulated = modulated + fidelity * (self.gamma(features) * modulated + self.beta(features))
        return torch.cat([modulated, unchanged], dim=1)
