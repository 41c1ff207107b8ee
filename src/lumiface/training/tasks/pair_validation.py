"""Validation during training on pairs: EMA weights on a fixed set of degraded faces."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.func import functional_call

from lumiface.data.benchmarks.damaged import DamageSettings, build_damaged_pair
from lumiface.data.benchmarks.llf import LLFSettings, build_task_pair
from lumiface.data.faults import Faults
from lumiface.data.sources import open_source
from lumiface.degradations.camera_pipeline import CameraConfig, simulate_camera
from lumiface.imaging.quantize import from_uint8, quantize
from lumiface.metrics.psnr import psnr_y
from lumiface.training.config import TrainConfig

BATCH = 20
NUM_PREVIEW = 5


class PairValidation:
    """PSNR-Y over the pairs of the validation set: the task's, or a simulated camera's; seed 0, 8 bits."""

    def __init__(
        self,
        config: TrainConfig,
        source: str,
        scale: int,
        device: torch.device,
        camera: CameraConfig | None = None,
        faults: Faults | None = None,
    ) -> None:
        settings = LLFSettings(hr_size=config.hr_size, scale=scale, seed=0)
        pictures = open_source(source)

        task = config.task

        def build(index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
            data, name = pictures.read(index), pictures.names[index]
            if task == "frr" or task == "blind":
                pair = build_damaged_pair(data, name, DamageSettings(task, config.hr_size))
                return pair.degraded, pair.clean
            return build_task_pair(data, name, settings, task)

        faults = Faults() if faults is None else faults
        pairs = [pair for _, pair in faults.usable(build, range(len(pictures)))]
        faults.settle()
        self.low = torch.cat([from_uint8(low) for low, _ in pairs]).to(device)
        self.high = torch.cat([from_uint8(high) for _, high in pairs]).to(device)
        if camera is not None:
            self.low = simulate_camera(self.high, camera, scale, torch.Generator().manual_seed(0))

    @torch.inference_mode()
    def __call__(self, weights: dict[str, Tensor], network: nn.Module) -> tuple[float, Tensor]:
        """Mean PSNR-Y (dB) of `network` with `weights`; its own weights stay as they are.

        Also (3·n, 3, H, W) in [0, 1]: input (enlarged), output and target of the first faces.
        """
        network.eval()
        scores: list[Tensor] = []
        pictures = torch.empty(0)
        for start in range(0, len(self.low), BATCH):
            low, high = self.low[start : start + BATCH], self.high[start : start + BATCH]
            output = quantize(functional_call(network, weights, (low,)))
            scores.append(psnr_y(output, high))
            if start == 0:
                preview = slice(0, NUM_PREVIEW)
                enlarged = torch.nn.functional.interpolate(low[preview], size=high.shape[-2:], mode="nearest")
                pictures = torch.cat([enlarged, output[preview], high[preview]]).cpu()
        network.train()
        return float(torch.cat(scores).mean()), pictures
