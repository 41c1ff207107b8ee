"""Layer normalisation of feature maps: each pixel over its channels (Ba et al. 2016)."""

from __future__ import annotations

from torch import Tensor, nn


class LayerNorm2d(nn.LayerNorm):
    """Each pixel's channels to mean 0 and variance 1, then scale and shift. (B, C, H, W) -> (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 (torch's own name)
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
