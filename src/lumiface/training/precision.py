"""Mixed precision of a network on a GPU."""

from __future__ import annotations

from typing import Any

from lightning.fabric.plugins.precision import MixedPrecision


class Autocast(MixedPrecision):
    """bf16 for the operations that stand it, and inputs as they are.

    Lightning's own class also rounds the inputs of a network to bf16, which has three digits: StyleGAN2's
    latents, and the images that a discriminator or an enlarging network is given.
    """

    def __init__(self) -> None:
        super().__init__("bf16-mixed", "cuda")

    def convert_input(self, data: Any) -> Any:
        return data
