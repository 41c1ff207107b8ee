"""The cost of a training step on a GPU, counted without a GPU.

One step of a training task is run as the training loop runs it, on a CUDA device that has no values
(`device`). Counted are kernels, floating-point operations, memory traffic, and the places at which the
host waits for the device (`counter`); a roofline turns them into milliseconds (`roofline`).
"""

from __future__ import annotations

from fake_gpu.counter import HostWait, Kernel, StepCounter
from fake_gpu.measure import StepCost, measure_step, pretend_cuda
from fake_gpu.roofline import CARDS

__all__ = ["CARDS", "HostWait", "Kernel", "StepCost", "StepCounter", "measure_step", "pretend_cuda"]
