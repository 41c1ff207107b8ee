"""Faces that all degradations are tried on."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor


@pytest.fixture
def faces(astronaut: Tensor) -> Tensor:
    """Four crops of 128 pixels, on the 8-bit grid."""
    small = F.interpolate(astronaut, size=(256, 256), mode="area")
    crops = torch.cat([small[..., 4 * n : 4 * n + 128, 50 + 8 * n : 178 + 8 * n] for n in range(4)])
    return (crops * 255).round() / 255
