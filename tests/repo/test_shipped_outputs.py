"""The outputs of every shipped network on five fixed pictures: a change of the code must not change them.

`shipped_outputs.json` holds, for each network, SHA-256 of the five outputs bit for bit, taken on one kind of
machine, and the means of their quadrants, which every machine reproduces closely. When weights are replaced
on purpose, `python tests/repo/test_shipped_outputs.py` writes the file again.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lumiface.geometry.camera import orbit_camera
from lumiface.registry import load_model, read_metadata, shipped_components, shipped_weights

RECORD = Path(__file__).with_name("shipped_outputs.json")
SIDES = {"fusion_bfr": 64, "prior3d": 96}
PICTURES = 5


def picture(number: int, side: int) -> Tensor:
    """(1, 3, side, side) on the 8-bit grid: smooth colours with noise, from dark to bright."""
    rng = np.random.Generator(np.random.PCG64(number))
    y, x = np.mgrid[0:side, 0:side].astype(np.float64) / side
    red = 0.5 + 0.4 * np.sin(3 * x + number) * np.cos(4 * y)
    green = 0.45 + 0.35 * np.cos(5 * x * y + number)
    blue = 0.4 + 0.3 * np.sin(6 * y - number)
    rgb = np.stack([red, green, blue]) * (0.15 + 0.17 * number)
    rgb = np.clip(rgb + 0.02 * rng.standard_normal(rgb.shape), 0, 1)
    return torch.from_numpy(np.round(rgb * 255) / 255).float()[None].contiguous()


@torch.inference_mode()
def outputs(name: str) -> list[Tensor]:
    """(1, C, H, W) for each of the five pictures."""
    kind = read_metadata(name)["method"]
    network: Any = load_model(name, kind=kind)
    found: list[Tensor] = []
    for number in range(PICTURES):
        match kind:
            case "prior3d-lifter":
                camera = orbit_camera(torch.tensor([[4.0, -3.0, 1.0]]))
                output = network(picture(number, 64), camera).flatten(1, 2)
            case "prior3d-prior":
                output = network.sample(picture(number, 64)).planes.flatten(1, 2)
            case "stylegan2":
                z = picture(number, 64).flatten()[: network.config.latent][None] * 4 - 1
                output = network(z, network.zero_noise())
            case "face-embedder":
                output = network(picture(number, 112)).view(1, 1, 8, 16)
            case _:
                output = network(picture(number, SIDES.get(kind, 24)))
        found.append(output)
    return found


def sha256(output: Tensor) -> str:
    return hashlib.sha256(output.contiguous().numpy().tobytes()).hexdigest()


def quadrants(output: Tensor) -> list[float]:
    means = F.adaptive_avg_pool2d(output, (2, 2))
    return (means if means.shape[1] == 3 else means.mean(dim=1)).flatten().tolist()


def machine() -> dict[str, str]:
    return {"torch": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability()}


@pytest.mark.parametrize("name", sorted(shipped_weights() | shipped_components()))
def test_outputs_are_those_on_record(name: str) -> None:
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    found, expected = outputs(name), record["outputs"][name]
    for output, means in zip(found, expected["quadrants"], strict=True):
        np.testing.assert_allclose(quadrants(output), means, atol=2e-4)
    if record["machine"] == machine() and "sha256" in expected:  # weights made elsewhere have means alone
        assert [sha256(output) for output in found] == expected["sha256"]


def write_record() -> None:
    torch.set_num_threads(1)
    shipped = {
        name: {
            "sha256": [sha256(output) for output in outputs(name)],
            "quadrants": [[round(mean, 5) for mean in quadrants(output)] for output in outputs(name)],
        }
        for name in sorted(shipped_weights() | shipped_components())
    }
    text = json.dumps({"machine": machine(), "outputs": shipped}, indent=1)
    RECORD.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_record()
